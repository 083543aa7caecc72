package graph

import (
	"fmt"

	"github.com/risksweep/risksweep/internal/entra"
)

// text puts a string member where it belongs.
func text[S ~string](r *rowReader, dst *S) error {
	s, err := r.str()
	*dst = S(s)
	return err
}

// ident reads an id.
func ident(r *rowReader, dst *entra.ID) error {
	s, err := r.str()
	*dst = entra.NewID(s)
	return err
}

// word puts an enum, of which equal values share one copy, where it belongs.
func word[S ~string](r *rowReader, dst *S) error {
	s, err := r.name()
	*dst = S(s)
	return err
}

func decodeDetection(r *rowReader, d *entra.Detection) (err error) {
	d.Raw, err = r.document(func(name string) (err error) {
		switch name {
		case "id":
			return text(r, &d.ID)
		case "activity":
			return word(r, &d.Activity)
		case "activityDateTime":
			return text(r, &d.ActivityDateTime)
		case "additionalInfo":
			return text(r, &d.AdditionalInfo)
		case "correlationId":
			return text(r, &d.CorrelationID)
		case "detectedDateTime":
			return text(r, &d.DetectedDateTime)
		case "detectionTimingType":
			return word(r, &d.DetectionTimingType)
		case "ipAddress":
			return text(r, &d.IPAddress)
		case "lastUpdatedDateTime":
			return text(r, &d.LastUpdatedDateTime)
		case "location":
			return decodeLocation(r, &d.Location)
		case "requestId":
			return text(r, &d.RequestID)
		case "riskDetail":
			return word(r, &d.RiskDetail)
		case "riskEventType":
			return word(r, &d.RiskEventType)
		case "riskLevel":
			return word(r, &d.RiskLevel)
		case "riskState":
			return word(r, &d.RiskState)
		case "source":
			return word(r, &d.Source)
		case "tokenIssuerType":
			return word(r, &d.TokenIssuerType)
		case "userDisplayName":
			return text(r, &d.UserDisplayName)
		case "userId":
			return ident(r, &d.UserID)
		case "userPrincipalName":
			return text(r, &d.UserPrincipalName)
		case "appId":
			return text(r, &d.AppID)
		case "keyIds":
			d.KeyIDs, err = r.strs()
			return err
		case "servicePrincipalId":
			return ident(r, &d.ServicePrincipalID)
		case "servicePrincipalDisplayName":
			return text(r, &d.ServicePrincipalDisplayName)
		}
		return r.skip()
	})
	return err
}

func decodeLocation(r *rowReader, l *entra.Location) error {
	if r.dec.PeekKind() == 'n' {
		return r.skip()
	}
	return r.object(func(name string) error {
		switch name {
		case "city":
			return text(r, &l.City)
		case "state":
			return text(r, &l.State)
		case "countryOrRegion":
			return word(r, &l.CountryOrRegion)
		case "geoCoordinates":
			if r.dec.PeekKind() == 'n' {
				return r.skip()
			}
			g := &entra.GeoCoordinates{}
			l.GeoCoordinates = g
			return r.object(func(name string) (err error) {
				switch name {
				case "altitude":
					g.Altitude, err = r.number()
				case "latitude":
					g.Latitude, err = r.number()
				case "longitude":
					g.Longitude, err = r.number()
				default:
					err = r.skip()
				}
				return err
			})
		}
		return r.skip()
	})
}

// userMember reads one member of a riskyUser; known is false for a member
// that riskyUser does not have.
func userMember(r *rowReader, u *entra.RiskyUser, name string) (known bool, err error) {
	switch name {
	case "id":
		return true, ident(r, &u.ID)
	case "isDeleted":
		u.IsDeleted, err = r.boolean()
		return true, err
	case "isProcessing":
		u.IsProcessing, err = r.boolean()
		return true, err
	case "riskDetail":
		return true, word(r, &u.RiskDetail)
	case "riskLastUpdatedDateTime":
		return true, text(r, &u.RiskLastUpdatedDateTime)
	case "riskLevel":
		return true, word(r, &u.RiskLevel)
	case "riskState":
		return true, word(r, &u.RiskState)
	case "userDisplayName":
		return true, text(r, &u.UserDisplayName)
	case "userPrincipalName":
		return true, text(r, &u.UserPrincipalName)
	}
	return false, nil
}

func decodeRiskyUser(r *rowReader, u *entra.RiskyUser) (err error) {
	u.Raw, err = r.document(func(name string) error {
		known, err := userMember(r, u, name)
		if !known {
			return r.skip()
		}
		return err
	})
	return err
}

func decodeHistoryItem(r *rowReader, h *entra.RiskHistoryItem) (err error) {
	h.Raw, err = r.document(func(name string) error {
		switch name {
		case "userId":
			return ident(r, &h.UserID)
		case "initiatedBy":
			return text(r, &h.InitiatedBy)
		case "activity":
			if r.dec.PeekKind() == 'n' {
				return r.skip()
			}
			return r.object(func(name string) (err error) {
				switch name {
				case "detail":
					return word(r, &h.ActivityDetail)
				case "riskEventTypes", "eventTypes": // the second is an older name, seen live
					var types []string
					if types, err = r.strs(); len(types) > 0 {
						h.RiskEventTypes = types
					}
					return err
				}
				return r.skip()
			})
		}
		known, err := userMember(r, &h.RiskyUser, name)
		if !known {
			return r.skip()
		}
		return err
	})
	return err
}

func decodeRiskyServicePrincipal(r *rowReader, p *entra.RiskyServicePrincipal) (err error) {
	p.Raw, err = r.document(func(name string) (err error) {
		switch name {
		case "id":
			return ident(r, &p.ID)
		case "appId":
			return text(r, &p.AppID)
		case "displayName":
			return text(r, &p.DisplayName)
		case "isEnabled":
			p.IsEnabled, err = r.boolean()
			return err
		case "isProcessing":
			p.IsProcessing, err = r.boolean()
			return err
		case "riskDetail":
			return word(r, &p.RiskDetail)
		case "riskLastUpdatedDateTime":
			return text(r, &p.RiskLastUpdatedDateTime)
		case "riskLevel":
			return word(r, &p.RiskLevel)
		case "riskState":
			return word(r, &p.RiskState)
		case "servicePrincipalType":
			return word(r, &p.ServicePrincipalType)
		}
		return r.skip()
	})
	return err
}

// decodeDocument reads an item as a lossless document.
func decodeDocument(r *rowReader, d *entra.Document) error {
	if k := r.dec.PeekKind(); k != '{' {
		return r.wrong("an object", k)
	}
	doc, err := entra.ReadDocument(r.dec)
	if err != nil {
		return r.malformed(err)
	}
	*d = doc
	if _, ok := (*d)["id"].(string); !ok {
		return fmt.Errorf("%s: no id: %w", r.place(), entra.ErrMalformed)
	}
	return nil
}

// decodeOne reads an answer that is a single object.
func decodeOne[T any](body string, row func(*rowReader, *T) error) (T, error) {
	var v T
	r := newRowReader(body, newInterner())
	if err := row(r, &v); err != nil {
		var none T
		return none, err
	}
	return v, r.end()
}
