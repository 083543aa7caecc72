package auditlog

import (
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/odata"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// Actor is who did something: a person, an application, or nobody, which is what
// the service itself shows as.
type Actor struct {
	UserID            string `json:"userId,omitempty"`
	UserPrincipalName string `json:"userPrincipalName,omitempty"`
	IPAddress         string `json:"ipAddress,omitempty"`

	AppID       string `json:"appId,omitempty"`
	AppName     string `json:"appName,omitempty"`
	PrincipalID string `json:"principalId,omitempty"`
}

// record is one audit.
type record struct {
	ID            string    `json:"id"`
	At            time.Time `json:"at"`
	CorrelationID string    `json:"correlationId"`
	Actor         Actor     `json:"actor"`
	Deed          wire.Deed `json:"deed"`
	// Visible is when it shows.
	Visible time.Time `json:"visible"`
}

// coreDirectory keeps policies of all sorts, and records what happens to them
// beside their own service, shortly before it.
const (
	coreDirectory = "Core Directory"
	twinLead      = 400 * time.Millisecond
)

// Record notes what somebody has done in one request.
func (w *Workload) Record(by Actor, deeds []wire.Deed, correlationID string, now time.Time) {
	note := func(prefix string, d wire.Deed, at time.Time) {
		w.records = append(w.records, record{prefix + w.newID(), at, correlationID, by, d, now.Add(w.opt.Delay)})
	}
	for _, d := range deeds {
		if twin, ok := twinOf(d); ok {
			note("Directory_", twin, now.Add(-twinLead))
		}
		prefix := map[string]string{"Conditional Access": "IPCGraph_", "Identity Protection": "IPC_"}[d.Service]
		if prefix == "" {
			prefix = "Directory_"
		}
		note(prefix, d, now)
	}
}

// twinOf is the record of the directory for what was done to a policy.
func twinOf(d wire.Deed) (wire.Deed, bool) {
	if d.Service != "Conditional Access" && d.Service != "Authentication Methods" {
		return d, false
	}
	twin := d
	twin.Service, twin.Category = coreDirectory, "Policy"
	twin.Activity = d.Operation + " policy"
	twin.Targets = nil
	for _, t := range d.Targets {
		changed := []wire.Change{}
		for _, c := range t.Changed {
			changed = append(changed, wire.Change{Name: "PolicyDetail", Old: boxed(c.Old), New: boxed(c.New)})
		}
		t.Changed = changed
		twin.Targets = append(twin.Targets, t)
	}
	return twin, true
}

// boxed is a text as the directory shows it, a list of one.
func boxed(text *string) *string {
	if text == nil {
		return nil
	}
	quoted := string(odata.AppendText([]byte("["), *text)) + "]"
	return &quoted
}

// auditSet declares a directory audit (evidence-api §3).
var auditSet = func() *odata.Collection {
	identity := texts("id displayName userPrincipalName")
	return &odata.Collection{
		Type: "microsoft.graph.directoryAudit", Filterable: true, Orderable: true, DefaultTop: 1000, MaxTop: 1000,
		Members: append(append([]odata.Member{{Name: "id", Kind: odata.String, NoOrder: true}}, texts("category correlationId")...),
			odata.Member{Name: "result", Kind: odata.Enum, NoFilter: true, NoOrder: true, Enum: &odata.Enumeration{Name: "microsoft.graph.operationResult", Members: []string{"success", "failure", "timeout", "unknownFutureValue"}}},
			odata.Member{Name: "resultReason", Kind: odata.String, NoFilter: true, NoOrder: true},
			odata.Member{Name: "activityDisplayName", Kind: odata.String},
			odata.Member{Name: "activityDateTime", Kind: odata.DateTime},
			odata.Member{Name: "loggedByService", Kind: odata.String, NoOrder: true},
			odata.Member{Name: "operationType", Kind: odata.String, NoFilter: true, NoOrder: true},
			structured("initiatedBy", "auditActivityInitiator",
				[]odata.Member{
					structured("user", "userIdentity", identity, unasked(texts("ipAddress"))),
					structured("app", "appIdentity", texts("appId displayName"), unasked(texts("servicePrincipalId servicePrincipalName"))),
				}),
			many(structured("targetResources", "targetResource", texts("id displayName"), unasked(texts("type userPrincipalName groupType")),
				unasked([]odata.Member{many(structured("modifiedProperties", "modifiedProperty", texts("displayName oldValue newValue")))}))),
			many(unasked([]odata.Member{structured("additionalDetails", "keyValue", texts("key value"))})[0]),
		),
	}
}()

func (w *Workload) serveAudits(r *wire.Request) (*wire.Response, *wire.Error) {
	l := list{set: auditSet, context: "auditLogs/directoryAudits"}
	if len(r.Path) == 3 {
		l.id = r.Path[2]
	}
	oldest := r.Now.Add(-w.retention())
	for i := len(w.records) - 1; i >= 0; i-- {
		x := &w.records[i]
		if !x.Visible.After(r.Now) && !x.At.Before(oldest) {
			l.rows = append(l.rows, getter(auditSet.Members, x.object()))
		}
	}
	return l.answer(r)
}

// some is a text, or null if it is empty.
func some(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func orNull(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

func (x *record) object() object {
	by := object{"user": nil, "app": nil}
	switch a := x.Actor; {
	case a.UserID != "":
		by["user"] = object{"id": a.UserID, "displayName": nil, "userPrincipalName": a.UserPrincipalName, "ipAddress": some(a.IPAddress)}
	case a.PrincipalID != "" || a.AppID != "":
		by["app"] = object{"appId": some(a.AppID), "displayName": some(a.AppName), "servicePrincipalId": some(a.PrincipalID), "servicePrincipalName": nil}
	}
	targets := []object{}
	for _, t := range x.Deed.Targets {
		changed := []object{}
		for _, c := range t.Changed {
			changed = append(changed, object{"displayName": c.Name, "oldValue": orNull(c.Old), "newValue": orNull(c.New)})
		}
		targets = append(targets, object{
			"id": t.ID, "displayName": some(t.Name), "type": some(t.Type), "userPrincipalName": some(t.UserPrincipalName), "groupType": some(t.GroupType), "modifiedProperties": changed,
		})
	}
	details := []object{}
	if x.Deed.Service == "Conditional Access" {
		details = append(details, object{"key": "Category", "value": "Conditional Access"})
	}
	return object{
		"id": x.ID, "category": x.Deed.Category, "correlationId": x.CorrelationID, "result": "success", "resultReason": nil,
		"activityDisplayName": x.Deed.Activity, "activityDateTime": x.At, "loggedByService": x.Deed.Service, "operationType": x.Deed.Operation,
		"initiatedBy": by, "targetResources": targets, "additionalDetails": details,
	}
}
