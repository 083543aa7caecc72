package baseline

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// Load reads a file, or the *.yaml, *.yml and *.json files of a folder and its
// sub-folders in the order of their names as one baseline, and reports every
// mistake at once. The baseline is nil if there is one that is not a warning.
func Load(fsys fs.FS, name string) (*Baseline, yamldoc.Problems) {
	files, err := list(fsys, name)
	if err != nil {
		return nil, yamldoc.Problems{{File: name, Message: plainError(err)}}
	}
	if len(files) == 0 {
		return nil, yamldoc.Problems{{File: name, Message: "holds no *.yaml, *.yml or *.json file"}}
	}
	l := &loader{}
	for _, f := range files {
		data, err := fs.ReadFile(fsys, f)
		if err != nil {
			l.AddProblem(yamldoc.Problem{File: f, Message: plainError(err)})
			continue
		}
		l.file(f, data)
	}
	return l.finish()
}

// Parse reads one text as a whole baseline.
func Parse(file string, data []byte) (*Baseline, yamldoc.Problems) {
	l := &loader{}
	l.file(file, data)
	return l.finish()
}

func list(fsys fs.FS, name string) ([]string, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{name}, nil
	}
	var files []string
	err = fs.WalkDir(fsys, name, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p == name:
			return nil
		case strings.HasPrefix(d.Name(), "."): // editors, version control, mounted volumes
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		case isBaselineName(d.Name()):
			files = append(files, p)
		case d.Type()&fs.ModeSymlink != 0:
			if info, err := fs.Stat(fsys, p); err == nil && info.IsDir() {
				return &fs.PathError{Op: "read", Path: p, Err: fmt.Errorf("%s is a link to a folder; put its files here", p)}
			}
		}
		return nil
	})
	slices.Sort(files)
	return files, err
}

// isBaselineName leaves out what is no baseline, and the schema that editors
// may want to find beside it.
func isBaselineName(name string) bool {
	name = strings.ToLower(name)
	switch path.Ext(name) {
	case ".yaml", ".yml":
		return true
	case ".json":
		return !strings.HasSuffix(name, ".schema.json")
	}
	return false
}

// plainError leaves the path out: the problem names the file already.
func plainError(err error) string {
	if pe, ok := err.(*fs.PathError); ok {
		return fmt.Sprintf("cannot be read: %v", pe.Err)
	}
	return fmt.Sprintf("cannot be read: %v", err)
}

// loader gathers items and problems over all files.
type loader struct {
	yamldoc.Collector
	b           Baseline
	breakGlass  *yamldoc.Node
	brokenGlass bool // it cannot be read, so nothing is said of who is missing
}

func (l *loader) file(name string, data []byte) {
	n, problems := yamldoc.Parse(name, data)
	l.AddProblem(problems...)
	if n != nil {
		l.document(n)
	}
}

// The keys of a baseline file.
var topKeys = []string{"$schema", "breakGlass", "namedLocations", "authenticationStrengths", "policies"}

// document takes a baseline file, or what the portal and Graph Explorer give:
// one object, a list of them, or a list within "value".
func (l *loader) document(n *yamldoc.Node) {
	switch {
	case n.Kind == yamldoc.Null:
	case n.Kind == yamldoc.Sequence:
		l.pasted(n)
	case n.Kind != yamldoc.Mapping:
		l.Add(n, "must be a baseline, a policy or a list of policies, not %s", n.Kind)
	case n.Get("value") != nil && !isBaselineFile(n):
		l.pasted(l.wrapped(n))
	case !isBaselineFile(n) && kindOf(n) == entra.KindPolicy && l.ownWords(n):
	case !isBaselineFile(n) && kindOf(n) != "":
		l.item(kindOf(n), n)
	case !isBaselineFile(n) && l.foreign(n):
	default:
		l.baselineFile(n)
	}
}

func isBaselineFile(n *yamldoc.Node) bool {
	for _, k := range topKeys[1:] {
		if n.Get(k) != nil {
			return true
		}
	}
	return false
}

// kindOf tells from its members what a pasted object is.
func kindOf(n *yamldoc.Node) entra.ObjectKind {
	for _, c := range []struct {
		kind entra.ObjectKind
		keys []string
	}{
		{entra.KindLocation, []string{"ipRanges", "countriesAndRegions", "countryLookupMethod", "isTrusted"}},
		{entra.KindStrength, []string{"allowedCombinations"}},
		{entra.KindPolicy, []string{"conditions", "grantControls", "sessionControls", "state"}},
	} {
		for _, k := range c.keys {
			if n.Get(k) != nil {
				return c.kind
			}
		}
	}
	if t := n.Get("@odata.type"); t != nil && strings.HasSuffix(strings.ToLower(t.Value), "namedlocation") {
		return entra.KindLocation
	}
	return ""
}

