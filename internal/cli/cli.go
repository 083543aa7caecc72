// Package cli is the command line: it parses what a person or a scheduler
// typed, calls the rooms that do the work, prints their answer and gives the
// exit code.
//
// It decides nothing about risk or policies and talks to no service itself.
// Answers go to stdout, logs and progress to stderr.
package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// Sys is what the process has around it.
type Sys struct {
	In             io.Reader
	Out, Err       io.Writer
	OutTTY, ErrTTY bool
	// InTTY says that a person answers questions.
	InTTY bool
	// Width and ErrWidth are the columns of the terminals behind Out and Err, 0
	// where there is none.
	Width, ErrWidth int
	Env             func(string) (string, bool)
	Now             func() time.Time
	// User is the account that the process runs under, empty if not known.
	User string
}

// System is the real process.
func System() Sys {
	s := Sys{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.LookupEnv, Now: time.Now,
		InTTY: term.IsTerminal(int(os.Stdin.Fd())), OutTTY: term.IsTerminal(int(os.Stdout.Fd())), ErrTTY: term.IsTerminal(int(os.Stderr.Fd()))}
	if w, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
		s.Width = w
	}
	if w, _, err := term.GetSize(int(os.Stderr.Fd())); err == nil {
		s.ErrWidth = w
	}
	if u, err := user.Current(); err == nil {
		s.User = u.Username
	}
	return s
}

// command is one invocation: what all commands share.
type command struct {
	Sys
	configFile, logFormat, logLevel, output string
	tenants                                 []string
	wide                                    bool        // nothing is left out of a summary
	status                                  *statusLine // nil without a terminal
	log                                     *slog.Logger
	input                                   *bufio.Reader // of In, once a question was asked
	warned                                  map[string]bool
}

// Main runs one command line and returns its exit code.
func Main(args []string, sys Sys) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the process at once
	}()
	return Run(ctx, args, sys)
}

// Run runs one command line under a context.
func Run(ctx context.Context, args []string, sys Sys) int {
	c := &command{Sys: sys, log: slog.New(slog.DiscardHandler)}
	if term, _ := sys.Env("TERM"); sys.ErrTTY && term != "dumb" {
		c.status = &statusLine{w: sys.Err, width: sys.ErrWidth, now: sys.Now}
		c.Err = c.status
	}
	if _, set := sys.Env("FUNCTIONS_CUSTOMHANDLER_PORT"); set && len(args) == 0 {
		args = []string{"functions"}
	}
	root := c.root()
	root.SetArgs(args)
	root.SetIn(sys.In)
	root.SetOut(sys.Out)
	root.SetErr(c.Err)
	cmd, err := root.ExecuteContextC(ctx)
	code := exitCode(err)
	if err != nil && err.Error() != "" {
		c.printError(cmd, err)
	}
	return code
}

// printError says what went wrong: problems in files one to a line, anything
// else as one message.
func (c *command) printError(cmd *cobra.Command, err error) {
	var problems yamldoc.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			fmt.Fprintln(c.Err, p.Error())
		}
		return
	}
	fmt.Fprintln(c.Err, "risksweep: "+printableLines(strings.TrimSpace(err.Error())))
	c.advise(err)
	var syntax syntaxError
	switch {
	case !errors.As(err, &syntax):
	case cmd.HasParent():
		fmt.Fprintf(c.Err, "Usage: %s\nSee %s --help.\n", cmd.UseLine(), cmd.CommandPath())
	default:
		fmt.Fprintln(c.Err, "See risksweep --help, or risksweep COMMAND --help.")
	}
}

func (c *command) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "risksweep",
		Short: "Sweep the identity risk of Microsoft Entra tenants and hold them to a Conditional Access baseline",
		Long: `risksweep reads a tenant's ID Protection risk through Microsoft Graph, triages
every risky user by an allowlist and escalation rules, compares the tenant's
Conditional Access policies with a baseline, and writes reports. What it may
change is decided by the enforcement section of the configuration; everything
else is planned and reported only.

To see it work without a tenant: risksweep demo`,
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error {
			if err := c.setUpLog(); err != nil {
				return err
			}
			if err := emptyWords(cmd, args); err != nil {
				return err
			}
			return c.checkForm(cmd)
		},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	f := root.PersistentFlags()
	config := "risksweep.yaml"
	if v, ok := c.Env("RISKSWEEP_CONFIG"); ok && v != "" {
		config = v
	}
	f.StringVar(&c.configFile, "config", config, "configuration file (RISKSWEEP_CONFIG)")
	f.StringArrayVar(&c.tenants, "tenant", nil, "sweep only this tenant of the configuration; repeatable")
	f.StringVar(&c.logFormat, "log-format", "auto", "auto, text or json; auto is text on a terminal")
	f.StringVar(&c.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVarP(&c.output, "output", "o", "", "form of the answer: table, json, … as the command says")
	keyFlags(f)
	root.AddCommand(c.commands()...)
	plainUsage(root)
	root.SetHelpTemplate(root.HelpTemplate() + exitCodeHelp(root))
	c.completions(root)
	markUsage(root)
	return root
}

// exitCodeHelp appends the table of exit codes to the help of the root.
func exitCodeHelp(*cobra.Command) string {
	var b strings.Builder
	b.WriteString("{{if not .HasParent}}\nExit codes:\n")
	for _, e := range ExitCodes {
		fmt.Fprintf(&b, "  %-4d %s\n", e.Code, e.Text)
	}
	b.WriteString("{{end}}")
	return b.String()
}

