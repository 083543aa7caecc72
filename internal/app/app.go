// Package app is the composition root: it takes a Config and wires the rooms
// that a run needs, for the command line, the daemon and the function handler
// alike.
//
// It decides nothing and keeps no state but the clients it has opened.
package app

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/azcred"
	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/exception"
	"github.com/risksweep/risksweep/internal/expectation"
	"github.com/risksweep/risksweep/internal/fleet"
	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/notice"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
	"github.com/risksweep/risksweep/internal/triage"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// Options are what the process around the app gives it.
type Options struct {
	Now     func() time.Time
	Log     *slog.Logger
	Version string
	// ConfigCommit is the commit of the configuration, empty to look for a git
	// checkout of its folder.
	ConfigCommit string
	// Transport carries the requests to Graph and the sign-in; nil is the
	// default one.
	Transport http.RoundTripper
	// Progress gives what is told how far a tenant's run is; nil tells nobody.
	Progress func(tenant string) sweep.Progress
	// ExitCode gives the exit code of a finished run, for its report.
	ExitCode func(sweep.Result) int
	// ReadBack and Visibility are how long effects are waited for; zero means
	// the defaults.
	ReadBack, Visibility time.Duration
}

// The defaults for how long effects in the tenant are waited for. Policies and
// named locations show within seconds; other clients of the service give them
// up to a minute.
const (
	DefaultReadBack   = 2 * time.Minute
	DefaultVisibility = time.Minute
)

// writeTimeout bounds one write to a tenant: well below what is left of a
// blob lease when it is due for renewal.
const writeTimeout = 30 * time.Second

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.ReadBack == 0 {
		o.ReadBack = DefaultReadBack
	}
	if o.Visibility == 0 {
		o.Visibility = DefaultVisibility
	}
	return o
}

// App is a wired configuration.
type App struct {
	Config *config.Config
	Store  blobstore.Store
	opt    Options

	mu        sync.Mutex
	clients   map[string]*graph.Client // by tenant name: one pace each
	carrier   http.RoundTripper        // of their requests
	published time.Time                // when this process last wrote the page of the fleet
	later     bool                     // it is to be written once more

	sorting  sync.Once
	settings settings

	laggards notice.Laggards

	watched watched[fleet.Fleet]
	overdue sync.Map // by tenant: *watched[int]

	missed sync.Map // by tenant: when a run was due that is made up for, until that is told

	digest *digest // gathers notices; nil: each is sent at once

	turns chan struct{} // one for each tenant at work; nil: no bound
}

// Open opens the store of a configuration. Nothing is sent to a tenant.
func Open(ctx context.Context, cfg *config.Config, opt Options) (*App, error) {
	opt = opt.withDefaults()
	store, err := openStore(ctx, cfg, opt)
	if err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", cfg.Store.URL, err)
	}
	a := &App{Config: cfg, Store: store, opt: opt, clients: map[string]*graph.Client{}}
	if n := cfg.Sweep.MaxConcurrent; n > 0 {
		a.turns = make(chan struct{}, n)
	}
	if len(cfg.Tenants) > FewTenants && os.Getenv("GOGC") == "" {
		// Many tenants at work hold a page each: what waits for the collector may
		// be half of them, not as much again.
		debug.SetGCPercent(50)
	}
	return a, nil
}

// Reading wires a configuration for commands that only read from tenants and
// leave the store alone.
func Reading(cfg *config.Config, opt Options) *App {
	return &App{Config: cfg, opt: opt.withDefaults(), clients: map[string]*graph.Client{}}
}

// Tenant finds a tenant of the configuration by name.
func (a *App) Tenant(name string) (config.Tenant, bool) {
	for _, t := range a.Config.Tenants {
		if t.Name == name {
			return t, true
		}
	}
	return config.Tenant{}, false
}

// Graph gives the tenant's client. All runs over one tenant share it, and with
// it the pace that the service allows.
func (a *App) Graph(t config.Tenant) (*graph.Client, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c, ok := a.clients[t.Name]; ok {
		return c, nil
	}
	cred, err := azcred.New(t.Credential, azcred.Options{TenantID: t.TenantID, Cloud: t.Cloud, AuthorityHost: t.AuthorityHost, Transport: a.httpClient()})
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w", t.Name, err)
	}
	if a.carrier == nil {
		if a.carrier = a.opt.Transport; a.carrier == nil {
			a.carrier = Transport(a.Config)
		}
	}
	c, err := graph.New(graph.Options{
		Credential: cred, Endpoint: cmp.Or(t.GraphEndpoint, azcred.GraphEndpoint(t.Cloud)), Scope: azcred.GraphScope(t.Cloud), Cloud: t.Cloud, Beta: a.Config.Sweep.Beta,
		RequestsPerSecond: a.Config.Sweep.RequestsPerSecond, Timeout: a.Config.Sweep.RequestTimeout,
		Transport: a.carrier, Now: a.opt.Now, Logger: a.opt.Log.With("tenant", t.Name),
		UserAgent: "risksweep/" + a.opt.Version, TenantID: t.TenantID,
	})
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w", t.Name, err)
	}
	a.clients[t.Name] = c
	return c, nil
}

