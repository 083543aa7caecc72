package entra

import "encoding/json"

// RiskyAgent is a riskyAgent, as the beta version has it.
type RiskyAgent struct {
	ID           ID        `json:"id"`
	DisplayName  string    `json:"agentDisplayName"`
	IdentityType string    `json:"identityType"`
	RiskLevel    RiskLevel `json:"riskLevel"`
	RiskState    RiskState `json:"riskState"`

	// Raw is the document as Graph sent it.
	Raw json.RawMessage `json:"-"`
}

// AgentDetection is an agentRiskDetection.
type AgentDetection struct {
	ID      string `json:"id"`
	AgentID ID     `json:"agentId"`

	Raw json.RawMessage `json:"-"`
}

// PolicyName names a policy.
type PolicyName struct {
	ID          ID     `json:"id"`
	DisplayName string `json:"displayName"`
	State       string `json:"state"`
}
