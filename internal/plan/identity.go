package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sort"

	"github.com/risksweep/risksweep/internal/entra"
)

// identity is what must not have changed for an action of a stored plan to
// still hold: what it does to whom by which rule, and what it was based on.
func identity(a Action) string {
	key := struct {
		Kind Kind
		ID   entra.ID
		Key  string
		Rule string
		Risk *Risk
		// An account is compared by what an action on it would change.
		Enabled *bool
		Close   []SignIn
		Hash    string
		Body    any
		Out     []Exclusion
	}{Kind: a.Kind, ID: a.Subject.ID, Key: a.Subject.Key, Rule: a.Rule, Risk: a.Risk, Close: a.Close}
	if a.Account != nil {
		key.Enabled = a.Account.AccountEnabled
	}
	if a.Change != nil {
		key.Hash, key.Body = a.Change.BeforeHash, a.Change.Body
		for _, e := range a.Change.Exclusions {
			key.Out = append(key.Out, Exclusion{UserID: e.UserID, Until: e.Until})
		}
	}
	text, err := json.Marshal(key)
	if err != nil {
		// Documents hold only what JSON can hold; an action that cannot be
		// written down equals nothing.
		return "unequal:" + a.ID
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// SortDetections orders a user's detections by id, so that equal evidence is
// equal text.
func SortDetections(d []SeenDetection) {
	sort.Slice(d, func(i, j int) bool { return d[i].ID < d[j].ID })
}
