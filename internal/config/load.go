package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/risksweep/risksweep/internal/yamldoc"
)

// LoadOptions is all that Load reads from.
type LoadOptions struct {
	// File is the configuration file; empty means RISKSWEEP_CONFIG, else
	// DefaultFile.
	File string
	// Explicit says that File was asked for, so that it must be there. Without
	// it the default file may be missing where RISKSWEEP_TENANTS is set.
	Explicit bool
	// Env looks up a variable; nil means the ones of Environ.
	Env func(string) (string, bool)
	// Environ lists the environment as NAME=VALUE, to find misspelt variables.
	Environ []string
	// KnownEnv are RISKSWEEP_ variables that others read.
	KnownEnv []string
	// Flags are the flags that were given, by key: "store.url".
	Flags map[string]string
	// Tenants selects tenants by name; none: all.
	Tenants []string
	// Use says what for, and so which files and secrets must be there.
	Use Use
	// ReadFile opens files; nil means os.ReadFile.
	ReadFile func(string) ([]byte, error)
	// WorkDir is what paths in variables and flags are relative to; empty
	// means the working folder of the process.
	WorkDir string
}

// Use is what a configuration is loaded for.
type Use int

const (
	ToSweep  Use = iota // every file and secret must be there
	ToCheck             // a secret that is not there is a warning
	ToRead              // reports only: nothing is needed but the store's own
	ToExport            // the tenant alone is asked: its baseline and triage file need not be there yet
)

// Load reads the configuration. The Config is complete only if the problems
// hold no error; it is never nil.
func Load(opts LoadOptions) (*Config, yamldoc.Problems) {
	opts = withDefaults(opts)
	r := &reader{opts: opts, named: map[string]bool{}}
	cfg := &Config{}
	if opts.Explicit {
		if named, _ := opts.Env(EnvConfig); named == opts.File && !r.resolved(EnvConfig, named) {
			return &Config{}, r.Problems()
		}
	}
	root := r.file(cfg)
	given := map[string]*yamldoc.Node{}

	for _, f := range keys {
		if f.preset != "" {
			f.set(r, f.node("default", f.name, f.preset), cfg)
		}
	}
	if root != nil && root.Kind != yamldoc.Null {
		readSection(r, root, "", keys, cfg, given, "tenants", "notices")
	}
	r.environment(cfg, given)
	r.flags(cfg, given)
	cfg.Store.Credential.Absent = r.absent

	tenants := r.list("tenants", EnvTenants, root)
	notices := r.list("notices", EnvNotices, root)
	cfg.settings = append(cfg.settings, r.tenants(cfg, tenants, root)...)
	cfg.settings = append(cfg.settings, r.settings(cfg, given)...)
	cfg.settings = append(cfg.settings, r.notices(cfg, notices, tenants)...)
	r.crossCheck(cfg, given)
	r.misspeltVariables()
	r.unresolvedVariables(cfg)
	return cfg, r.Problems()
}

func withDefaults(opts LoadOptions) LoadOptions {
	if opts.Env == nil {
		environ := map[string]string{}
		for _, e := range opts.Environ {
			name, value, _ := strings.Cut(e, "=")
			environ[name] = value
		}
		opts.Env = func(name string) (string, bool) { v, ok := environ[name]; return v, ok }
	}
	if opts.ReadFile == nil {
		opts.ReadFile = os.ReadFile
	}
	if !opts.Explicit {
		if named, _ := opts.Env(EnvConfig); named != "" {
			opts.File, opts.Explicit = named, true
		}
	}
	if opts.File == "" {
		opts.File = DefaultFile
	}
	if abs, err := filepath.Abs(opts.WorkDir); err == nil {
		opts.WorkDir = abs
	}
	return opts
}

// reader is one Load.
type reader struct {
	yamldoc.Collector
	opts  LoadOptions
	dir   string          // of the configuration file
	named map[string]bool // variables that the file names
	// unswept says that the tenant at hand will not be swept: its files and
	// secrets need not be there.
	unswept bool
	// absent says that a secret of the tenant or store at hand is not there.
	absent bool
}

// file reads the configuration file; nil if there is none or it cannot be
// read.
func (r *reader) file(cfg *Config) *yamldoc.Node {
	cfg.Dir, r.dir = r.opts.WorkDir, r.opts.WorkDir
	full := r.opts.File
	if !filepath.IsAbs(full) {
		full = filepath.Join(r.opts.WorkDir, full)
	}
	data, err := r.opts.ReadFile(full)
	if err != nil {
		tenants, _ := r.opts.Env(EnvTenants)
		missing := errors.Is(err, fs.ErrNotExist)
		switch {
		case missing && !r.opts.Explicit && tenants != "":
			return nil
		case missing && !r.opts.Explicit:
			r.AddProblem(yamldoc.Problem{File: r.opts.File, Message: "there is no such file here: name the configuration with --config FILE or " + EnvConfig +
				", or see the whole job without any configuration: risksweep demo"})
		case missing:
			r.AddProblem(yamldoc.Problem{File: r.opts.File, Message: "there is no such file"})
		default:
			r.AddProblem(yamldoc.Problem{File: r.opts.File, Message: "cannot be read: " + reason(err)})
		}
		return nil
	}
	cfg.File, cfg.Dir, r.dir = r.opts.File, filepath.Dir(full), filepath.Dir(full)
	root, problems := yamldoc.Parse(r.opts.File, data)
	r.AddProblem(problems...)
	return root
}

