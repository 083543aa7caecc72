package baseline

import (
	"fmt"
	"strings"

	"github.com/risksweep/risksweep/internal/yamldoc"
)

// Place says where a value of a member stands in the file, followed by a colon
// and a blank; empty if it is not written there.
func (it Item) Place(member, value string) string {
	at := find(it.node, member, value, false)
	if at == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d: ", at.File, at.Line, at.Column)
}

func find(n *yamldoc.Node, member, value string, within bool) *yamldoc.Node {
	if n == nil {
		return nil
	}
	if within && n.Kind == yamldoc.String && strings.EqualFold(strings.TrimSpace(n.Value), value) {
		return n
	}
	for i, k := range n.Keys {
		if at := find(n.Values[i], member, value, within || k.Value == member); at != nil {
			return at
		}
	}
	for _, it := range n.Items {
		if at := find(it, member, value, within); at != nil {
			return at
		}
	}
	return nil
}
