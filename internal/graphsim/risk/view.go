package risk

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/risksweep/risksweep/internal/graphsim/odata"
)

// detectionValue is one member of one detection as the licence lets it be
// seen (graph-api §1.4).
func (w *Workload) detectionValue(r *register, i int, member string) odata.Value {
	d := &r.detections[i]
	s := &r.subjects[d.subject]
	limited := w.opt.License != "P2" && (r.principals || r.words.types[d.event].premium)
	switch member {
	case "id":
		return odata.Text(r.detectionID(i))
	case "riskEventType":
		if limited && !r.principals {
			return odata.Text("generic")
		}
		return odata.Text(r.words.types[d.event].name)
	case "riskState":
		return odata.EnumValue(stateEnum.Members[d.state])
	case "riskLevel":
		if limited {
			return odata.EnumValue("hidden")
		}
		return odata.EnumValue(levelEnum.Members[d.level])
	case "riskDetail":
		if limited {
			return odata.EnumValue("hidden")
		}
		return odata.EnumValue(detailEnum.Members[d.detail])
	case "lastUpdatedDateTime":
		return odata.AtTicks(d.updatedAt)
	case "detectedDateTime":
		return odata.AtTicks(d.detectedAt)
	case "activityDateTime":
		return odata.AtTicks(d.activityAt)
	case "userId", "servicePrincipalId":
		return odata.Text(s.id)
	case "userPrincipalName":
		return odata.Text(s.upn)
	case "userDisplayName", "servicePrincipalDisplayName":
		return odata.Text(s.name)
	case "appId":
		return odata.Text(s.appID)
	case "source":
		return odata.Text("IdentityProtection")
	case "detectionTimingType":
		return odata.EnumValue(timingEnum.Members[d.timing])
	case "activity":
		return odata.EnumValue(activityEnum.Members[d.kind])
	case "tokenIssuerType":
		return odata.EnumValue(issuerEnum.Members[d.issuer])
	case "ipAddress":
		return odata.TextOrNull(d.ip())
	case "requestId":
		return r.signInID(d, i, 1)
	case "correlationId":
		return r.signInID(d, i, 3)
	case "keyIds":
		if r.words.types[d.event].name != "leakedCredentials" {
			return odata.Texts(nil)
		}
		return odata.Texts([]string{guid(r.noise(i, 5), r.noise(i, 6))})
	case "additionalInfo":
		if limited {
			return odata.Value{}
		}
		return odata.TextOrNull(r.additionalInfo(i))
	}
	return d.locationValue(member)
}

// signInID is the id of the sign-in that was risky; detections that are not
// about one have none.
func (r *register) signInID(d *detection, i int, n uint64) odata.Value {
	if d.address == [16]byte{} {
		return odata.Value{}
	}
	return odata.Text(guid(r.noise(i, n), r.noise(i, n+1)))
}

func (d *detection) locationValue(member string) odata.Value {
	if d.address == [16]byte{} {
		return odata.Value{}
	}
	p := &places[d.place]
	switch member {
	case "location", "location/geoCoordinates":
		return odata.Object(func(m string) odata.Value { return d.locationValue(member + "/" + m) })
	case "location/city":
		return odata.Text(p.city)
	case "location/state":
		return odata.Text(p.state)
	case "location/countryOrRegion":
		return odata.Text(p.country)
	case "location/geoCoordinates/latitude":
		return odata.Float(p.latitude)
	case "location/geoCoordinates/longitude":
		return odata.Float(p.longitude)
	}
	return odata.Value{}
}

// additionalInfo is a JSON text: a list of keys with values of any kind
// (graph-api §1.5). It is empty where the service sends null.
func (r *register) additionalInfo(i int) string {
	d := &r.detections[i]
	name := r.words.types[d.event].name
	if d.event == 0 || name == "leakedCredentials" {
		return ""
	}
	var b []byte
	add := func(key, raw string) {
		b = append(b, ',')
		b = append(b, `{"Key":"`...)
		b = append(b, key...)
		b = append(b, `","Value":`...)
		b = append(b, raw...)
		b = append(b, '}')
	}
	quote := func(s string) string {
		q, err := jsontext.AppendQuote(nil, s)
		if err != nil {
			return `""`
		}
		return string(q)
	}
	agent := agents[r.noise(i, 7)%uint64(len(agents))]
	if d.address != [16]byte{} {
		add("userAgent", quote(agent))
	}
	switch {
	case strings.HasPrefix(name, "mcas"):
		add("alertUrl", "null")
	case name == "impossibleTravel" || name == "unlikelyTravel" || name == "newCountry":
		p := places[r.noise(i, 8)%uint64(len(places))]
		earlier := d.activityAt - ticks(20*60e9) - int64(r.noise(i, 9)%uint64(ticks(5*3600e9))) //nolint:gosec // bounded
		add("relatedEventTimeInUtc", quote(odata.FormatTicks(earlier)))
		add("relatedUserAgent", quote(agents[r.noise(i, 10)%uint64(len(agents))]))
		add("relatedLocation", `{"city":`+quote(p.city)+`,"state":`+quote(p.state)+`,"countryOrRegion":`+quote(p.country)+`,"geoCoordinates":{"latitude":`+
			strconv.FormatFloat(p.latitude, 'f', -1, 64)+`,"longitude":`+strconv.FormatFloat(p.longitude, 'f', -1, 64)+`}}`)
	case name == "malwareInfectedIPAddress":
		add("malwareName", quote(malware[r.noise(i, 8)%uint64(len(malware))]))
	case name == "passwordSpray" || name == "maliciousIPAddress" || name == "suspiciousIPAddress":
		reasons := `["suspiciousIP"]`
		if name == "passwordSpray" {
			reasons = `["suspiciousIP","passwordSpray"]`
		}
		add("riskReasons", reasons)
		add("clientIp", quote(d.ip()))
	case name == "anomalousToken" || name == "attemptedPrtAccess":
		add("deviceInformation", "null")
		add("lastActivityTimeInUtc", quote(odata.FormatTicks(d.activityAt)))
	}
	add("alertUrl", "null")
	b[0] = '['
	return string(append(b, ']'))
}

// subjectValue is one member of a risky user or service principal.
func (w *Workload) subjectValue(r *register, i int, member string) odata.Value {
	s := &r.subjects[i]
	hidden := r.principals && w.opt.License != "P2"
	switch member {
	case "id":
		return odata.Text(s.id)
	case "isDeleted":
		return odata.Boolean(s.deleted)
	case "isEnabled":
		return odata.Boolean(!s.disabled)
	case "isProcessing":
		return odata.Boolean(s.busy > 0)
	case "riskLevel":
		if hidden {
			return odata.EnumValue("hidden")
		}
		return odata.EnumValue(levelEnum.Members[s.level])
	case "riskState":
		return odata.EnumValue(stateEnum.Members[s.state])
	case "riskDetail":
		if hidden {
			return odata.EnumValue("hidden")
		}
		return odata.EnumValue(detailEnum.Members[s.detail])
	case "riskLastUpdatedDateTime":
		return odata.AtTicks(s.updatedAt)
	case "userDisplayName", "displayName":
		return odata.Text(s.name)
	case "userPrincipalName":
		return odata.Text(s.upn)
	case "appId":
		return odata.Text(s.appID)
	case "servicePrincipalType":
		return odata.Text(s.principalType)
	}
	return odata.Value{}
}
