package report_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/triage"
)

const person = "ada@contoso.com"

// named puts a person's name into every text of a value, and one element into every
// list; words of the domain and ids are left.
func named(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Pointer:
		if depth < 6 && v.CanSet() {
			v.Set(reflect.New(v.Type().Elem()))
			named(v.Elem(), depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				named(v.Field(i), depth+1)
			}
		}
	case reflect.Slice:
		if depth < 6 && v.Type().Elem().Kind() != reflect.Uint8 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			named(v.Index(0), depth+1)
		}
	case reflect.String:
		if v.Type() == reflect.TypeFor[string]() {
			v.SetString(person)
		}
	}
}

// texts are the members that still have the name.
func texts(path string, v any, out []string) []string {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			out = texts(path+"."+k, e, out)
		}
	case []any:
		for _, e := range v {
			out = texts(path, e, out)
		}
	case string:
		if strings.Contains(v, person) {
			out = append(out, strings.TrimPrefix(path, "."))
		}
	}
	return out
}

func left(t *testing.T, v any) []string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	out := texts("", doc, nil)
	slices.Sort(out)
	return slices.Compact(out)
}

func full[T any]() T {
	var v T
	named(reflect.ValueOf(&v).Elem(), 0)
	return v
}

func byPersons(c *audit.ChangedBy) {
	c.Kind = audit.User
	for i := range c.Others {
		byPersons(&c.Others[i])
	}
}

// Whatever text of a file may name a person is redacted, new members too. What is left
// are ids, keys, and names of what is no person.
func TestRedactionForgetsNoMember(t *testing.T) {
	r := report.NewRedaction("hash", []byte("key"))
	on := func(kind plan.Kind) plan.Plan {
		p := full[plan.Plan]()
		p.Actions[0].Kind = kind
		byPersons(p.Actions[0].ChangedBy)
		return p
	}
	outcome := full[plan.Outcome]()
	outcome.Kind = plan.Dismiss
	row := full[report.PolicyRow]()
	byPersons(row.ChangedBy)
	row.Effects = nil // of the plan, which is redacted
	asked := full[plan.Requested]()
	asked.SignedInAs.Kind = entra.SignedInUser
	reached := full[report.Reached]()
	for what, c := range map[string]any{
		"user":        r.Plan(on(plan.DisableAccount)),
		"policy":      r.Plan(on(plan.UpdatePolicy)),
		"outcome":     r.Outcomes([]plan.Outcome{outcome}),
		"row":         r.Policies([]report.PolicyRow{row}),
		"exempt":      r.Exempt([]plan.Exempt{full[plan.Exempt]()}),
		"unexplained": r.Unexplained([]plan.Unexplained{full[plan.Unexplained]()}),
		"glass":       r.Glass([]report.GlassEvent{full[report.GlassEvent]()}),
		"requested":   r.Requested(asked),
		"order":       r.Order(&report.Order{Users: []report.UserRef{{ID: "1", Name: person}}, Reason: person, By: person}),
		"reached":     r.Reached(reached),
		"decision":    r.Decision(full[triage.Decision](), nil, person),
		"effects":     r.Effects([]plan.Effect{full[plan.Effect]()}),
		"coverage":    r.Reached(report.Reached{Coverage: &access.Coverage{Gaps: []access.Gap{{Examples: []string{person}}}}}),
	} {
		for _, member := range left(t, c) {
			spared := func(end string) bool { return strings.HasSuffix("."+member, "."+end) }
			if !slices.ContainsFunc(impersonal, spared) && !(what == "policy" && member == "actions.subject.name") {
				t.Errorf("%s: %s is not redacted", what, member)
			}
		}
	}
}

// impersonal are the members that name no person: ids and keys, the domain's words, the
// names of policies, groups, applications and places, and what the program says of these.
var impersonal = strings.Fields(`id key run tenant tenantId action requestId appId rule exception ticket beforeHash needs path code limit state status kind scope
	displayName policy policies group through application demand change situation also lacks fewer unknown detections entry expires feedback countries ipRanges
	riskEventType riskEventTypes activity note what violations.text foreseen.text notReached.why`)
