package cli_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// graphCall sends one request to the tenant as somebody in the portal does.
func graphCall(ts *testscript.TestScript, method, path, body string, into any) {
	req, err := http.NewRequest(method, ts.Getenv("SIM")+path, strings.NewReader(body))
	ts.Check(err)
	req.Header.Set("Authorization", "Bearer "+ts.Getenv("SIM_TOKEN"))
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	ts.Check(err)
	if res.StatusCode >= 300 {
		ts.Fatalf("%s %s: %s\n%s", method, path, res.Status, data)
	}
	if into != nil {
		ts.Check(json.Unmarshal(data, into))
	}
}

type named struct{ ID, DisplayName string }

// places are where objects are, the deleted ones last.
var places = []string{"/identity/conditionalAccess/policies", "/identity/conditionalAccess/namedLocations", "/policies/authenticationStrengthPolicies",
	"/identity/conditionalAccess/deletedItems/policies"}

// byHand changes an object as a person does in the portal: `byhand NAME BODY`,
// `byhand NAME delete`, `byhand NAME restore`, or `byhand NAME purge` for one that
// is deleted already. The name may be the beginning
// of one.
func byHand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: byhand NAME BODY|delete|restore|purge")
	}
	list := places[:3]
	if args[1] == "restore" || args[1] == "purge" {
		list = places[3:]
	}
	for _, place := range list {
		var page struct{ Value []named }
		graphCall(ts, http.MethodGet, place, "", &page)
		for i := len(page.Value) - 1; i >= 0; i-- {
			o := page.Value[i]
			if !strings.HasPrefix(o.DisplayName, args[0]) {
				continue
			}
			switch {
			case args[1] == "delete", args[1] == "purge":
				graphCall(ts, http.MethodDelete, place+"/"+o.ID, "", nil)
			case args[1] == "restore":
				restoreByHand(ts, place+"/"+o.ID+"/restore")
			case strings.Contains(args[1], "allowedCombinations"):
				graphCall(ts, http.MethodPost, place+"/"+o.ID+"/updateAllowedCombinations", args[1], nil)
			default:
				graphCall(ts, http.MethodPatch, place+"/"+o.ID, args[1], nil)
			}
			return
		}
	}
	ts.Fatalf("nothing is named %s", args[0])
}

// restoreByHand takes an object out of the bin, which only persons may do.
func restoreByHand(ts *testscript.TestScript, path string) {
	order, err := json.Marshal(map[string]string{"userPrincipalName": "bg1@contoso.com", "method": http.MethodPost, "path": path})
	ts.Check(err)
	res, err := http.Post(strings.TrimSuffix(ts.Getenv("SIM"), "/v1.0")+"/_sim/act", "application/json", bytes.NewReader(order))
	ts.Check(err)
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		answer, _ := io.ReadAll(res.Body)
		ts.Fatalf("POST %s: %d %s", path, res.StatusCode, answer)
	}
}

// mended applies, and checks that one request mended the drift and that nothing
// is left to do.
func mended(ts *testscript.TestScript, neg bool, args []string) {
	writes := func() (out []string) {
		var journal []struct{ Method, Path string }
		url := strings.TrimSuffix(ts.Getenv("SIM"), "/v1.0") + "/_sim/journal"
		res, err := http.Get(url)
		ts.Check(err)
		defer res.Body.Close()
		ts.Check(json.NewDecoder(res.Body).Decode(&journal))
		for _, e := range journal {
			out = append(out, e.Method+" "+e.Path)
		}
		return out
	}
	before := len(writes())
	ts.Check(ts.Exec("risksweep", "apply"))
	sent := writes()[before:]
	if len(sent) != 1 || !strings.HasPrefix(sent[0], "PATCH ") && !strings.HasSuffix(sent[0], "/updateAllowedCombinations") {
		ts.Fatalf("the apply sent %q", sent)
	}
	ts.Check(ts.Exec("risksweep", "plan", "--exit-code"))
}

// adoptID adopts the object that an answer of the tenant shows: `adoptid KEY
// FILE`.
func adoptID(ts *testscript.TestScript, neg bool, args []string) {
	var o named
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &o))
	ts.Check(ts.Exec("risksweep", "baseline", "adopt", args[0]+"="+o.ID))
}

// byteOrderMark puts the mark before a file, as some editors do.
func byteOrderMark(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte("\ufeff"+ts.ReadFile(args[0])), 0o644))
}
