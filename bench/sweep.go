package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
	"github.com/risksweep/risksweep/internal/triage"
)

const rules = `
allowlist:
  - id: vpn
    users: [user1@contoso.com]
    when: {riskEventTypes: [anonymizedIPAddress], maxRiskLevel: medium, ipRanges: [203.0.113.0/24]}
    reason: VPN
    owner: secops@contoso.com
    expires: 2031-12-31
`

type credential struct{}

func (credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "bench", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// sweeper is wired as the composition root does, without a pace.
func (t task) sweeper() (s *sweep.Sweeper, done func()) {
	store, done := t.store()
	return t.over(store), done
}

func (t task) over(store blobstore.Store) *sweep.Sweeper {
	client, err := graph.New(graph.Options{Credential: credential{}, Endpoint: t.service})
	check(err)
	policy, problems := triage.Parse("triage.yaml", []byte(rules), time.Now())
	check(problems.Err())
	return &sweep.Sweeper{Name: "contoso", Reader: client, Writer: func() apply.Writer { return client },
		Ledger: ledger.New(store, "contoso", ledger.Options{Now: time.Now}), Triage: policy,
		Settings: sweep.Settings{Lookback: 2000 * time.Hour, Overlap: 48 * time.Hour, FullEvery: time.Hour, Settle: time.Minute, ServicePrincipals: "false",
			Enforcement: plan.Enforcement{Policies: true}, Limits: plan.Limits{MaxShareOfRiskyUsers: 1, MaxPolicyCreates: policies}, WriteTimeout: time.Minute},
		Output: sweep.Output{Redaction: report.NewRedaction("none", nil)}, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

// store is a new folder, or a container of Azurite.
func (t task) store() (blobstore.Store, func()) {
	if t.container != "" {
		store, err := blobstore.OpenAzure(context.Background(), blobstore.AzureOptions{URL: t.container, ConnectionString: t.account})
		check(err)
		return store, func() {}
	}
	dir, err := os.MkdirTemp("", "bench")
	check(err)
	store, err := blobstore.OpenDir(dir)
	check(err)
	return store, func() { check(os.RemoveAll(dir)) }
}

func run(s *sweep.Sweeper, mode sweep.Mode) sweep.Result {
	res, err := s.Run(context.Background(), sweep.Request{Mode: mode})
	check(err)
	check(res.Err)
	return res
}

// sweepOnce runs one plan over everything.
func sweepOnce(t task) measured {
	s, done := t.sweeper()
	defer done()
	var res sweep.Result
	m := taking(func() { res = run(s, sweep.Plan) })
	expect("detections", res.Counts["detections"], t.detections)
	expect("users", res.Counts["users"], t.detections/usersEach)
	m.Requests, m.Peak = forRisk(s), peak()
	return m
}

// sweepAgain runs an apply after one that has read everything, in a night in
// which nothing changed.
func sweepAgain(t task) measured {
	s, done := t.sweeper()
	defer done()
	run(s, sweep.Apply)
	before := forRisk(s)
	var res sweep.Result
	m := taking(func() { res = run(s, sweep.Apply) })
	expect("open detections", res.Counts["detectionsOpen"], t.detections/usersEach)
	expect("detections", res.Counts["detections"], t.detections/usersEach)
	m.Requests = forRisk(s) - before
	return m
}

func forRisk(s *sweep.Sweeper) (n int) {
	for path, k := range s.Reader.Stats().ByPath {
		if strings.HasPrefix(path, "/identityProtection") {
			n += k
		}
	}
	return n
}

func expect(what string, got, want int) {
	if got != want {
		check(fmt.Errorf("%d %s, not %d", got, what, want))
	}
}
