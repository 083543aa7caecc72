package config

import (
	"fmt"
	"log/slog"
	"sync"
)

// Secret is a text that no verb, encoder or log handler prints. It holds a
// pointer, so that not even reflection over a value that embeds it shows the
// text. The secret of a file is read again whenever it is revealed, so whoever
// uses it reveals it anew each time: a rotation then needs no restart.
type Secret struct{ source *source }

// source is where a secret comes from.
type source struct {
	mu   sync.Mutex
	text string
	read func() (string, bool) // nil for a text that does not change
}

// NewSecret keeps a text. The empty text is no secret: IsZero is then true.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{source: &source{text: text}}
}

// fromFile is a secret that read gives anew; while it gives none, as in the
// middle of a rotation, the last one holds.
func fromFile(text string, read func() (string, bool)) Secret {
	return Secret{source: &source{text: text, read: read}}
}

// Reveal returns the text, empty if there is none.
func (s Secret) Reveal() string {
	if s.source == nil {
		return ""
	}
	s.source.mu.Lock()
	defer s.source.mu.Unlock()
	if s.source.read != nil {
		if text, ok := s.source.read(); ok {
			s.source.text = text
		}
	}
	return s.source.text
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.source == nil }

// Equal compares the texts.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

// String says whether there is a secret.
func (s Secret) String() string {
	if s.IsZero() {
		return "(not set)"
	}
	return "(set)"
}

// Format prints String for every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// MarshalJSON writes String.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// MarshalText writes String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue logs String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