// Transport carries the requests of all tenants of a configuration.
func Transport(cfg *config.Config) http.RoundTripper {
	return graph.NewTransport(min(len(cfg.Tenants), cmp.Or(cfg.Sweep.MaxConcurrent, len(cfg.Tenants))))
}

// httpClient carries sign-in; nil is the default one.
func (a *App) httpClient() *http.Client {
	if a.opt.Transport == nil {
		return nil
	}
	return &http.Client{Transport: a.opt.Transport}
}

// Ledger gives the tenant's ledger.
func (a *App) Ledger(tenant string) *ledger.Ledger {
	return ledger.New(a.Store, tenant, ledger.Options{Now: a.opt.Now, KeepDays: a.Config.Store.KeepDays, ImmutableDays: a.Config.Store.ImmutableDays})
}

// readFile reads a file of a tenant and notes its text among those used.
func (a *App) readFile(kind, path string, used *[]ledger.InputText) ([]byte, yamldoc.Problems) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, yamldoc.Problems{Unreadable(Relative(path), err)}
	}
	a.used(used, kind, path, data)
	return data, nil
}

// Unreadable says that a file cannot be read.
func Unreadable(file string, err error) yamldoc.Problem {
	return yamldoc.Problem{File: file, Message: "cannot be read: " + err.Error()}
}

// Triage reads the tenant's triage file; nil if it has none.
func (a *App) Triage(t config.Tenant) (*triage.Policy, yamldoc.Problems) {
	return a.readTriage(t, nil)
}

// readTriage is Triage that notes the text that it used.
func (a *App) readTriage(t config.Tenant, used *[]ledger.InputText) (*triage.Policy, yamldoc.Problems) {
	if t.Triage == "" {
		return nil, nil
	}
	data, problems := a.readFile(ledger.InputTriage, t.Triage, used)
	if problems != nil {
		return nil, problems
	}
	return triage.Parse(Relative(t.Triage), data, a.opt.Now())
}

// Baseline reads the tenant's baseline; nil if it has none.
func (a *App) Baseline(t config.Tenant) (*baseline.Baseline, yamldoc.Problems) {
	return a.readBaseline(t, nil)
}

// readBaseline is Baseline that notes the texts that it used.
func (a *App) readBaseline(t config.Tenant, used *[]ledger.InputText) (*baseline.Baseline, yamldoc.Problems) {
	if t.Baseline == "" {
		return nil, nil
	}
	return baseline.Load(recording{func(name string, data []byte) { a.used(used, ledger.InputBaseline, name, data) }}, Relative(t.Baseline))
}

// readExpectations reads the tenant's file of expectations; none if it has none.
func (a *App) readExpectations(t config.Tenant, used *[]ledger.InputText) ([]expectation.Expectation, yamldoc.Problems) {
	if t.Expectations == "" {
		return nil, nil
	}
	data, problems := a.readFile(ledger.InputExpectations, t.Expectations, used)
	if problems != nil {
		return nil, problems
	}
	return expectation.Parse(Relative(t.Expectations), data)
}

// readExceptions reads the tenant's file of exceptions, checked with its baseline;
// nil if it has none.
func (a *App) readExceptions(t config.Tenant, b *baseline.Baseline, used *[]ledger.InputText) (*exception.List, yamldoc.Problems) {
	if t.Exceptions == "" {
		return nil, nil
	}
	data, problems := a.readFile(ledger.InputExceptions, t.Exceptions, used)
	if problems != nil {
		return nil, problems
	}
	return exception.Parse(Relative(t.Exceptions), data, KnownToExceptions(a.Config, b, a.opt.Now()))
}

// CheckExceptions says what is wrong with the tenant's file of exceptions.
func (a *App) CheckExceptions(t config.Tenant) yamldoc.Problems {
	b, _ := a.Baseline(t) // what is wrong with it is said of itself
	_, problems := a.readExceptions(t, b, &[]ledger.InputText{})
	return problems
}

// KnownToExceptions is what a file of exceptions is checked with. The baseline
// may be nil.
func KnownToExceptions(cfg *config.Config, b *baseline.Baseline, now time.Time) exception.Known {
	k := exception.Known{Now: now}
	if cfg != nil {
		k.MaxDuration = cfg.Exceptions.MaxDuration
	}
	if b == nil {
		return k
	}
	k.Policies, k.Named, k.BreakGlass = map[string]bool{}, map[string]string{}, b.BreakGlass.Users
	for _, it := range b.Policies {
		k.Named[it.DisplayName()] = it.Key
		k.Policies[it.Key] = !it.NoExceptions
	}
	for _, ref := range b.Refs() {
		if ref.Kind == entra.KindUser {
			k.Users = append(k.Users, ref.Name)
		}
	}
	return k
}

// GraphAddress is where the cloud of a tenant has its Microsoft Graph, without a version.
func GraphAddress(t config.Tenant) string {
	return strings.TrimSuffix(azcred.GraphEndpoint(t.Cloud), "/v1.0")
}

// Disk is the machine's file system, with paths as people write them.
type Disk struct{}