// wrapped is the list within the answer of a list request. An answer that
// goes on on another page is half a list.
func (l *loader) wrapped(n *yamldoc.Node) *yamldoc.Node {
	for i, k := range n.Keys {
		switch {
		case k.Value == "@odata.nextLink" && n.Values[i].Kind != yamldoc.Null:
			l.Add(k, "this is one page of a longer list; the rest is missing")
		case k.Value != "value" && !policy.IsAnnotation(k.Value):
			l.Suggest(k, k.Value, []string{"value"}, "unknown key beside value")
		}
	}
	return n.Get("value")
}

func (l *loader) pasted(n *yamldoc.Node) {
	items, _ := l.Items(n)
	for _, it := range items {
		switch kind := kindOf(it); {
		case it.Kind != yamldoc.Mapping:
			l.Add(it, "must be a policy, a named location or an authentication strength, not %s", it.Kind)
		case kind == "" && l.foreign(it):
		case kind == entra.KindPolicy && l.ownWords(it):
		case kind == "":
			l.Add(it, "is neither a policy (conditions), a named location (ipRanges, countriesAndRegions) nor an authentication strength (allowedCombinations)")
		default:
			l.item(kind, it)
		}
	}
}

func (l *loader) baselineFile(n *yamldoc.Node) {
	for _, k := range n.Keys {
		if !slices.Contains(topKeys, k.Value) && !policy.IsAnnotation(k.Value) {
			l.Suggest(k, k.Value, topKeys[1:], "unknown key")
		}
	}
	if s := n.Get("$schema"); s != nil {
		l.String(s)
	}
	l.readBreakGlass(n.Get("breakGlass"))
	l.section(entra.KindLocation, n.Get("namedLocations"))
	l.section(entra.KindStrength, n.Get("authenticationStrengths"))
	l.section(entra.KindPolicy, n.Get("policies"))
}

// section reads the list of one kind; also the answer of a list request as it
// is.
func (l *loader) section(kind entra.ObjectKind, n *yamldoc.Node) {
	if n == nil || n.Kind == yamldoc.Null {
		return // an empty section, its entries commented out
	}
	if n.Get("value") != nil {
		n = l.wrapped(n)
	}
	items, _ := l.Items(n)
	for _, it := range items {
		l.item(kind, it)
	}
}

func (l *loader) readBreakGlass(n *yamldoc.Node) {
	if n == nil {
		return
	}
	if l.breakGlass != nil {
		l.Add(n, "breakGlass stands already in %s:%d", l.breakGlass.File, l.breakGlass.Line)
		return
	}
	l.breakGlass = n
	before := len(l.Problems().Errors())
	if l.Fields(n, "users", "groups", "testEvery") {
		l.b.BreakGlass.Users = l.names(n.Get("users"), true)
		l.b.BreakGlass.Groups = l.names(n.Get("groups"), false)
		if at := n.Get("testEvery"); at != nil {
			l.b.BreakGlass.TestEvery, _ = l.period(at, maxTestDays, "")
		}
	}
	l.brokenGlass = len(l.Problems().Errors()) > before
}

// names reads a list of names, each once and none empty.
func (l *loader) names(n *yamldoc.Node, users bool) []string {
	items, ok := l.Items(n)
	if !ok {
		return nil
	}
	var out []string
	for _, it := range items {
		s, ok := l.String(it)
		switch {
		case !ok:
		case strings.TrimSpace(s) == "" || strings.Contains(s, "{{"):
			l.Add(it, "must be a name or an id")
		case users && !entra.IsUserName(s):
			l.Add(it, "%q is neither a user principal name nor an object id", s)
		case slices.ContainsFunc(out, func(o string) bool { return strings.EqualFold(o, s) }):
			l.Add(it, "%q stands here twice", s)
		default:
			if entra.IsID(s) {
				s = strings.ToLower(s)
			}
			out = append(out, s)
		}
	}
	return out
}

func (l *loader) finish() (*Baseline, yamldoc.Problems) {
	l.crossCheck()
	problems := l.Problems()
	if problems.Err() != nil {
		return nil, problems
	}
	return &l.b, problems
}
