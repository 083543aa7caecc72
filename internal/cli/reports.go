package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/fleet"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/report"
)

func (c *command) reportCommand() *cobra.Command {
	root := &cobra.Command{Use: "report", Short: "Look at what is in the store"}
	var limit int
	list := &cobra.Command{
		Use: "list", Short: "List the runs, newest first",
		RunE: func(cmd *cobra.Command, _ []string) error { return c.listRuns(cmd, limit) },
	}
	list.Flags().IntVar(&limit, "limit", 20, "how many runs, 0 for all")
	var file string
	show := &cobra.Command{
		Use: "show [RUN]", Short: "Show a run's summary, or one of its files; the last complete sweep if none is named", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.showRun(cmd, append(args, "")[0], file) },
	}
	show.Flags().StringVar(&file, "file", "", "print this file of the run: report.json, users.csv, inputs/triage.yaml, …")
	var heads []string
	verify := &cobra.Command{
		Use: "verify", Short: "Check every hash of every run, and the chains of apply and plan runs",
		RunE: func(cmd *cobra.Command, _ []string) error { return c.verifyRuns(cmd, heads) },
	}
	verify.Flags().StringArrayVar(&heads, "head", nil, "the head hash that the last apply run or the last plan run logged, kept elsewhere; may be given twice")
	diff := &cobra.Command{
		Use: "diff RUN RUN", Short: "Say what changed between two runs: risk that is new, gone or risen, policies that drifted", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return c.diffRuns(cmd, args[0], args[1]) },
	}
	root.AddCommand(list, show, c.reportFleetCommand(), verify, diff, c.historyCommand(), c.actionsCommand())
	return root
}

func (c *command) listRuns(cmd *cobra.Command, limit int) error {
	form, err := c.form("table", "json")
	if err != nil {
		return err
	}
	a, err := c.open(cmd, config.ToRead)
	if err != nil {
		return err
	}
	type item struct {
		Tenant string `json:"tenant"`
		ledger.RunInfo
	}
	items, failed := []item{}, c.tenantErrors(a.Config)
	t := newTable("TENANT", "RUN", "MODE", "KIND", "STATUS", "STARTED", "TOOK")
	for _, tenant := range a.Config.Tenants {
		runs, err := a.Ledger(tenant.Name).Runs(cmd.Context(), limit)
		if err != nil {
			if err := failed.take(tenant.Name, fmt.Errorf("tenant %s: %w", tenant.Name, err)); err != nil {
				return err
			}
			continue
		}
		for _, r := range runs {
			items = append(items, item{tenant.Name, r})
			status, took := r.Status, r.FinishedAt.Sub(r.StartedAt).Round(time.Second).String()
			if !r.Complete {
				status, took = "incomplete", ""
			}
			t.row(tenant.Name, r.ID, r.Mode, string(r.Kind), status, r.StartedAt.UTC().Format(time.RFC3339), took)
		}
	}
	if form == "json" {
		if err := printJSON(c.data(), items); err != nil {
			return err
		}
		return failed.end(ExitDone)
	}
	if len(items) == 0 {
		fmt.Fprintln(c.Err, "no runs yet")
		return failed.end(ExitDone)
	}
	t.print(c.Out, c.Width)
	return failed.end(ExitDone)
}

// lookBack is how many runs are looked at for the last sweep, and for a name
// near to the one that was given.
const lookBack = 500

// findRun gives the id of a run: the one named, or the last complete sweep. An
// order or a destroy run says nothing of the tenant as a whole.
func findRun(cmd *cobra.Command, l *ledger.Ledger, run string) (string, error) {
	if run == "" {
		return lastSweep(cmd, l)
	}
	_, err := l.RunInfo(cmd.Context(), run)
	if err == nil {
		return run, nil
	}
	if !errors.Is(err, blobstore.ErrNotFound) {
		return "", err
	}
	ids, err := l.RunIDs(cmd.Context(), lookBack)
	if err != nil {
		return "", err
	}
	err = fmt.Errorf("there is no run %s in the store: risksweep report list names those there are", run)
	err = didYouMean(err, run, ids)
	return "", usageError{err}
}

