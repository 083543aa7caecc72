package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/sweep"
)

// policies is how many Conditional Access policies a baseline has here. A
// tenant may have 240.
const policies = 200

// comparisons is how often they are compared for one number.
const comparisons = 20

// manyPolicies is a baseline of so many policies.
func manyPolicies() []byte {
	var b strings.Builder
	b.WriteString("breakGlass: {users: [bg1@contoso.com, bg2@contoso.com]}\npolicies:\n")
	for i := range policies {
		fmt.Fprintf(&b, "  - {key: P%03d, displayName: P%03d, state: enabledForReportingButNotEnforced, conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All], excludeRoles: [d29b2b05-8046-44ba-8758-1e26182fcf32]}}, grantControls: {operator: OR, builtInControls: [mfa]}}\n", i, i)
	}
	return []byte(b.String())
}

// comparePolicies plans a baseline that the tenant has already: it reads names
// and policies, and compares.
func comparePolicies(t task) (m measured) {
	s, done := t.sweeper()
	defer done()
	b, problems := baseline.Parse("baseline.yaml", manyPolicies())
	check(problems.Err())
	s.Baseline = b
	expect("policies written", len(run(s, sweep.Apply).Outcomes), policies)
	for range comparisons {
		m.add(taking(func() {
			c, err := s.Compare(context.Background())
			check(err)
			in := 0
			for _, e := range c.Result.Entries {
				if e.Status == drift.InSync {
					in++
				}
			}
			expect("policies in sync", in, policies)
		}))
	}
	m.CPU /= comparisons
	m.Allocs /= comparisons
	return m
}

// parsePolicies is the floor of a comparison: encoding/json decoding of the
// same list, and of what is compared with it.
func parsePolicies(t task) (m measured) {
	link := t.service + "/identity/conditionalAccess/policies"
	for range comparisons {
		var list struct{ Value []map[string]any }
		m.add(unmarshal(link, &list))
		expect("policies", len(list.Value), policies)
		wanted, err := json.Marshal(list)
		check(err)
		m.add(taking(func() { check(json.Unmarshal(wanted, &list)) }))
	}
	m.CPU /= comparisons
	m.Allocs /= comparisons
	return m
}
