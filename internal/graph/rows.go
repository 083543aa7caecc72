package graph

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/risksweep/risksweep/internal/entra"
)

// rowReader walks once over a body. Strings and documents that it gives are
// parts of the body: nothing is copied row by row. Of a body that it takes as it
// comes it keeps nothing: strings are copies then, and there are no documents.
type rowReader struct {
	dec    *jsontext.Decoder
	stream bool
	body   string
	intern *interner
	where  []string // member names, for complaints
	row    int
}

func newRowReader(body string, in *interner) *rowReader {
	return &rowReader{dec: jsontext.NewDecoder(strings.NewReader(body)), body: body, intern: in, row: -1}
}

func newRowStream(in io.Reader, words *interner) *rowReader {
	return &rowReader{dec: jsontext.NewDecoder(in), stream: true, intern: words, row: -1}
}

// decodePage reads a collection's answer: an object with a value array. Its
// other members are annotations and are passed over.
func decodePage[T any](body string, in *interner, row func(*rowReader, *T) error) (items []T, next string, err error) {
	if strings.TrimSpace(body) == "" {
		return nil, "", fmt.Errorf("an empty answer: %w", entra.ErrMalformed)
	}
	return decodeRows(newRowReader(body, in), row)
}

func decodeRows[T any](r *rowReader, row func(*rowReader, *T) error) (items []T, next string, err error) {
	found := false
	err = r.object(func(name string) error {
		switch name {
		case "value":
			found = true
			if k := r.dec.PeekKind(); k != '[' {
				return r.wrong("an array", k)
			}
			if _, err := r.dec.ReadToken(); err != nil {
				return r.malformed(err)
			}
			for r.row = 0; r.dec.PeekKind() != ']'; r.row++ {
				if k := r.dec.PeekKind(); k != '{' {
					return r.wrong("an object", k)
				}
				if len(items) == cap(items) {
					items = grow(items, len(r.body), int(r.dec.InputOffset()))
				}
				items = items[:len(items)+1]
				if err := row(r, &items[len(items)-1]); err != nil {
					return err
				}
			}
			r.row = -1
			if _, err := r.dec.ReadToken(); err != nil {
				return r.malformed(err)
			}
			return nil
		case "@odata.nextLink":
			s, err := r.str()
			next = strings.Clone(s)
			return err
		}
		return r.skip()
	})
	switch {
	case err != nil:
		return nil, "", err
	case !found:
		return nil, "", fmt.Errorf("a list without value: %w", entra.ErrMalformed)
	}
	return items, next, r.end()
}

// grow makes room for more rows: for a few at first, then for as many as the rest of
// the body seems to hold, or a quarter more where there is no body yet.
func grow[T any](items []T, size, read int) []T {
	room := 32
	if n := len(items); n > 0 {
		room = max(n+n*(size-read)/max(read, 1), n+n/4) + 4
	}
	bigger := make([]T, len(items), room)
	copy(bigger, items)
	return bigger
}

// end checks that nothing follows.
func (r *rowReader) end() error {
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("data after the answer's end: %w", entra.ErrMalformed)
	}
	return nil
}

// object reads an object and calls member for each of its members, which must
// read or skip the value.
func (r *rowReader) object(member func(name string) error) error {
	if k := r.dec.PeekKind(); k != '{' {
		return r.wrong("an object", k)
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return r.malformed(err)
	}
	for {
		k := r.dec.PeekKind()
		if k == '}' {
			if _, err := r.dec.ReadToken(); err != nil {
				return r.malformed(err)
			}
			return nil
		}
		v, err := r.dec.ReadValue()
		if err != nil {
			return r.malformed(err)
		}
		name, err := r.word(v)
		if err != nil {
			return err
		}
		r.where = append(r.where, name)
		if err := member(name); err != nil {
			return err
		}
		r.where = r.where[:len(r.where)-1]
	}
}

// document reads an object like object does, and gives its text as it came.
func (r *rowReader) document(member func(name string) error) (string, error) {
	if k := r.dec.PeekKind(); k != '{' {
		return "", r.wrong("an object", k)
	}
	// Between here and the brace there is at most a comma and white space.
	start := int(r.dec.InputOffset())
	start += strings.IndexByte(r.body[start:], '{')
	if err := r.object(member); err != nil {
		return "", err
	}
	return r.body[start:r.dec.InputOffset()], nil
}

// raw reads any value as it came, and gives a copy.
func (r *rowReader) raw() ([]byte, error) {
	v, err := r.dec.ReadValue()
	if err != nil {
		return nil, r.malformed(err)
	}
	return slices.Clone(v), nil
}

func (r *rowReader) skip() error {
	if err := r.dec.SkipValue(); err != nil {
		return r.malformed(err)
	}
	return nil
}