func lastSweep(cmd *cobra.Command, l *ledger.Ledger) (string, error) {
	ids, err := l.RunIDs(cmd.Context(), lookBack)
	if err != nil {
		return "", err
	}
	for _, id := range ids {
		r, err := l.RunInfo(cmd.Context(), id)
		if errors.Is(err, blobstore.ErrNotFound) {
			continue // deleted while we looked
		}
		if err != nil {
			return "", err
		}
		// Manifests of earlier versions name no kind.
		if r.Complete && !r.Kind.Ordered() {
			return id, nil
		}
	}
	switch {
	case len(ids) == lookBack:
		return "", fmt.Errorf("none of the last %d runs is a complete sweep; name the run to show", lookBack)
	case len(ids) > 0:
		return "", errors.New("no complete sweep in the store yet; risksweep report list names the other runs")
	}
	return "", errors.New("no complete run in the store yet")
}

func (c *command) showRun(cmd *cobra.Command, run, file string) error {
	form, err := c.form("text", "json", "wide")
	if err != nil {
		return err
	}
	c.wide = form == "wide"
	a, t, err := c.openOne(cmd, config.ToRead)
	if err != nil {
		return err
	}
	l := a.Ledger(t.Name)
	if run, err = findRun(cmd, l, run); err != nil {
		return err
	}
	if file == "" && form == "json" {
		file = "report.json"
	}
	if file != "" {
		return c.copyFile(cmd, l, run, file)
	}
	return c.printStored(cmd.Context(), l, run)
}

func (c *command) copyFile(cmd *cobra.Command, l *ledger.Ledger, run, file string) error {
	if name, ok := strings.CutPrefix(file, "inputs/"); ok {
		return c.copyInput(cmd, l, run, name)
	}
	in, proved, err := l.OpenProved(cmd.Context(), run, file)
	if errors.Is(err, blobstore.ErrNotFound) {
		return c.noFile(cmd, l, run, file)
	}
	if err != nil {
		return fmt.Errorf("%s of run %s: %w", file, run, err)
	}
	if !proved && file != "manifest.json" {
		c.log.Warn("no manifest of the run proves this file", "run", run, "file", file)
	}
	defer in.Close()
	_, err = io.Copy(c.data(), in)
	return err
}

// copyInput prints a text that steered the run.
func (c *command) copyInput(cmd *cobra.Command, l *ledger.Ledger, run, name string) error {
	m, err := l.Manifest(cmd.Context(), run)
	if err != nil {
		return fmt.Errorf("the inputs of run %s: %w", run, err)
	}
	for _, i := range m.Inputs {
		if i.Name != name {
			continue
		}
		in, err := l.OpenInput(cmd.Context(), i)
		if errors.Is(err, blobstore.ErrNotFound) && !i.Stored {
			return usageError{fmt.Errorf("run %s kept only the hash of %s (%s), because report.redact is on", run, name, i.SHA256)}
		}
		if err != nil {
			return fmt.Errorf("inputs/%s of run %s: %w", name, run, err)
		}
		defer in.Close()
		_, err = io.Copy(c.data(), in)
		return err
	}
	return c.noFile(cmd, l, run, "inputs/"+name)
}

// noFile says that a run has no such file, and which it has.
func (c *command) noFile(cmd *cobra.Command, l *ledger.Ledger, run, file string) error {
	m, err := l.Manifest(cmd.Context(), run)
	if err != nil {
		return fmt.Errorf("%s of run %s: %w", file, run, err)
	}
	names := make([]string, len(m.Files))
	for i, f := range m.Files {
		names[i] = f.Name
	}
	for _, i := range m.Inputs {
		names = append(names, "inputs/"+i.Name)
	}
	err = fmt.Errorf("run %s has no file %s; it has %s", run, file, strings.Join(names, ", "))
	err = didYouMean(err, file, names)
	return usageError{err}
}

