package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// plainFlags are the usages of flags, with a flag that says yes by itself written
// as that: --help, not --help[=true|false].
func plainFlags(flags *pflag.FlagSet) string {
	plain := pflag.NewFlagSet("", pflag.ContinueOnError)
	plain.SortFlags = flags.SortFlags
	flags.VisitAll(func(f *pflag.Flag) {
		shown := *f
		if f.Value.Type() == "bool" {
			shown.Value, shown.NoOptDefVal = plainValue{f.Value}, ""
		}
		plain.AddFlag(&shown)
	})
	return plain.FlagUsages()
}

// plainValue is a value that does not say that it needs none.
type plainValue struct{ pflag.Value }

// keysAreFlags is what help says of the flags that it does not list.
const keysAreFlags = `
Every configuration key is a flag as well, for this call alone, such as
--sweep-lookback 48h or --enforcement-dismiss; risksweep config keys lists them.`

// plainUsage makes help show flags as plainFlags does, and say that keys of the
// configuration are flags.
func plainUsage(root *cobra.Command) {
	cobra.AddTemplateFunc("plainFlags", plainFlags)
	usage := root.UsageTemplate()
	usage = strings.ReplaceAll(usage, ".LocalFlags.FlagUsages", "plainFlags .LocalFlags")
	usage = strings.Replace(usage, "{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}", "{{plainFlags .InheritedFlags | trimTrailingWhitespaces}}\n"+keysAreFlags, 1)
	root.SetUsageTemplate(usage)
}
