package impact

import (
	"strings"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
)

// verdict is what a policy would have made of a sign-in, the mildest first: of
// several rows of one sign-in the gravest counts.
type verdict uint8

const (
	notJudged verdict = iota
	notApplied
	satisfied
	unknown
	asked
	refused
)

// evidence is what the log says of how a sign-in meets controls.
type evidence struct {
	mfa, compliant, joined access.Truth
	legacy                 bool
}

// evidenceOf reads a row: what the device is, and what other policies, whose
// results the log has, found out about the second factor.
func evidenceOf(row *entra.SignIn, client string) evidence {
	e := evidence{mfa: access.Unknown, compliant: access.No, joined: access.No, legacy: client == "other" || client == "exchangeActiveSync"}
	if d := &row.Device; d.ID != "" {
		switch {
		case d.IsCompliant == nil:
			e.compliant = access.Unknown
		case *d.IsCompliant:
			e.compliant = access.Yes
		}
		switch trusts[strings.ToLower(d.TrustType)] {
		case "ServerAD":
			e.joined = access.Yes
		case "":
			e.joined = access.Unknown
		}
	}
	for i := range row.Policies {
		p := row.Policies[i]
		if !p.MFAAlone {
			continue
		}
		// Whoever passed an enabled policy has given it, asked or not; the
		// report-only ones say which.
		switch p.Result {
		case "success", entra.ReportOnlySuccess:
			if e.mfa != access.No {
				e.mfa = access.Yes
			}
		case entra.ReportOnlyInterrupted:
			e.mfa = access.No
		}
	}
	return e
}

// meets says how a sign-in meets one control.
func (e evidence) meets(control string) verdict {
	have := func(t access.Truth, otherwise verdict) verdict {
		switch t {
		case access.Yes:
			return satisfied
		case access.Unknown:
			return unknown
		}
		return otherwise
	}
	name, _, _ := strings.Cut(control, ":")
	switch name {
	case "block":
		return refused
	case "mfa":
		if e.legacy {
			return refused // such clients cannot ask
		}
		return have(e.mfa, asked)
	case "authenticationStrength":
		if e.legacy {
			return refused
		}
		return unknown // which method was used the log does not say
	case "compliantDevice":
		return have(e.compliant, refused)
	case "domainJoinedDevice":
		return have(e.joined, refused)
	case "passwordChange", "riskRemediation":
		return asked
	}
	return unknown
}

// under says how a sign-in fares under a policy that applies.
func (e evidence) under(demands []access.Demand) verdict {
	worst := satisfied
	for _, d := range demands {
		best := refused
		var doubt bool
		for _, c := range d {
			v := e.meets(c)
			doubt = doubt || v == unknown
			best = min(best, v)
		}
		if best != satisfied && doubt {
			best = unknown
		}
		// An unknown demand beside one that refuses changes nothing; beside one
		// that asks it may refuse.
		switch {
		case best == refused || worst == refused:
			worst = refused
		case best == unknown || worst == unknown:
			worst = unknown
		default:
			worst = max(worst, best)
		}
	}
	return worst
}

// logged are the results of the log in our words.
var logged = map[string]verdict{
	"success": satisfied, "failure": refused, "notApplied": notApplied,
	entra.ReportOnlySuccess: satisfied, entra.ReportOnlyFailure: refused, entra.ReportOnlyInterrupted: asked, entra.ReportOnlyNotApplied: notApplied,
}
