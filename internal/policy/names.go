package policy

import (
	"fmt"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// Display is how a person knows an object: its userPrincipalName, else its
// displayName, else its id.
func Display(o entra.DirectoryObject) string {
	for _, s := range []string{o.UserPrincipalName, o.DisplayName} {
		if s != "" {
			return s
		}
	}
	return string(o.ID)
}

// LookUp gives the one object that a name stands for, or says why there is
// none.
func LookUp(names entra.Names, ref entra.Ref) (entra.DirectoryObject, string) {
	r, asked := names[ref]
	if !asked {
		return entra.DirectoryObject{}, fmt.Sprintf("the %s %q was not looked up", ref.Kind.Noun(), ref.Name)
	}
	r.Ref = ref
	o, _ := r.Resolved()
	return o, r.Problem()
}

// Visible keeps text from the tenant from steering the terminal.
func Visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return '\ufffd'
		}
		return r
	}, s)
}

// Names turns ids into names for texts.
type Names map[string]string

// Add learns the name of an object of the directory.
func (n Names) Add(o entra.DirectoryObject) {
	name := o.UserPrincipalName
	if name == "" {
		name = o.DisplayName
	}
	if name != "" {
		n[string(o.ID)] = name
	}
}

// Name gives an id its name, other text itself.
func (n Names) Name(s string) string {
	if t, ok := strings.CutPrefix(s, "{{"); ok {
		_, key, _ := strings.Cut(strings.TrimSuffix(t, "}}"), ":")
		return key + " (new)"
	}
	if name, ok := n[FoldID(s)]; ok {
		return name
	}
	return s
}
