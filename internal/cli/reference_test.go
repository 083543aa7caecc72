package cli

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/risksweep/risksweep/internal/config"
)

var update = flag.Bool("update", false, "write docs/reference.md anew")

// docs/reference.md is made from the code: go test ./internal/cli -run
// TestReferenceDocument -update
func TestReferenceDocument(t *testing.T) {
	const file = "../../docs/reference.md"
	want := reference(t)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/reference.md is not what the code says (-code +document); run with -update:\n%s", diff)
	}
}

func reference(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("# Reference\n\nMade from the code by a test; what each part is for stands in the other documents.\n")
	none := func(string) (string, bool) { return "", false }
	root := (&command{Sys: Sys{Out: io.Discard, Err: io.Discard, Env: none}}).root()
	b.WriteString("\n## Commands\n\nFlags of every command:\n\n")
	flagTable(&b, root.PersistentFlags())
	b.WriteString("\nEvery configuration key below is a flag of every command as well.\n")
	commandReference(&b, root)
	b.WriteString("\n## Configuration\n\nA flag beats the environment, the environment the file, the file the default.\n\n| key | type | default | environment | flag | |\n|---|---|---|---|---|---|\n")
	for _, k := range config.Reference() {
		long := ""
		if k.Flag != "" {
			long = code("--" + k.Flag)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", code(k.Key), k.Type, code(k.Default), code(k.Env), long, cell(k.Doc))
	}
	b.WriteString("\n## Exit codes\n\n| code | |\n|---|---|\n")
	for _, e := range ExitCodes {
		fmt.Fprintf(&b, "| %d | %s |\n", e.Code, cell(e.Text))
	}
	b.WriteString("\n## Schemas\n\nJSON Schema, draft 2020-12, one for each JSON file of the store.\n\n| schema | describes |\n|---|---|\n")
	schemas, err := filepath.Glob("../../docs/schema/*.json")
	if err != nil || len(schemas) == 0 {
		t.Fatalf("no schemas: %v", err)
	}
	for _, s := range schemas {
		data, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		var head struct{ Title, Description string }
		if err := json.Unmarshal(data, &head); err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(s)
		fmt.Fprintf(&b, "| [%s](schema/%s) | %s: %s |\n", name, name, code(head.Title), cell(head.Description))
	}
	return b.String()
}

func commandReference(b *strings.Builder, cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		if sub.Name() == "help" || sub.Hidden {
			continue
		}
		if sub.HasSubCommands() && sub.Name() != "functions" {
			commandReference(b, sub)
			continue
		}
		fmt.Fprintf(b, "\n### %s\n\n%s.\n", strings.TrimSuffix(sub.UseLine(), " [flags]"), strings.TrimSuffix(sub.Short, "."))
		if sub.LocalNonPersistentFlags().HasAvailableFlags() {
			b.WriteString("\n")
			flagTable(b, sub.LocalNonPersistentFlags())
		}
		commandReference(b, sub)
	}
}

// flagTable lists the flags that a help shows.
func flagTable(b *strings.Builder, flags *pflag.FlagSet) {
	b.WriteString("| flag | type | default | |\n|---|---|---|---|\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		preset := f.DefValue
		if preset == "[]" || preset == "false" {
			preset = ""
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", code(name), f.Value.Type(), code(preset), cell(f.Usage))
	})
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(s, "|", `\|`) + "`"
}

func cell(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "|", `\|`), "\n", " ") }
