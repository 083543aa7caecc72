package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A row that lacks something would let a kind of action through without its
// limit, or send nothing at all.
func TestEveryKindHasAWholeRow(t *testing.T) {
	limited := map[Kind]bool{}
	for _, l := range kindLimits {
		limited[l.kind] = true
	}
	turns := map[int]bool{}
	for _, row := range kinds {
		k := row.kind
		switch {
		case !limited[row.limit] && k != EnableAccount:
			t.Errorf("%s: no limit counts it", k)
		case row.key == "" || row.part == "" || row.words.Title == "" || row.words.Past == "":
			t.Errorf("%s: something is missing in its row", k)
		case k.OnUser() && (row.turn == 0 || turns[row.turn] || row.object != "" || row.words.Order == "" && !k.OnDetections()):
			t.Errorf("%s: its turn is missing or taken, or its order has no words", k)
		case !k.OnUser() && k != PromotePolicy && KindOf(row.verb, row.object) != k:
			t.Errorf("%s: %s of a %s is %s", k, row.verb, row.object, KindOf(row.verb, row.object))
		}
		if v := k.Verdict(); v != "" && OnVerdict(v) != k && OnPrincipalVerdict(v) != k {
			t.Errorf("%s: verdict %s asks for %s", k, v, OnVerdict(v))
		}
		turns[row.turn] = k.OnUser()
	}
	if d := cmp.Diff([]Kind{ConfirmCompromised, RevokeSessions, DisableAccount, Dismiss, ConfirmSafe, DismissDetections, SafeDetections, EnableAccount, ConfirmServicePrincipalCompromised, DismissServicePrincipal}, UserTurns()); d != "" {
		t.Error(d)
	}
	for _, v := range []string{"", "leave"} {
		if k := OnVerdict(v) + OnPrincipalVerdict(v); k != "" {
			t.Errorf("verdict %q asks for %s", v, k)
		}
	}
	if k := Kind("new"); k.OnUser() || k.Words().Title != "new" || (Enforcement{Dismiss: true, ConfirmCompromised: true, DismissDetections: true, RevokeSessions: true, DisableAccount: true, ServicePrincipals: true, Policies: true, Exceptions: true, Promote: true}).Allows(k) {
		t.Error("a kind that is not known is allowed, or has no words")
	}
}
