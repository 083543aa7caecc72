package risksweep_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/risksweep/risksweep/"

// room is the row of docs/architecture.md that a folder belongs to.
func room(dir string, rooms map[string]bool) string {
	for dir != "." && dir != "" {
		if rooms[dir] {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return ""
}

// floors reads the picture of the house: each package with the number of its
// line, counted from the bottom.
func floors(t *testing.T, doc string) map[string]int {
	t.Helper()
	picture := regexp.MustCompile("(?s)The house by its imports.*?```\n(.*?)```").FindStringSubmatch(doc)
	if picture == nil {
		t.Fatal("docs/architecture.md has no picture of the house")
	}
	lines := strings.Split(strings.TrimSpace(picture[1]), "\n")
	floor := map[string]int{}
	for n, line := range lines {
		names, _, _ := strings.Cut(line, "  ")
		for name := range strings.SplitSeq(names, " · ") {
			if name = strings.TrimSpace(name); !slices.Contains([]string{"cmd/job", "bench", "functions"}, name) {
				name = "internal/" + name
			}
			floor[name] = len(lines) - n
		}
	}
	return floor
}

// Every package has its row in the table of rooms, and what the table and the
// design say of imports holds: the simulated tenant and the domain's words
// import nothing of ours, pure rooms touch no network and no store, and SDKs
// stay with their adapters.
func TestRooms(t *testing.T) {
	doc, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	rooms := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z/]+)` \\|").FindAllStringSubmatch(string(doc), -1) {
		rooms[m[1]] = true
	}
	if len(rooms) < 15 {
		t.Fatalf("only %d rooms found", len(rooms))
	}
	pure := map[string]bool{"internal/triage": true, "internal/plan": true, "internal/report": true, "internal/entra": true, "internal/schedule": true, "internal/policy": true, "internal/sweep/decide": true, "internal/sweep/evidence": true, "internal/baseline": true, "internal/baseline/drift": true, "internal/baseline/adopt": true, "internal/access": true, "internal/audit": true, "internal/impact": true, "internal/expectation": true, "internal/exception": true}
	io := []string{"os", "net/http", "os/exec", module + "internal/blobstore", module + "internal/graph", module + "internal/azcred"}
	only := map[string]string{"msgraph-sdk-go": "internal/graph", "microsoft/kiota": "internal/graph", "sdk/azidentity": "internal/azcred", "sdk/storage/azblob": "internal/blobstore"}
	may := map[string]map[string]bool{"internal/cli": {module + "internal/graphsim": true}}
	// below are the rooms whose imports of ours are these alone: each stands on
	// the one before, and none looks up.
	language := []string{"internal/entra", "internal/policy"}
	files := append(slices.Clone(language), "internal/yamldoc")
	judged := append(slices.Clone(files), "internal/baseline", "internal/plan", "internal/audit")
	below := map[string][]string{"internal/policy": language[:1], "internal/audit": language, "internal/plan": append(slices.Clone(language), "internal/audit"), "internal/baseline": files,
		"internal/runs": {"internal/blobstore", "internal/ledger"}, "internal/fleet": {"internal/blobstore"}, "internal/httpapi": {"internal/runs", "internal/yamldoc"},
		"internal/sweep/evidence": {"internal/entra", "internal/triage"}, "internal/sweep/notes": {},
		"internal/sweep/recovery": append(slices.Clone(judged), "internal/baseline/drift", "internal/triage", "internal/ledger", "internal/blobstore", "internal/report", "internal/apply"),
		"internal/sweep/decide":   append(slices.Clone(judged), "internal/baseline/drift", "internal/triage", "internal/report", "internal/apply", "internal/sweep/gather", "internal/sweep/recovery"),
		"internal/baseline/drift": append(slices.Clone(judged), "internal/exception"), "internal/exception": {"internal/entra", "internal/plan", "internal/yamldoc"}, "internal/baseline/adopt": append(slices.Clone(judged), "internal/baseline/drift")}
	floor := floors(t, string(doc))
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != ".") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || !strings.Contains(path, "/") {
			return nil
		}
		dir := filepath.Dir(path)
		in := room(dir, rooms)
		if floor[in] == 0 && in != "internal/graphsim" && in != "internal/simulation" {
			t.Errorf("%s is on no line of the picture in docs/architecture.md", in)
		}
		if in == "" {
			t.Errorf("%s has no row in docs/architecture.md", dir)
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			name := strings.Trim(i.Path.Value, `"`)
			ours, isOurs := strings.CutPrefix(name, module)
			if to := room(ours, rooms); isOurs && to != in && to != "internal/graphsim" && floor[to] >= floor[in] {
				t.Errorf("%s imports %s, which the picture in docs/architecture.md does not put below it", path, name)
			}
			switch {
			case in == "internal/entra" && isOurs, in == "internal/graphsim" && isOurs && !strings.HasPrefix(ours, "internal/graphsim"):
				t.Errorf("%s imports %s", path, name)
			case strings.HasPrefix(ours, "internal/graphsim") && in != "internal/graphsim" && !may[in][module+"internal/graphsim"]:
				t.Errorf("%s imports the simulated tenant", path)
			}
			if on, ok := below[in]; ok && isOurs && !slices.Contains(on, ours) {
				t.Errorf("%s imports %s, which is not below it", path, name)
			}
			if strings.HasPrefix(in, "internal/sweep/") && ours == "internal/sweep" {
				t.Errorf("%s is a stage and imports the run", path)
			}
			if pure[in] {
				for _, bad := range io {
					if name == bad {
						t.Errorf("%s is pure and imports %s", path, name)
					}
				}
			}
			for part, home := range only {
				compared := in == "bench" && home == "internal/graph" // the SDK is what it compares with
				if strings.Contains(name, part) && in != home && !compared {
					t.Errorf("%s imports %s, which belongs to %s", path, name, home)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Some types promise a form that a conversion would not give: an id is folded
// at one door, a document is made canonical in one place. Elsewhere no text and
// no document is converted to them.
func TestFormsAreMadeInOnePlace(t *testing.T) {
	doors := map[string]string{"entra.ID": "internal/entra", "policy.Canonical": "internal/policy"}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != ".") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			to, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			room, _ := to.X.(*ast.Ident)
			if room == nil {
				return true
			}
			name := room.Name + "." + to.Sel.Name
			if home, ok := doors[name]; ok && filepath.Dir(path) != home {
				t.Errorf("%s converts to %s, which %s alone makes", files.Position(call.Pos()), name, home)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Every relative link of a document leads somewhere.
func TestLinks(t *testing.T) {
	docs, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("docs/adr/*.md")
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading := regexp.MustCompile(`(?m)^#+ (.*)$`)
	for _, doc := range append(append(docs, more...), "README.md", "CHANGELOG.md") {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			to := doc
			if file != "" {
				to = filepath.Join(filepath.Dir(doc), file)
			}
			data, err := os.ReadFile(to)
			if err != nil {
				if info, statErr := os.Stat(to); statErr != nil || !info.IsDir() {
					t.Errorf("%s: %s leads nowhere", doc, m[1])
				}
				continue
			}
			found := anchor == ""
			for _, h := range heading.FindAllStringSubmatch(string(data), -1) {
				slug := strings.ToLower(strings.ReplaceAll(h[1], " ", "-"))
				found = found || regexp.MustCompile(`[^a-z0-9_-]`).ReplaceAllString(slug, "") == anchor
			}
			if !found {
				t.Errorf("%s: %s names no heading", doc, m[1])
			}
		}
	}
}

// docs/dependencies.md names the direct modules of go.mod, and no others.
func TestDependencies(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(string(mod), -1) {
		want[m[1]] = true
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\S+)` \\| (.+) \\|$").FindAllStringSubmatch(string(doc), -1) {
		if !want[m[1]] || strings.TrimSpace(m[2]) == "?" {
			t.Errorf("%s is no direct module, or nobody says why it is there", m[1])
		}
		delete(want, m[1])
	}
	for m := range want {
		t.Errorf("%s is not in docs/dependencies.md", m)
	}
}

// The tests that docs/security.md leans on exist.
func TestSecurityClaims(t *testing.T) {
	doc, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, m := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(string(doc), -1) {
		names[m[1]] = true
	}
	if len(names) < 20 {
		t.Fatalf("only %d tests are named", len(names))
	}
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && d.Name() == "node_modules" {
			return errorOrSkip(err)
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(src), -1) {
			delete(names, m[1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range names {
		t.Errorf("%s does not exist", name)
	}
}

func errorOrSkip(err error) error {
	if err == nil {
		err = fs.SkipDir
	}
	return err
}