func (c *command) verifyRuns(cmd *cobra.Command, heads []string) error {
	form, err := c.form("text", "json")
	if err != nil {
		return err
	}
	a, err := c.open(cmd, config.ToRead)
	if err != nil {
		return err
	}
	for i, h := range heads { // as notes and chat programs keep them
		heads[i] = strings.ToLower(strings.TrimSpace(h))
	}
	if slices.Contains(heads, "") {
		return usageError{errors.New("--head is empty: give the head that was kept, or leave the flag out")}
	}
	if len(heads) > 0 {
		if _, err := oneTenant(a.Config); err != nil {
			return err
		}
	}
	all, failed := map[string]ledger.Verification{}, c.tenantErrors(a.Config)
	bad := 0
	for _, t := range a.Config.Tenants {
		v, err := a.Ledger(t.Name).Verify(cmd.Context(), heads...)
		if err != nil {
			if err := failed.take(t.Name, fmt.Errorf("tenant %s: %w", t.Name, err)); err != nil {
				return err
			}
			continue
		}
		if v.Runs == 0 && len(v.Incomplete) == 0 {
			known, err := fleet.Read(cmd.Context(), a.Ledger(t.Name).Store(), fleet.View{At: c.Now()})
			if err != nil {
				return err
			}
			for _, s := range known.Tenants {
				if s.Tenant == t.Name && s.Run != "" {
					v.Problems = append(v.Problems, fmt.Sprintf("no run is in the store, though the picture of all tenants names run %s: the tenant's folder was deleted", s.Run))
				}
			}
		}
		all[t.Name] = v
		bad += len(v.Problems)
		if form == "json" {
			continue
		}
		for _, p := range v.Problems {
			fmt.Fprintf(c.Out, "%s: %s\n", t.Name, printable(p))
		}
		for _, id := range v.Incomplete {
			fmt.Fprintf(c.Out, "%s: run %s is incomplete: it has no manifest\n", t.Name, id)
		}
		fmt.Fprintf(c.Out, "%s: %s checked, %s, head %s", t.Name, report.Number(v.Runs, "run"), report.Number(len(v.Problems), "problem"), cmp.Or(v.Head, "none"))
		if v.PlanHead != "" {
			fmt.Fprintf(c.Out, ", head of the plan runs %s", v.PlanHead)
		}
		fmt.Fprintln(c.Out)
		for _, s := range provedBy(v) {
			fmt.Fprintf(c.Out, "%s: %s\n", t.Name, s)
		}
	}
	if form == "json" {
		if err := printJSON(c.data(), all); err != nil {
			return err
		}
	}
	if bad > 0 {
		return failed.end(ExitFailed)
	}
	return failed.end(ExitDone)
}

// provedBy says what of a store stands on what.
func provedBy(v ledger.Verification) []string {
	var out []string
	if v.Chained > 0 {
		by := "by nothing outside the chain: give --head to see whether its newest runs were deleted"
		switch {
		case v.HeadGiven && v.StateRecords:
			by = "by state.json and by the head that was given"
		case v.HeadGiven:
			by = "by the head that was given; state.json records none"
		case v.StateRecords:
			by = "by state.json; whoever can write to the store can change both, so give --head as well"
		}
		out = append(out, fmt.Sprintf("%s proved by the chain, and the chain's end %s", report.Number(v.Chained, "apply run"), by))
	}
	if v.PlansChained > 0 {
		by := "plans.json; whoever can write to the store can change both, so give its head with --head as well"
		if v.PlanHeadGiven {
			by = "plans.json and by its head that was given"
		}
		out = append(out, fmt.Sprintf("%s proved by %s", report.Number(v.PlansChained, "plan run"), by))
	}
	for _, e := range v.Earlier {
		out = append(out, fmt.Sprintf("the head that was given is that of the run %s: it proves everything up to that run; after it came %s", e.Run, report.Number(e.Since, e.Mode+" run")))
	}
	if v.CutShort > 0 {
		out = append(out, fmt.Sprintf("%s cut short, and proved by the manifests of later runs", report.Number(v.CutShort, "incomplete run")))
	}
	if n := len(v.Incomplete) - v.CutShort; n > 0 {
		out = append(out, fmt.Sprintf("%s proved by nothing: what a run has stored is proved once it has ended, or, if it had begun to write to the tenant, once a later run has found it", report.Number(n, "incomplete run")))
	}
	if v.Alone > 0 {
		out = append(out, fmt.Sprintf("%s proved by the run's own manifest alone, because plans.json does not list it (it is of an earlier version, or its process died at its end): whether such a run was deleted, or rewritten with its manifest, cannot be seen", report.Number(v.Alone, "plan run")))
	}
	return out
}
