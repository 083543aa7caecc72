package cli

import (
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
)

// completion is how a shell is told what may stand at a place.
type completion = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective)

// outputs are the forms of the commands that have others than text and json.
var outputs = map[string][]string{
	"plan": {"text", "wide", "json"}, "apply": {"text", "wide", "json"}, "detections list": {"table", "wide", "json", "jsonl", "csv"}, "users list": {"table", "wide", "json", "jsonl", "csv"},
	"users history": {"table", "wide", "json", "jsonl", "csv"}, "serviceprincipals history": {"table", "wide", "json", "jsonl", "csv"}, "serviceprincipals list": {"table", "wide", "json", "jsonl", "csv"}, "coverage": {"table", "json", "csv"}, "report history": {"table", "json", "csv"}, "report actions": {"table", "json", "csv"},
	"report list": {"table", "json"}, "config show": {"table", "json"}, "config keys": {"table", "wide", "json"}, "doctor": {"table", "json"}, "baseline diff": {"text", "json", "markdown"},
}

// arguments says what the arguments of a command are; files are what a shell
// offers by itself.
func (c *command) arguments() map[string]completion {
	out := map[string]completion{
		"report show": c.oneOf(c.runNames), "report diff": c.upTo(2, c.runNames), "users history": c.oneOf(c.userNames), "serviceprincipals history": c.oneOf(c.principalNames), "triage explain": c.oneOf(c.riskyNames),
		"report history": c.oneOf(func(cmd *cobra.Command) []string { return append(c.keyNames(cmd), c.userNames(cmd)...) }),
		"baseline adopt": c.pairs,
	}
	for _, k := range plan.UserKinds() {
		out[orderPath(k)] = c.upTo(1000, c.userNames)
	}
	for _, k := range plan.PrincipalKinds() {
		out[orderPath(k)] = c.upTo(1000, c.principalNames)
	}
	return out
}

// takesFiles are the commands whose arguments are files.
var takesFiles = []string{"baseline validate", "triage validate", "whatif test"}

// completions tells the shells what each flag and argument may be.
func (c *command) completions(root *cobra.Command) {
	fixed := map[string][]string{
		"level": {"low", "medium", "high"}, "state": {"atRisk", "confirmedCompromised", "dismissed", "remediated", "confirmedSafe", "none"},
		"group-by": {"address", "network", "type", "rule", "place"}, "log-format": {"auto", "text", "json"}, "log-level": {"debug", "info", "warn", "error"},
		"kind": kindNames(), "policies": {"live", "planned"},
	}
	dynamic := map[string]func(*cobra.Command) []string{"tenant": c.tenantNames, "user": c.userNames, "plan": c.runNames}
	for _, k := range config.Reference() {
		switch {
		case k.Flag == "":
		case k.Type == "boolean":
			fixed[k.Flag] = []string{"true", "false"}
		case strings.Contains(k.Type, " | "):
			fixed[k.Flag] = strings.Split(strings.TrimPrefix(k.Type, "list of "), " | ")
		}
	}
	arguments := c.arguments()
	var each func(cmd *cobra.Command)
	each = func(cmd *cobra.Command) {
		path := strings.TrimPrefix(cmd.CommandPath(), root.Name()+" ")
		if complete, ok := arguments[path]; ok {
			cmd.ValidArgsFunction = complete
		} else if !cmd.HasSubCommands() && !slices.Contains(takesFiles, path) && cmd.ValidArgsFunction == nil {
			cmd.ValidArgsFunction = cobra.NoFileCompletions
		}
		flags := cmd.LocalNonPersistentFlags()
		if cmd == root {
			flags = cmd.PersistentFlags()
		}
		for name, values := range fixed {
			if flags.Lookup(name) != nil {
				_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
			}
		}
		for name, values := range dynamic {
			if flags.Lookup(name) != nil {
				_ = cmd.RegisterFlagCompletionFunc(name, some(values)) // the flag is there
			}
		}
		for _, sub := range cmd.Commands() {
			each(sub)
		}
	}
	each(root)
	_ = root.RegisterFlagCompletionFunc("output", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		if forms, ok := outputs[strings.TrimPrefix(cmd.CommandPath(), root.Name()+" ")]; ok {
			return forms, cobra.ShellCompDirectiveNoFileComp
		}
		return []string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp
	})
}

