package daemon

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// docs/operate.md has one row for each metric of ours, with what it says.
func TestEveryMetricIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	m := newMetrics(withDefaults(newWorld("contoso").options(t)))
	descs := make(chan *prometheus.Desc, 100)
	m.registry.Describe(descs)
	close(descs)
	name := regexp.MustCompile(`fqName: "(risksweep_\w+)", help: "([^"]*)"`)
	known := map[string]bool{}
	for d := range descs {
		f := name.FindStringSubmatch(d.String())
		if f == nil {
			continue
		}
		known[f[1]] = true
		if row := "| `" + f[1] + "` | " + f[2] + " |"; !strings.Contains(string(doc), row) {
			t.Errorf("no row %s", row)
		}
	}
	if len(known) < 10 {
		t.Errorf("only %d metrics found", len(known))
	}
	for _, n := range regexp.MustCompile(`risksweep_\w+`).FindAllString(string(doc), -1) {
		if !known[n] {
			t.Errorf("%s is documented and does not exist", n)
		}
	}
}
