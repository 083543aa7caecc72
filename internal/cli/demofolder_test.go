package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOnlyADemoAsItWasIsReplaced(t *testing.T) {
	out := t.TempDir()
	put := func(name, text string) {
		path := filepath.Join(out, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	may := func(want string) {
		t.Helper()
		err := emptyOrOurs(out)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	may("")
	put("configuration/risksweep.yaml", "a user's own")
	may("holds other files")
	put("contoso/latest.json", "{}")
	if err := recordDemo(out); err != nil {
		t.Fatal(err)
	}
	put("contoso/runs/2/report.json", "{}")
	may("is not of the demo: contoso/runs/2/report.json")
	put("contoso/latest.json", "{ }")
	may("changed since the last demo: contoso/latest.json, and what is not of the demo")
	if err := os.Remove(filepath.Join(out, "contoso/runs/2/report.json")); err != nil {
		t.Fatal(err)
	}
	put("contoso/latest.json", "{}")
	may("")
	if left, err := os.ReadDir(out); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
