package report

import (
	"fmt"
	"time"
)

// GlassEvent is something that a break-glass account did, or that was done to it.
type GlassEvent struct {
	ID          string    `json:"id"`
	Name        string    `json:"userPrincipalName"`
	At          time.Time `json:"at"`
	What        string    `json:"what"`
	Application string    `json:"application,omitempty"`
	Address     string    `json:"ipAddress,omitempty"`
	By          string    `json:"by,omitempty"`
}

// Text says it in a sentence without an end.
func (e GlassEvent) Text() string {
	text := fmt.Sprintf("break-glass account %s: %s on %s", e.Name, e.What, e.At.UTC().Format("2006-01-02 15:04 UTC"))
	if e.Application != "" {
		text += ", to " + e.Application
	}
	if e.Address != "" {
		text += ", from " + e.Address
	}
	if e.By != "" {
		text += ", by " + e.By
	}
	return text
}

// Glass redacts the names and addresses of events.
func (r Redaction) Glass(list []GlassEvent) []GlassEvent {
	if !r.active() {
		return list
	}
	out := make([]GlassEvent, len(list))
	for i, e := range list {
		e.Name, e.Address, e.By = r.Text(e.Name), r.Text(e.Address), r.Text(e.By)
		out[i] = e
	}
	return out
}
