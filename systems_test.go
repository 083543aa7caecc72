package risksweep_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// systems are those that the program is built for.
var systems = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

// The whole program, with all that it imports, has the right files and types
// on every system. To build for each would compile the Graph SDK six times;
// this parses it once, and reads only the declarations of what is not ours.
func TestEverySystem(t *testing.T) {
	t.Parallel()
	sources := &sourceFiles{set: token.NewFileSet(), parsed: map[string]*ast.File{}}
	for _, system := range systems {
		goos, arch, _ := strings.Cut(system, "/")
		list := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,GoFiles,ImportMap,Module", "./cmd/job")
		list.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+arch, "CGO_ENABLED=0")
		list.Stderr = os.Stderr
		out, err := list.Output()
		if err != nil {
			t.Fatalf("%s: %v", system, err)
		}
		built := map[string]*types.Package{"unsafe": types.Unsafe}
		ours := 0
		for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
			var p sourcePackage
			if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if p.ImportPath == "unsafe" {
				continue
			}
			if p.own() {
				ours++
			}
			var wrong []error
			config := types.Config{Sizes: types.SizesFor("gc", arch), IgnoreFuncBodies: !p.own(), Importer: importMap{p.ImportMap, built}, Error: func(err error) { wrong = append(wrong, err) }}
			if p.Module != nil && p.Module.GoVersion != "" {
				config.GoVersion = "go" + p.Module.GoVersion
			}
			files, err := sources.of(p)
			if err != nil {
				t.Fatal(err)
			}
			built[p.ImportPath], _ = config.Check(p.ImportPath, sources.set, files, nil)
			if len(wrong) > 0 {
				t.Fatalf("%s: %s: %v", system, p.ImportPath, errors.Join(wrong...))
			}
		}
		if ours < 20 {
			t.Errorf("%s: only %d packages of the program were read", system, ours)
		}
	}
}

// sourcePackage is what `go list` says of a package on one system.
type sourcePackage struct {
	ImportPath, Dir string
	GoFiles         []string
	ImportMap       map[string]string
	Module          *struct{ GoVersion string }
}

func (p sourcePackage) own() bool { return strings.HasPrefix(p.ImportPath, module) }

// importMap finds what was checked before; `go list` puts a package after all
// that it imports.
type importMap struct {
	renamed map[string]string
	built   map[string]*types.Package
}

func (m importMap) Import(path string) (*types.Package, error) {
	if to, ok := m.renamed[path]; ok {
		path = to
	}
	if p := m.built[path]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%s was not listed", path)
}

// sourceFiles parses each file once for all systems.
type sourceFiles struct {
	set    *token.FileSet
	parsed map[string]*ast.File
}

func (s *sourceFiles) of(p sourcePackage) ([]*ast.File, error) {
	var files []*ast.File
	for _, name := range p.GoFiles {
		path := filepath.Join(p.Dir, name)
		f := s.parsed[path]
		if f == nil {
			var err error
			if f, err = parser.ParseFile(s.set, path, nil, parser.SkipObjectResolution); err != nil {
				return nil, err
			}
			for _, d := range f.Decls {
				if d, ok := d.(*ast.FuncDecl); ok && d.Body != nil && !p.own() {
					d.Body = &ast.BlockStmt{}
				}
			}
			s.parsed[path] = f
		}
		files = append(files, f)
	}
	return files, nil
}