// reason is an I/O error without the path, which the message names already.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return err.Error()
}

// readSection reads the members of a mapping into to, and keeps the node of
// each in given.
func readSection[T any](r *reader, n *yamldoc.Node, prefix string, fields []field[T], to *T, given map[string]*yamldoc.Node, others ...string) {
	known := append([]string(nil), others...)
	at := map[string]*field[T]{}
	for i, f := range fields {
		rest, below := strings.CutPrefix(f.name, prefix)
		if !below {
			continue
		}
		first, _, nested := strings.Cut(rest, ".")
		if _, seen := at[first]; !seen {
			known = append(known, first)
			at[first] = nil
		}
		if !nested {
			at[first] = &fields[i]
		}
	}
	if !r.Fields(n, known...) {
		return
	}
	for i, k := range n.Keys {
		f, ok := at[k.Value]
		switch {
		case !ok: // unknown, or one of the others
		case f == nil:
			readSection(r, n.Values[i], prefix+k.Value+".", fields, to, given)
		default:
			given[f.name] = n.Values[i]
			f.set(r, n.Values[i], to)
		}
	}
}

// environment reads the variables of all keys. An empty variable is not given.
func (r *reader) environment(cfg *Config, given map[string]*yamldoc.Node) {
	for _, f := range keys {
		name := EnvName(f.name)
		if value, _ := r.opts.Env(name); value != "" && (f.secret || r.resolved(name, value)) {
			n := f.node(name, f.name, value)
			given[f.name] = n
			f.set(r, n, cfg)
		}
	}
	if value, _ := r.opts.Env(EnvConnectionString); value != "" && cfg.Store.Credential.Kind == KindConnectionString && given["store.credential.connectionString"] == nil {
		n := &yamldoc.Node{File: EnvConnectionString, Path: "store.credential.connectionString", Kind: yamldoc.String, Value: value}
		given["store.credential.connectionString"] = n
		cfg.Store.Credential.ConnectionString = r.secret(n, false)
	}
}

func (r *reader) flags(cfg *Config, given map[string]*yamldoc.Node) {
	byName, names := map[string]field[Config]{}, []string(nil)
	for _, f := range keys {
		byName[f.name], names = f, append(names, f.name)
	}
	var order []string
	for key := range r.opts.Flags {
		order = append(order, key)
	}
	sort.Strings(order)
	for _, key := range order {
		f, ok := byName[key]
		source := "--" + FlagName(key)
		if !ok {
			r.AddProblem(yamldoc.Problem{File: source, Message: "is no flag of the configuration", Offending: key, Suggestion: yamldoc.Nearest(key, names)})
			continue
		}
		if f.secret {
			r.AddProblem(yamldoc.Problem{File: source, Message: "a secret is no flag, it would show in the list of processes; set " + EnvName(key)})
			continue
		}
		n := f.node(source, key, r.opts.Flags[key])
		given[key] = n
		f.set(r, n, cfg)
	}
}

// list finds the node of tenants or notices, in the variable or the file.
func (r *reader) list(key, env string, root *yamldoc.Node) *yamldoc.Node {
	value, _ := r.opts.Env(env)
	if value == "" {
		return root.Get(key)
	}
	if !r.resolved(env, value) {
		return nil
	}
	n, problems := yamldoc.Parse(env, []byte(value))
	r.AddProblem(problems...)
	if n == nil {
		return &yamldoc.Node{File: env, Path: key, Kind: yamldoc.Sequence}
	}
	n.Root(key)
	return n
}

// absolute resolves a path against the folder of what names it.
func (r *reader) absolute(n *yamldoc.Node, path string) string {
	switch {
	case path == "" || filepath.IsAbs(path):
		return path
	case n.File == r.opts.File || n.File == "default":
		return filepath.Join(r.dir, path)
	}
	return filepath.Join(r.opts.WorkDir, path)
}

// source says where a node came from.
func (r *reader) source(n *yamldoc.Node) string {
	switch {
	case n == nil:
		return "default"
	case strings.HasPrefix(n.File, "--"):
		return "flag " + n.File
	case n.File == r.opts.File:
		return fmt.Sprintf("file %s:%d", n.File, n.Line)
	}
	return "environment " + n.File
}

func (r *reader) settings(cfg *Config, given map[string]*yamldoc.Node) []Setting {
	settings := make([]Setting, len(keys))
	for i, f := range keys {
		settings[i] = Setting{Key: f.name, Value: f.get(cfg), Source: r.source(given[f.name])}
	}
	return settings
}

// misspeltVariables warns of RISKSWEEP_ variables that nothing reads.
func (r *reader) misspeltVariables() {
	known := append([]string{EnvConfig, EnvTenants, EnvNotices, EnvConnectionString, EnvNCRONTAB}, r.opts.KnownEnv...)
	for _, f := range keys {
		known = append(known, EnvName(f.name))
	}
	for _, e := range r.opts.Environ {
		name, _, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, "RISKSWEEP_") && !slices.Contains(known, name) && !r.named[name] {
			r.AddProblem(yamldoc.Problem{File: name, Warning: true, Message: "nothing reads this variable", Offending: name, Suggestion: yamldoc.Nearest(name, known)})
		}
	}
}
