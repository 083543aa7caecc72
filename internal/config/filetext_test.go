package config

import "testing"

func TestFileText(t *testing.T) {
	for _, c := range []struct{ name, data, want string }{
		{"plain", "s3cret\n", "s3cret\n"},
		{"UTF-8 with its mark", "\xef\xbb\xbfs3cret", "s3cret"},
		{"UTF-16, little end first", "\xff\xfes\x003\x00c\x00", "s3c"},
		{"UTF-16, big end first", "\xfe\xff\x00s\x003\x00c", "s3c"},
		{"bytes of no text", "\x80\x81", "\x80\x81"},
	} {
		if got := fileText([]byte(c.data)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
