package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/risksweep/risksweep/internal/graphsim"
)

// simCommand runs the simulated tenant as a server of its own.
func (c *command) simCommand() *cobra.Command {
	var (
		opt                   graphsim.Options
		serve                 graphsim.ServeOptions
		load, faults, now     string
		roles                 []string
		users, detections, po int
	)
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Run the simulated tenant as a server",
		Long: `Runs a simulated Microsoft Entra tenant that speaks Microsoft Graph over HTTP:
risk, directory, Conditional Access with What If, audit and sign-in logs, and
sign-in. When it is ready it prints one JSON line with its addresses, client id,
secret and a token. SIGTERM ends it.

Its own controls are under /_sim: journal, requests, state, detections,
remediate, add, act, faults, clock, reset.`,
		Example: `  risksweep sim --listen 127.0.0.1:8890 --seed 7
  risksweep sim --policies 14 --sign-ins 1000
  risksweep sim --rate 1 --lag 2s --faults faults.yaml`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt.Users, opt.Detections, opt.Policies = users, detections, po
			if cmd.Flags().Changed("roles") {
				opt.Roles = []string{}
				for _, r := range roles {
					opt.Roles = append(opt.Roles, strings.FieldsFunc(r, func(r rune) bool { return r == ',' || r == ' ' })...)
				}
			}
			if now != "" {
				t, err := time.Parse(time.RFC3339, now)
				if err != nil {
					return usageError{fmt.Errorf("--now %q is not a time like 2026-11-24T02:00:00Z", now)}
				}
				opt.Now = t
			}
			if faults != "" {
				data, err := os.ReadFile(faults)
				if err != nil {
					return usageError{fmt.Errorf("--faults: %w", err)}
				}
				if opt.Faults, _, err = transform.Bytes(withoutMark(), data); err != nil {
					return usageError{fmt.Errorf("--faults %s: %w", faults, err)}
				}
				opt.FaultsFile = faults
			}
			tenant, err := newTenant(opt, load)
			if err != nil {
				return usageError{err}
			}
			if serve.ListenTLS != "" && serve.TLSDir == "" {
				return usageError{errors.New("--listen-tls needs --tls-dir, the folder for its certificate")}
			}
			err = graphsim.Serve(cmd.Context(), tenant, serve, func(r graphsim.Ready) {
				line, err := json.Marshal(r)
				if err == nil {
					fmt.Fprintf(c.Out, "%s\n", line)
				}
			})
			if cmd.Context().Err() != nil {
				return nil // asked to stop: that is its end
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&serve.Listen, "listen", "127.0.0.1:8890", "address of plain HTTP; port 0 picks a free one")
	f.StringVar(&serve.ListenTLS, "listen-tls", "", "address of HTTPS as well; needs --tls-dir")
	f.StringVar(&serve.TLSDir, "tls-dir", "", "folder for the CA and the certificate it makes")
	f.Uint64Var(&opt.Seed, "seed", 1, "what everything generated depends on")
	f.IntVar(&users, "users", 200, "number of users")
	f.IntVar(&detections, "detections", 500, "number of risk detections")
	f.IntVar(&po, "policies", 5, "number of Conditional Access policies")
	f.IntVar(&opt.SignIns, "sign-ins", 0, "number of sign-ins in the four weeks before; they go on at that pace")
	f.StringVar(&load, "load", "", "tenant to load instead, as /_sim/state gave it")
	f.Float64Var(&opt.Rate, "rate", 0, "requests per second the tenant allows, 0 for any")
	f.DurationVar(&opt.Lag, "lag", 0, "time until a write becomes visible")
	f.DurationVar(&opt.AuditDelay, "audit-delay", 2*time.Minute, "time until a change shows in the audit log")
	f.BoolVar(&opt.Beta, "beta", false, "answer reads of agents and of all policies below /beta")
	f.BoolVar(&opt.AppRestore, "app-restore", false, "let applications restore deleted policies, not persons alone")
	f.StringVar(&faults, "faults", "", "fault script")
	f.StringSliceVar(&roles, "roles", nil, "app roles of the tokens, instead of all")
	f.StringVar(&opt.Token, "token", "", "a fixed token that is accepted as well")
	f.StringVar(&opt.Cloud, "cloud", "global", "global, usgov, usgovdod or china")
	f.StringVar(&opt.License, "license", "P2", "P2, P1 or none")
	f.StringVar(&now, "now", "", "time at which the tenant's clock starts, RFC 3339")
	return cmd
}

func newTenant(opt graphsim.Options, load string) (*graphsim.Tenant, error) {
	if load == "" {
		return graphsim.New(opt)
	}
	file, err := os.Open(load)
	if err != nil {
		return nil, fmt.Errorf("--load: %w", err)
	}
	defer file.Close()
	t, err := graphsim.Load(transform.NewReader(file, withoutMark()), opt)
	if err != nil {
		return nil, fmt.Errorf("--load %s: %w", load, err)
	}
	return t, nil
}

// withoutMark reads UTF-16 where a byte-order mark says so, as Windows
// PowerShell 5.1 writes files, and else what is there.
func withoutMark() transform.Transformer { return unicode.BOMOverride(transform.Nop) }
