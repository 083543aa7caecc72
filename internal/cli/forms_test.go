package cli

import (
	"bytes"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// Every command that answers something answers as JSON too, and says so before it
// does anything; those with one form stand in a list with the reason, and refuse -o.
func TestEveryCommandAnswersAsJSON(t *testing.T) {
	t.Chdir(t.TempDir())
	sys := Sys{In: strings.NewReader(""), Now: time.Now, Env: func(string) (string, bool) { return "", false }}
	root := (&command{Sys: sys}).root()
	placeholder := regexp.MustCompile(`\b[A-Z]+([|=][A-Z]+)*\b`)
	seen := map[string]bool{}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		path := pathOf(cmd)
		if path == "" || cmd.Name() == "completion" || cmd.Parent().Name() == "completion" || cmd.HasSubCommands() && oneForm[path] == "" && !slices.Contains(onlyJSON, path) {
			return // a group of commands shows its help
		}
		seen[path] = true
		args := strings.Fields(path)
		_, takes, _ := strings.Cut(cmd.Use, " ")
		for range placeholder.FindAllString(takes, -1) {
			args = append(args, "x")
		}
		var out bytes.Buffer
		sys.Out, sys.Err = &out, &out
		code := Run(context.Background(), append(args, "-o", "nonsense"), sys)
		text := out.String()
		switch _, one := oneForm[path]; {
		case code != ExitUsage:
			t.Errorf("%s -o nonsense: exit code %d\n%s", path, code, text)
		case one && !strings.Contains(text, "takes none: "):
			t.Errorf("%s has one form and does not say so:\n%s", path, text)
		case !one && (!strings.Contains(text, `-o "nonsense" is none of `) || !regexp.MustCompile(`\bjson\b`).MatchString(text)):
			t.Errorf("%s does not answer as JSON:\n%s", path, text)
		}
	}
	root.InitDefaultHelpCmd()
	walk(root)
	if len(seen) < 30 {
		t.Errorf("only %d commands found", len(seen))
	}
	for path := range oneForm {
		if !seen[path] {
			t.Errorf("there is no command %s", path)
		}
	}
}

// othersNames are rooms whose JSON has names that others gave it.
var othersNames = map[string]string{
	"report/ocsf":    "the Open Cybersecurity Schema Framework",
	"azcred":         "OAuth 2.0",
	"graph/":         "Microsoft Graph",
	"graphsim/":      "Microsoft Graph and OAuth 2.0",
	"notice/":        "Teams and Slack",
	"entra/":         "Microsoft Graph",
	"doctor/":        "the claims of tokens",
	"functions/":     "the Functions host",
	"httpapi/auth":   "the claims of tokens",
	"blobstore/azur": "Azure",
}

// All JSON of ours is in camelCase: every member has a name, and it is one.
func TestJSONIsCamelCase(t *testing.T) {
	camel := regexp.MustCompile(`^([a-z][A-Za-z0-9]*|\$schema)$`)
	n := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && slices.Contains([]string{"testdata", "node_modules", "simulation"}, d.Name()) {
			if d != nil && d.IsDir() && err == nil {
				return fs.SkipDir
			}
			return err
		}
		rel := strings.TrimPrefix(filepath.ToSlash(path), "../")
		if !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") {
			return nil
		}
		for prefix := range othersNames {
			if strings.HasPrefix(rel, prefix) {
				return nil
			}
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(node ast.Node) bool {
			s, ok := node.(*ast.StructType)
			if !ok {
				return true
			}
			tagged := slices.ContainsFunc(s.Fields.List, func(x *ast.Field) bool { return x.Tag != nil && strings.Contains(x.Tag.Value, `json:"`) })
			for _, x := range s.Fields.List {
				if !tagged || len(x.Names) == 0 || !x.Names[0].IsExported() {
					continue
				}
				at := files.Position(x.Pos())
				if x.Tag == nil {
					t.Errorf("%s: %s has no name in JSON", at, x.Names[0].Name)
					continue
				}
				text, err := strconv.Unquote(x.Tag.Value)
				if err != nil {
					t.Fatal(err)
				}
				name, _, _ := strings.Cut(reflect.StructTag(text).Get("json"), ",")
				if n++; name != "-" && !camel.MatchString(name) {
					t.Errorf("%s: %s is called %q in JSON", at, x.Names[0].Name, name)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || n < 300 {
		t.Errorf("%v, %d members found", err, n)
	}
}
