package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version and commit are stamped by the build (-ldflags -X); without a stamp
// the module's build information stands in.
var (
	version = ""
	commit  = ""
)

// Version is what the binary calls itself.
func Version() string {
	v, _ := versionCommit()
	return v
}

func versionCommit() (v, rev string) {
	v, rev = version, commit
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return cmp.Or(v, "devel"), cmp.Or(rev, "unknown")
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && rev == "" {
			rev = s.Value
		}
	}
	if v == "" && info.Main.Version != "" && info.Main.Version != "(devel)" {
		v = info.Main.Version
	}
	return cmp.Or(v, "devel"), cmp.Or(rev, "unknown")
}

func (c *command) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, the commit and what it was built with",
		RunE: func(*cobra.Command, []string) error {
			form, err := c.form("text", "json")
			if err != nil {
				return err
			}
			v, rev := versionCommit()
			if form == "json" {
				return printJSON(c.data(), map[string]string{"version": v, "commit": rev, "go": runtime.Version(),
					"platform": runtime.GOOS + "/" + runtime.GOARCH})
			}
			_, err = fmt.Fprintf(c.Out, "risksweep %s (commit %s, %s %s/%s)\n", v, rev, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// schemaCommand prints the JSON Schema of one sort of files.
func (c *command) schemaCommand(files string, schema func() []byte) *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of " + files + " files, for editors", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := c.Out.Write(append(bytes.TrimSpace(schema()), '\n'))
			return err
		},
	}
}

// printJSON writes one indented JSON document.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
