package adopt

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

// An export steers no terminal, reads back the same, and says what it left out.
func TestExportOfNamesThatSteerATerminal(t *testing.T) {
	const name = "CA077 \x1b[2J \u202e evil \u009b2J\nnext: line"
	var live drift.Live
	for _, n := range []string{name, "Twice", "twice"} {
		quoted, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		var d entra.Document
		if err := json.Unmarshal([]byte(`{"id":"a0000000-0000-0000-0000-000000000001","displayName":`+string(quoted)+`,"state":"disabled","conditions":{"clientAppTypes":["all"],"applications":{"includeApplications":["All"]},
			"users":{"includeUsers":["All"]}},"grantControls":{"operator":"OR","builtInControls":["mfa"]}}`), &d); err != nil {
			t.Fatal(err)
		}
		live.Policies = append(live.Policies, d)
	}
	e, err := Export(live, nil)
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.ReplaceAll(string(e.Text), "\n", ""); policy.Visible(text) != text {
		t.Errorf("%q", e.Text)
	}
	b, problems := baseline.Parse("export", e.Text)
	if problems.Err() != nil || len(b.Policies) != 1 || b.Policies[0].Want["displayName"] != name {
		t.Errorf("%v in\n%s", problems.Err(), e.Text)
	}
	if e.Written != 1 || len(e.Left) != 2 || !strings.HasPrefix(e.Left[0], "policy Twice (a0000000-0000-0000-0000-000000000001): 2 objects have this name") {
		t.Errorf("%+v", e)
	}
}