func kindNames() []string {
	var out []string
	for _, k := range plan.Kinds() {
		out = append(out, string(k))
	}
	return out
}

// some offers what a function finds.
func some(find func(*cobra.Command) []string) completion {
	return func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		var out []string
		for _, s := range find(cmd) {
			if len(s) >= len(begun) && strings.EqualFold(s[:len(begun)], begun) {
				out = append(out, s)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

func (c *command) oneOf(find func(*cobra.Command) []string) completion { return c.upTo(1, find) }

// upTo offers what a function finds until there are as many arguments.
func (c *command) upTo(most int, find func(*cobra.Command) []string) completion {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		found, directive := some(find)(cmd, args, begun)
		return slices.DeleteFunc(found, func(s string) bool { return slices.Contains(args, s) }), directive
	}
}

// pairs offers the keys of the baseline, each to be followed by = and an id.
func (c *command) pairs(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	found, directive := some(c.keyNames)(cmd, args, begun)
	for i := range found {
		found[i] += "="
	}
	return found, directive | cobra.ShellCompDirectiveNoSpace
}

// maxOffered bounds what a shell is offered.
const maxOffered = 500

// tenantNames are the names of the configuration. What cannot be read offers
// nothing: a shell has no place for errors.
func (c *command) tenantNames(cmd *cobra.Command) []string {
	c.tenants = nil
	cfg, err := c.loadConfig(cmd, config.ToRead)
	if err != nil {
		return nil
	}
	var out []string
	for _, t := range cfg.Tenants {
		out = append(out, t.Name)
	}
	return out
}

// quiet opens the store of the one tenant that is meant.
func (c *command) quiet(cmd *cobra.Command) (*app.App, *ledger.Ledger, config.Tenant) {
	c.Err = io.Discard
	a, t, err := c.openOne(cmd, config.ToRead)
	if err != nil {
		return nil, nil, t
	}
	return a, a.Ledger(t.Name), t
}

func (c *command) runNames(cmd *cobra.Command) []string {
	_, l, _ := c.quiet(cmd)
	if l == nil {
		return nil
	}
	ids, err := l.RunIDs(cmd.Context(), maxOffered)
	if err != nil {
		return nil
	}
	return ids
}

// principalNames are the risky service principals of the last sweep.
func (c *command) principalNames(cmd *cobra.Command) []string {
	return offered(c, cmd, "serviceprincipals.jsonl", func(p struct{ DisplayName string }) string { return p.DisplayName })
}

// riskyNames are all of whom the last sweep has seen risk.
func (c *command) riskyNames(cmd *cobra.Command) []string {
	return append(c.userNames(cmd), c.principalNames(cmd)...)
}

// userNames are the risky users of the last sweep.
func (c *command) userNames(cmd *cobra.Command) []string {
	return offered(c, cmd, "users.jsonl", func(u report.UserLine) string { return u.Name })
}

// offered are the names in the lines of a file of the last sweep.
func offered[T any](c *command, cmd *cobra.Command, file string, name func(T) string) []string {
	_, l, _ := c.quiet(cmd)
	if l == nil {
		return nil
	}
	run, err := lastSweep(cmd, l)
	if err != nil {
		return nil
	}
	in, _, err := l.OpenProved(cmd.Context(), run, file)
	if err != nil {
		return nil
	}
	defer in.Close()
	var out []string
	for line, err := range report.ReadLines[T](in) {
		if err != nil || len(out) == maxOffered {
			break
		}
		if n := name(line); n != "" {
			out = append(out, n)
		}
	}
	return out
}

// keyNames are the keys of the baseline.
func (c *command) keyNames(cmd *cobra.Command) []string {
	a, _, t := c.quiet(cmd)
	if a == nil || t.Baseline == "" {
		return nil
	}
	b, problems := a.Baseline(t)
	if problems.Err() != nil {
		return nil
	}
	keys := map[string]bool{}
	for _, it := range b.Items() {
		keys[it.Key] = true
	}
	return slices.Sorted(maps.Keys(keys))
}
