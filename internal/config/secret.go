package config

import (
	"fmt"
	"log/slog"
)

// Secret is a text that no verb, encoder or log handler prints. It holds a
// pointer, so that not even reflection over a value that embeds it shows the
// text.
type Secret struct{ text *string }

// NewSecret keeps a text. The empty text is no secret: IsZero is then true.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the text, empty if there is none.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.text == nil }

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