// Open opens a file or a folder.
func (Disk) Open(name string) (fs.File, error) { return os.Open(name) }

// Relative shortens a path for messages.
func Relative(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(wd, path)
	if err != nil || len(rel) >= len(path) {
		return path
	}
	return rel
}

// Check says what is wrong with a tenant's files and its credential, as far as
// that can be seen without asking anybody.
func (a *App) Check(t config.Tenant) error {
	if _, err := a.files(t); err != nil || t.Credential.Absent {
		return err
	}
	_, err := a.Graph(t)
	return err
}

// tenantFiles are what a tenant's files say.
type tenantFiles struct {
	triage       *triage.Policy
	baseline     *baseline.Baseline
	exceptions   *exception.List
	expectations []expectation.Expectation
	used         []ledger.InputText
}

// files reads the files of a tenant, and logs warnings.
func (a *App) files(t config.Tenant) (tenantFiles, error) {
	f, problems := a.readFiles(t)
	if err := problems.Err(); err != nil {
		return tenantFiles{}, err
	}
	for _, w := range problems.Warnings() {
		a.opt.Log.Warn(w.Error(), "tenant", t.Name)
	}
	return f, nil
}

func (a *App) readFiles(t config.Tenant) (f tenantFiles, problems yamldoc.Problems) {
	var more yamldoc.Problems
	f.triage, problems = a.readTriage(t, &f.used)
	f.baseline, more = a.readBaseline(t, &f.used)
	problems = append(problems, more...)
	f.exceptions, more = a.readExceptions(t, f.baseline, &f.used)
	problems = append(problems, more...)
	f.expectations, more = a.readExpectations(t, &f.used)
	return f, append(problems, more...)
}

// CheckAll is Check for many tenants, of which most share their files: those are read
// once, and nothing of them is kept. Warnings are left to the runs.
func (a *App) CheckAll(tenants []config.Tenant) []error {
	type files struct{ triage, baseline, exceptions, expectations string }
	read := map[files]error{}
	errs := make([]error, len(tenants))
	for i, t := range tenants {
		set := files{t.Triage, t.Baseline, t.Exceptions, t.Expectations}
		err, known := read[set]
		if !known {
			_, problems := a.readFiles(t)
			err = problems.Err()
			read[set] = err
		}
		if err == nil {
			_, err = a.Graph(t)
		}
		errs[i] = err
	}
	return errs
}

// Sweeper wires one tenant. Problems in its triage or baseline file come back
// as yamldoc.Problems; warnings among them are logged.
func (a *App) Sweeper(t config.Tenant) (*sweep.Sweeper, error) {
	f, err := a.files(t)
	if err != nil {
		return nil, err
	}
	client, err := a.Graph(t)
	if err != nil {
		return nil, err
	}
	cfg := a.Config
	here := blobstore.NewHolder("", a.opt.Now())
	var progress sweep.Progress
	if a.opt.Progress != nil {
		progress = a.opt.Progress(t.Name)
	}
	var logs sweep.LogReader
	if cfg.Sweep.Logs != "off" {
		logs = client
	}
	redaction := a.Redaction(t)
	return &sweep.Sweeper{
		Notify: a.notifier(t, redaction),
		Name:   t.Name, TenantID: t.TenantID, Cloud: t.Cloud,
		Reader: client, Writer: func() apply.Writer { return client },
		Inputs: append([]ledger.InputText{a.settingsOf(t.Name)}, f.used...), ConfigCommit: a.commit(),
		Ledger: a.Ledger(t.Name), Triage: f.triage, Baseline: f.baseline, Exceptions: f.exceptions, Expectations: f.expectations, Access: client, Logs: logs,
		Settings: sweep.Settings{
			Lookback: cfg.Sweep.Lookback, Overlap: cfg.Sweep.Overlap, FullEvery: cfg.Sweep.FullEvery, Settle: cfg.Sweep.Settle,
			ServicePrincipals: cfg.Sweep.ServicePrincipals, Beta: cfg.Sweep.Beta, Coverage: cfg.Sweep.Coverage, RequestsPerSecond: cfg.Sweep.RequestsPerSecond,
			Enforcement: cfg.Enforcement.Enforcement,
			Baseline: drift.Settings{AllowEnabledPolicies: cfg.Enforcement.AllowEnabledPolicies,
				AllowWeakening: cfg.Enforcement.AllowWeakening, Prune: cfg.Enforcement.Prune},
			Limits:       cfg.Limits,
			WriteTimeout: min(cfg.Sweep.RequestTimeout, writeTimeout), ReadBack: a.opt.ReadBack, Visibility: min(a.opt.Visibility, cfg.Sweep.Settle),
		},
		Output:  sweep.Output{Redaction: redaction, Formats: cfg.Report.Formats, SLA: report.SLA(cfg.Report.SLA), CSV: report.CSVForm{BOM: cfg.Report.CSV.BOM, Excel: cfg.Report.CSV.Times == "excel"}, ExitCode: a.opt.ExitCode},
		Version: a.opt.Version, Host: here.Host, PID: here.PID, Now: a.opt.Now, Log: a.opt.Log, Progress: progress,
	}, nil
}
