package entra

import (
	"strings"
	"unicode"
)

// ID is the id of a user, group, service principal, role or other object of
// the tenant, in the one form in which ids are compared: the service takes and
// may send the same id in either case. NewID and decoding are the only ways to
// make one of text; a document as Graph sent it keeps its own spelling.
type ID string

// NewID folds an id. Text of white space alone is no id.
func NewID(s string) ID { return ID(strings.ToLower(strings.TrimSpace(s))) }

// Texts are ids as documents and requests hold them.
func Texts(ids []ID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

// NewIDs folds a list of ids; nil stays nil.
func NewIDs(list []string) []ID {
	if list == nil {
		return nil
	}
	out := make([]ID, len(list))
	for i, s := range list {
		out[i] = NewID(s)
	}
	return out
}

// UnmarshalText makes decoded ids, also those that are keys, the folded ones.
func (id *ID) UnmarshalText(text []byte) error {
	*id = NewID(string(text))
	return nil
}

// IsUserName reports whether a text can name one user: a user principal name or
// an object id, which alone are unique. Neither holds white space or marks that are
// not seen.
func IsUserName(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return IsID(s) || at > 0 && at < len(s)-1 && !strings.ContainsFunc(s, unseen)
}

func unseen(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}

// IsID reports whether a text has the form of an object id: hexadecimal digits,
// 8-4-4-4-12.
func IsID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return false
			}
		}
	}
	return true
}