// markUsage makes every mistake in flags and arguments a usage error.
func markUsage(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(wrongFlag)
	args := cmd.Args
	if args == nil {
		args = cobra.ArbitraryArgs
		if !cmd.HasSubCommands() && !strings.Contains(cmd.Use, " ") {
			args = cobra.NoArgs
		}
	}
	cmd.Args = func(cmd *cobra.Command, a []string) error {
		err := args(cmd, a)
		if err != nil && !cmd.HasSubCommands() {
			err = wrongArgs(cmd, a)
		}
		if err == nil && cmd.HasSubCommands() && cmd.HasParent() && len(a) > 0 {
			err = fmt.Errorf("unknown command %q for %q", a[0], cmd.CommandPath())
		}
		if err == nil {
			return nil
		}
		if cmd.HasSubCommands() && len(a) > 0 {
			if !cmd.HasParent() {
				err = elsewhere(err, a[0], cmd)
			}
			if !strings.Contains(err.Error(), "did you mean") {
				err = didYouMean(err, a[0], names(cmd))
			}
		}
		return syntaxError{usageError{err}}
	}
	if cmd.HasSubCommands() && cmd.HasParent() && cmd.RunE == nil {
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	for _, sub := range cmd.Commands() {
		markUsage(sub)
	}
}

// emptyWords refuses an argument or a flag that was given with nothing in it: a
// variable of a script that is not set, as a rule. Taken as if it were left out,
// apply --plan "$RUN" would carry out all that a new plan finds.
func emptyWords(cmd *cobra.Command, args []string) error {
	if strings.HasPrefix(cmd.Name(), "__") { // the shell asks for a word that is not begun
		return nil
	}
	for i, a := range args {
		if strings.TrimSpace(a) == "" {
			return syntaxError{usageError{fmt.Errorf("argument %d is empty", i+1)}}
		}
	}
	if cmd.Name() == "sim" { // whose flags say nothing of a tenant
		return nil
	}
	var err error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		own := cmd.LocalNonPersistentFlags().Lookup(f.Name) != nil || f.Name == "config"
		if err == nil && own && f.Value.Type() == "string" && strings.TrimSpace(f.Value.String()) == "" {
			err = syntaxError{usageError{fmt.Errorf("--%s is empty: give it a value, or leave the flag out", f.Name)}}
		}
	})
	return err
}

// elsewhere says which commands end in a word that is no command by itself.
func elsewhere(err error, word string, root *cobra.Command) error {
	var paths []string
	for _, group := range root.Commands() {
		for _, sub := range group.Commands() {
			if sub.Name() == word {
				paths = append(paths, strconv.Quote(group.Name()+" "+word))
			}
		}
	}
	if len(paths) == 0 {
		return err
	}
	return fmt.Errorf("%w (did you mean %s?)", err, strings.Join(paths, " or "))
}

// didYouMean adds to an error the nearest of the words that would have been right, if
// one is near.
func didYouMean(err error, word string, right []string) error {
	if near := yamldoc.Nearest(word, right); near != "" {
		return fmt.Errorf("%w (did you mean %q?)", err, near)
	}
	return err
}

// wrongArgs says which arguments a command takes instead of those given.
func wrongArgs(cmd *cobra.Command, args []string) error {
	_, takes, some := strings.Cut(cmd.Use, " ")
	switch {
	case !some:
		return fmt.Errorf("unexpected argument %q", args[0])
	case len(args) == 0:
		return fmt.Errorf("%s is missing", takes)
	}
	return fmt.Errorf("takes %s, not %s", takes, report.Number(len(args), "argument"))
}

// wrongFlag says which flag was probably meant.
func wrongFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		var flags []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { flags = append(flags, f.Name) })
		if near := yamldoc.Nearest(unknown.GetSpecifiedName(), flags); near != "" {
			err = fmt.Errorf("%w (did you mean --%s?)", err, near)
		}
	}
	return syntaxError{usageError{err}}
}

func names(cmd *cobra.Command) []string {
	var out []string
	for _, s := range cmd.Commands() {
		out = append(out, s.Name())
	}
	return out
}

// setUpLog makes the logger that the flags ask for.
func (c *command) setUpLog() error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.logLevel)); err != nil {
		return usageError{fmt.Errorf("--log-level %q is none of debug, info, warn, error", c.logLevel)}
	}
	switch c.logFormat {
	case "auto", "text", "json":
	default:
		return usageError{fmt.Errorf("--log-format %q is none of auto, text, json", c.logFormat)}
	}
	if c.logFormat == "json" || c.logFormat == "auto" && !c.ErrTTY && c.isService() {
		c.log = slog.New(slog.NewJSONHandler(c.Err, &slog.HandlerOptions{Level: level}))
		return nil
	}
	c.log = slog.New(tint.NewTextHandler(c.Err, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: !c.colour(c.ErrTTY)}))
	return nil
}

// isService reports whether the process looks like one that a collector reads
// the logs of.
func (c *command) isService() bool {
	for _, name := range []string{"KUBERNETES_SERVICE_HOST", "FUNCTIONS_CUSTOMHANDLER_PORT", "JOURNAL_STREAM"} {
		if _, ok := c.Env(name); ok {
			return true
		}
	}
	return false
}

// colour reports whether to colour what goes to a stream.
func (c *command) colour(tty bool) bool {
	v, set := c.Env("NO_COLOR")
	term, _ := c.Env("TERM")
	return tty && (!set || v == "") && term != "dumb"
}

// form checks the -o flag against what a command offers; the first is the
// default.
func (c *command) form(offered ...string) (string, error) {
	if c.output == "" {
		return offered[0], nil
	}
	if slices.Contains(offered, c.output) {
		return c.output, nil
	}
	err := fmt.Errorf("-o %q is none of %s", c.output, strings.Join(offered, ", "))
	err = didYouMean(err, c.output, offered)
	return "", usageError{err}
}
