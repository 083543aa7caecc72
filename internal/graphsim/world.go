package graphsim

import (
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/auditlog"
	"github.com/risksweep/risksweep/internal/graphsim/beta"
	"github.com/risksweep/risksweep/internal/graphsim/conditionalaccess"
	"github.com/risksweep/risksweep/internal/graphsim/directory"
	"github.com/risksweep/risksweep/internal/graphsim/generate"
	"github.com/risksweep/risksweep/internal/graphsim/risk"
)

// build generates the tenant that the options ask for.
func build(opt Options, born time.Time, now func() time.Time) (*parts, error) {
	t := generate.Population(opt.Seed, opt.Users, opt.Policies, born)
	people := directory.New(t, now, directory.Options{License: opt.License, Cloud: opt.Cloud})
	risks := risk.New(t, opt.Detections, now, risk.Options{Seed: opt.Seed, Born: born, Lag: opt.Lag, Cloud: opt.Cloud, License: opt.License})
	access := conditionalaccess.New(t, people, now, conditionalaccess.Options{Lag: opt.Lag, Cloud: opt.Cloud, License: opt.License})
	people.Guard(access.Enforced)
	log := auditlog.New(t, access, risks, people.SecurityDefaults, auditlog.Options{Delay: opt.AuditDelay, License: opt.License, SignIns: opt.SignIns, Seed: opt.Seed, Born: born})
	workloads := []workload{{name: "directory", Workload: people}, {name: "risk", Workload: risks}, {name: "conditionalAccess", Workload: access}, {name: "auditLog", Workload: log, late: true}}
	if opt.Beta {
		workloads = append(workloads, workload{name: "beta", Workload: beta.New(opt.Seed, born, access)})
	}
	return &parts{
		identity: identity{
			tenantID: t.ID, domains: []string{t.Domain, t.InitialDomain},
			clientID: t.Client.AppID, clientSecret: t.Client.Secret, principalID: t.Client.ObjectID, clientName: t.Client.DisplayName,
		},
		workloads: workloads,
		risk:      outside{risks}, people: people, audit: log,
	}, nil
}

// outside is what happens to people outside Graph.
type outside struct{ *risk.Workload }

func (w outside) raise(r Raised) (string, error) {
	return w.Raise(risk.Raised{UserPrincipalName: r.UserPrincipalName, ServicePrincipal: r.ServicePrincipal, RiskEventType: r.RiskEventType, RiskLevel: r.RiskLevel, IPAddress: r.IPAddress})
}

func (w outside) join(p generate.Person) { w.Join(p) }

func (w outside) remediate(userPrincipalName, detail string) error {
	return w.Remediate(userPrincipalName, detail)
}
