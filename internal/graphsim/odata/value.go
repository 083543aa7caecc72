package odata

import (
	"cmp"
	"strings"
	"time"
)

// Kind is the sort of a value or of a member's declared type.
type Kind uint8

// The kinds. Date-times are kept to 100 ns, as the service keeps them.
const (
	Null Kind = iota
	String
	Enum
	DateTime
	Bool
	Int
	Double
	GUID
	Complex
)

var kindNames = [...]string{"<null>", "Edm.String", "Edm.String", "Edm.DateTimeOffset", "Edm.Boolean", "Edm.Int32", "Edm.Double", "Edm.Guid", "Edm.ComplexType"}

// Value is one member's value in one row. The zero Value is null.
type Value struct {
	kind       Kind
	collection bool
	text       string
	number     int64 // Bool, Int, DateTime in ticks
	float      float64
	items      []Value
	fields     Getter
}

// Getter gives a row's value of a member; members of complex ones are named
// with a path such as location/countryOrRegion.
type Getter func(member string) Value

// Text is a string; the empty string is a value of its own and not null.
func Text(s string) Value { return Value{kind: String, text: s} }

// TextOrNull is a string, or null if it is empty.
func TextOrNull(s string) Value {
	if s == "" {
		return Value{}
	}
	return Text(s)
}

// EnumValue is a value of an enumeration by its name, spelled as declared.
func EnumValue(name string) Value { return Value{kind: Enum, text: name} }

// Boolean is true or false.
func Boolean(b bool) Value {
	if b {
		return Value{kind: Bool, number: 1}
	}
	return Value{kind: Bool}
}

// Integer is a whole number.
func Integer(n int64) Value { return Value{kind: Int, number: n} }

// Float is a floating-point number.
func Float(f float64) Value { return Value{kind: Double, float: f} }

// Guid is a GUID in its text form.
func Guid(s string) Value { return Value{kind: GUID, text: s} }

// Time is a date-time; the zero time is null.
func Time(t time.Time) Value {
	if t.IsZero() {
		return Value{}
	}
	return Value{kind: DateTime, number: Ticks(t)}
}

// AtTicks is a date-time in ticks; 0 is null.
func AtTicks(ticks int64) Value {
	if ticks == 0 {
		return Value{}
	}
	return Value{kind: DateTime, number: ticks}
}

// List is a collection; a nil one is empty, not null.
func List(items ...Value) Value { return Value{collection: true, items: items} }

// Texts is a collection of strings.
func Texts(items []string) Value {
	v := Value{collection: true, items: make([]Value, len(items))}
	for i, s := range items {
		v.items[i] = Text(s)
	}
	return v
}

// Object is a complex value whose members the getter gives.
func Object(fields Getter) Value { return Value{kind: Complex, fields: fields} }

// Equals says whether it is a string of a certain text, in any case.
func (v Value) Equals(text string) bool { return v.kind == String && strings.EqualFold(v.text, text) }

// IsNull says whether there is no value.
func (v Value) IsNull() bool { return v.kind == Null && !v.collection }

// ticksAtUnixEpoch are the 100 ns ticks from 0001-01-01 to 1970-01-01.
const ticksAtUnixEpoch = 621355968000000000

// Ticks counts 100 ns since 0001-01-01 UTC, as .NET does, rounding down.
func Ticks(t time.Time) int64 {
	return t.Unix()*10_000_000 + int64(t.Nanosecond())/100 + ticksAtUnixEpoch
}

// FromTicks is the time of a tick count.
func FromTicks(ticks int64) time.Time {
	n := ticks - ticksAtUnixEpoch
	return time.Unix(n/10_000_000, n%10_000_000*100).UTC()
}

// FormatTicks writes a date-time as Graph does: UTC, up to seven fractional
// digits, trailing zeros trimmed.
func FormatTicks(ticks int64) string {
	return FromTicks(ticks).Format("2006-01-02T15:04:05.9999999Z")
}

// compare orders two values of one kind, neither null. Strings are compared
// without regard to case, as the service does.
func compare(a, b Value, members *Enumeration) int {
	switch a.kind {
	case Enum:
		return cmp.Compare(members.index(a.text), members.index(b.text))
	case Double:
		return cmp.Compare(a.asFloat(), b.asFloat())
	case Bool, Int, DateTime:
		if b.kind == Double {
			return cmp.Compare(a.asFloat(), b.float)
		}
		return cmp.Compare(a.number, b.number)
	}
	return strings.Compare(fold(a.text), fold(b.text))
}

func (v Value) asFloat() float64 {
	if v.kind == Double {
		return v.float
	}
	return float64(v.number)
}

// equal is compare(a, b) == 0, faster.
func equal(a, b Value) bool {
	switch a.kind {
	case Enum:
		return a.text == b.text
	case Double:
		return a.asFloat() == b.asFloat()
	case Bool, Int, DateTime:
		if b.kind == Double {
			return a.asFloat() == b.float
		}
		return a.number == b.number
	}
	return a.text == b.text || fold(a.text) == fold(b.text)
}

// fold is the form of a string in which case does not matter. It goes by way
// of the upper case so that letters with several lower forms meet.
func fold(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || ('A' <= c && c <= 'Z') {
			return strings.ToLower(strings.ToUpper(s))
		}
	}
	return s
}

// Compare orders two values of a member for $orderby; null comes first.
func (m *Member) Compare(a, b Value) int {
	switch {
	case a.IsNull() || b.IsNull():
		return boolInt(b.IsNull()) - boolInt(a.IsNull())
	default:
		return compare(a, b, m.Enum)
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
