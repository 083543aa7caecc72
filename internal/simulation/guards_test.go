package simulation

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	guards      = flag.String("guards", "", "packages below internal, with commas between, of which every guard is taken out, one after the other")
	guardsPart  = flag.String("guards-part", "1/1", "which part of them, such as 2/5")
	guardsSeeds = flag.Int("guards-seeds", 0, "how many seeds look for what the tests of the package do not see")
)

// Every guard of a package is taken out, one after the other: the condition of
// an if or a case is never met, a part of a condition is left out, an
// assignment is not made. It names those that no test of the package sees, nor,
// with -guards-seeds, the tests of the packages that use it:
//
//	go test ./internal/simulation -run TestGuards -guards plan,apply -timeout 3h -v
//
// What is named is not always wrong: some guards only save work, or stand before
// another one.
func TestGuards(t *testing.T) {
	if *guards == "" {
		checkGuards(t, "plan", false) // what is taken out can be built
		return
	}
	for _, pkg := range strings.Split(*guards, ",") {
		t.Run(pkg, func(t *testing.T) { checkGuards(t, pkg, true) })
	}
}

// chosenGuard names the guard that is out of order while a test binary runs.
const chosenGuard = "RISKSWEEP_GUARD_OUT"

// switches is added to the package: all guards are taken out by one build, and
// the environment says which of them is out of order.
const switches = `package %s

import "os"

var guardOut = os.Getenv(%q)

func outOfOrder(n string) bool { return guardOut == n }
`

func checkGuards(t *testing.T, pkg string, run bool) {
	dir, err := filepath.Abs(filepath.Join("..", pkg))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	replace := map[string]string{}
	write := func(file, text string) {
		to := filepath.Join(temp, filepath.Base(file))
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[file] = to
	}
	var all []guard
	name := ""
	rapid := false // its findings come from faults: they are no cases to keep
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			rapid = rapid || strings.Contains(string(src), `"pgregory.net/rapid"`)
			continue
		}
		text, found, packageName := takeOut(t, file, string(src), len(all))
		write(file, text)
		all, name = append(all, found...), packageName
	}
	write(filepath.Join(dir, "guardsout.go"), fmt.Sprintf(switches, name, chosenGuard))
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(temp, "overlay.json")
	if err := os.WriteFile(overlay, data, 0o600); err != nil {
		t.Fatal(err)
	}
	build := func(dir string) string {
		binary := filepath.Join(temp, filepath.Base(dir)+".test")
		cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, ".")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", dir, err, out)
		}
		return binary
	}
	own := build(dir)
	if !run {
		return
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	sim := ""
	if *guardsSeeds > 0 {
		sim = build(here)
	}
	patience := 10 * time.Minute // some faults never end
	seen := func(n, binary, dir string, args ...string) bool {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if rapid && binary == own {
			args = append(args, "-rapid.nofailfile")
		}
		cmd := exec.CommandContext(ctx, binary, append(args, "-test.failfast")...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), chosenGuard+"="+n)
		out, err := cmd.CombinedOutput()
		if err != nil && n == "none" {
			t.Logf("%s", out)
		}
		var failed *exec.ExitError
		if err != nil && !errors.As(err, &failed) {
			t.Fatalf("%v\n%s", err, out)
		}
		return err != nil
	}
	began := time.Now()
	if seen("none", own, dir) {
		t.Fatal("the tests fail though every guard is in order")
	}
	if sim == "" {
		patience = 20*time.Second + 5*time.Since(began)
	}
	missed, tried := 0, 0
	var part, parts int
	if _, err := fmt.Sscanf(*guardsPart, "%d/%d", &part, &parts); err != nil || part < 1 || part > parts {
		t.Fatalf("-guards-part %s: want one of its parts, such as 2/5", *guardsPart)
	}
	for n, g := range all {
		if n%parts != part-1 {
			continue
		}
		tried++
		id := fmt.Sprint(n)
		if seen(id, own, dir) || sim != "" && seen(id, sim, here, "-test.run=^Test[^GM]", "-seeds", fmt.Sprint(*guardsSeeds)) {
			continue
		}
		missed++
		t.Logf("not seen: %s:%d: %s: %s", filepath.Base(g.at.Filename), g.at.Line, g.what, g.text)
	}
	t.Logf("%s: %d of %d seen", pkg, tried-missed, tried)
}

// guard is one that can be taken out.
type guard struct {
	at         token.Position
	what, text string
}

// takeOut puts a switch at every guard of a file, numbered from a number on.
func takeOut(t *testing.T, file, src string, first int) (string, []guard, string) {
	t.Helper()
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	type edit struct {
		at, order int // of two at one place the outer one comes first
		text      string
	}
	var edits []edit
	var found []guard
	put := func(n ast.Node, what, before, after string) {
		at, end := set.Position(n.Pos()), set.Position(n.End())
		id := fmt.Sprint(first + len(found))
		text := strings.Join(strings.Fields(src[at.Offset:end.Offset]), " ")
		found = append(found, guard{at, what, text[:min(len(text), 120)]})
		edits = append(edits, edit{at.Offset, len(found), fmt.Sprintf(before, id)}, edit{end.Offset, -len(found), fmt.Sprintf(after, id)})
	}
	never := func(n ast.Expr, what string) { put(n, what, "(!outOfOrder(%q) && (", "%.0s))") }
	always := func(n ast.Expr, what string) { put(n, what, "(outOfOrder(%q) || (", "%.0s))") }
	skipped := func(n ast.Stmt) { put(n, "not done", "if !outOfOrder(%q) { ", "%.0s }") }
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			never(n.Cond, "never met")
		case *ast.SwitchStmt:
			for _, s := range n.Body.List {
				for _, e := range s.(*ast.CaseClause).List {
					if n.Tag == nil {
						never(e, "never met")
					}
				}
			}
		case *ast.BinaryExpr:
			switch n.Op {
			case token.LOR:
				never(n.X, "left out")
				never(n.Y, "left out")
			case token.LAND:
				always(n.X, "left out")
				always(n.Y, "left out")
			}
		case *ast.BlockStmt:
			skipEach(n.List, skipped)
		case *ast.CaseClause:
			skipEach(n.Body, skipped)
		}
		return true
	})
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.order, b.order)) })
	var out strings.Builder
	at := 0
	for _, e := range edits {
		out.WriteString(src[at:e.at])
		out.WriteString(e.text)
		at = e.at
	}
	out.WriteString(src[at:])
	return out.String(), found, tree.Name.Name
}

// skipEach gives the statements that can be left out: assignments to what is
// there already.
func skipEach(list []ast.Stmt, skipped func(ast.Stmt)) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.AssignStmt:
			if s.Tok != token.DEFINE {
				skipped(s)
			}
		case *ast.IncDecStmt:
			skipped(s)
		}
	}
}