// str reads a string; null gives the empty one.
func (r *rowReader) str() (string, error) {
	v, err := r.dec.ReadValue()
	if err != nil {
		return "", r.malformed(err)
	}
	switch v.Kind() {
	case '"':
		return r.unquote(v)
	case 'n':
		return "", nil
	}
	return "", r.wrong("a string", v.Kind())
}

// name reads a string that is one of few: all that are equal share one copy.
func (r *rowReader) name() (string, error) {
	if r.stream && r.dec.PeekKind() == '"' {
		v, err := r.dec.ReadValue()
		if err != nil {
			return "", r.malformed(err)
		}
		return r.word(v)
	}
	s, err := r.str()
	return r.intern.get(s), err
}

// word gives the text of a string that was just read and is one of few.
func (r *rowReader) word(v jsontext.Value) (string, error) {
	if r.stream && bytes.IndexByte(v, '\\') < 0 {
		return r.intern.bytes(v[1 : len(v)-1]), nil
	}
	return r.unquote(v)
}

// unquote gives the text of a string that was just read.
func (r *rowReader) unquote(v jsontext.Value) (string, error) {
	if bytes.IndexByte(v, '\\') < 0 {
		if r.stream {
			return string(v[1 : len(v)-1]), nil
		}
		end := int(r.dec.InputOffset())
		return r.body[end-len(v)+1 : end-1], nil
	}
	b, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		return "", r.malformed(err)
	}
	return string(b), nil
}

// boolean reads a Boolean; null gives nil.
func (r *rowReader) boolean() (*bool, error) {
	v, err := r.dec.ReadValue()
	if err != nil {
		return nil, r.malformed(err)
	}
	switch v.Kind() {
	case 't', 'f':
		b := v.Kind() == 't'
		return &b, nil
	case 'n':
		return nil, nil //nolint:nilnil // null is a value here
	}
	return nil, r.wrong("true or false", v.Kind())
}

// number reads a Double; null gives nil.
func (r *rowReader) number() (*float64, error) {
	v, err := r.dec.ReadValue()
	if err != nil {
		return nil, r.malformed(err)
	}
	switch v.Kind() {
	case '0':
		f, err := strconv.ParseFloat(string(v), 64)
		if err != nil {
			return nil, r.wrong("a Double", v.Kind())
		}
		return &f, nil
	case 'n':
		return nil, nil //nolint:nilnil // null is a value here
	}
	return nil, r.wrong("a number", v.Kind())
}

// strs reads an array of strings; null gives nil.
func (r *rowReader) strs() ([]string, error) {
	if there, err := r.beginArray(); !there {
		return nil, err
	}
	list := []string{}
	for r.dec.PeekKind() != ']' {
		s, err := r.str()
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return nil, r.malformed(err)
	}
	return list, nil
}

func (r *rowReader) place() string {
	name := clip(strings.Join(r.where, "."))
	if r.row < 0 {
		return name
	}
	rest := strings.TrimPrefix(strings.TrimPrefix(name, "value"), ".")
	if rest == "" {
		return fmt.Sprintf("value[%d]", r.row)
	}
	return fmt.Sprintf("value[%d].%s", r.row, rest)
}

// wrong says that a value is of another type than Graph's metadata gives it.
func (r *rowReader) wrong(want string, got jsontext.Kind) error {
	if got == 0 {
		// No value at all: let the decoder say what is wrong.
		if _, err := r.dec.ReadToken(); err != nil {
			return r.malformed(err)
		}
	}
	return fmt.Errorf("%s: %s where %s was expected: %w", r.place(), kindWord(got), want, entra.ErrMalformed)
}

func kindWord(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "a Boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return "something else"
}

func (r *rowReader) malformed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		size := int64(len(r.body))
		if r.stream {
			size = r.dec.InputOffset()
		}
		return fmt.Errorf("the answer ends after %d bytes, within %q: %w", size, r.place(), entra.ErrMalformed)
	}
	return fmt.Errorf("%s: %s: %w", r.place(), clip(err.Error()), entra.ErrMalformed)
}

// interner keeps one copy of each of few strings, apart from the pages they
// came in. It stops taking new ones when there are many.
type interner struct{ m map[string]string }

func newInterner() *interner { return &interner{m: map[string]string{}} }

// bytes is get without a copy of what is known.
func (in *interner) bytes(b []byte) string {
	if known, ok := in.m[string(b)]; ok {
		return known
	}
	return in.get(string(b))
}

func (in *interner) get(s string) string {
	if len(s) > 128 {
		return s
	}
	if known, ok := in.m[s]; ok {
		return known
	}
	if len(in.m) >= 4096 {
		return s
	}
	s = strings.Clone(s)
	in.m[s] = s
	return s
}
