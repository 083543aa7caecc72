package sweep

import (
	"encoding/json"

	"github.com/risksweep/risksweep/internal/report"
)

// beta is what report.json shows of the beta version; nil if that was not read.
func (r *publisher) beta() (*report.Beta, error) {
	read := r.snapshot.Beta
	if read == nil {
		return nil, nil
	}
	out := &report.Beta{HiddenPolicies: read.Hidden}
	shown := func(raw json.RawMessage, into *[]json.RawMessage) error {
		doc, err := r.Output.Redaction.Document(raw)
		*into = append(*into, doc)
		return err
	}
	if read.Agents != nil {
		out.Agents, out.AgentDetections = []json.RawMessage{}, []json.RawMessage{}
	}
	for _, a := range read.Agents {
		if err := shown(a.Raw, &out.Agents); err != nil {
			return nil, err
		}
	}
	for _, d := range read.Detections {
		if err := shown(d.Raw, &out.AgentDetections); err != nil {
			return nil, err
		}
	}
	return out, nil
}
