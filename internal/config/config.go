// Package config makes one Config out of flags, environment, file and
// defaults, in that order of precedence, and tells for each value where it
// came from. It is strict: unknown keys, wrong types and impossible values are
// all reported at once, each with its place and the nearest right name.
//
// All keys stand in one table (keys.go), from which reading, the effective
// values, the reference and the names of flags and variables derive. The
// package opens only what LoadOptions hands in, and never prints a secret.
package config

import (
	"time"

	"github.com/risksweep/risksweep/internal/plan"
)

// DefaultFile is the configuration file if none is named.
const DefaultFile = "risksweep.yaml"

// Config is the whole configuration. It does not change after Load, but for the
// texts of secrets that stand in files: Secret.Reveal reads them again.
type Config struct {
	// Dir is the folder of the configuration file, which its relative paths
	// start from; the working folder if there is no file.
	Dir string
	// File is the configuration file, empty if there is none.
	File string
	// Tenants are the selected ones, in the order of the file; Others those that
	// were not selected.
	Tenants     []Tenant
	Others      []Tenant
	Store       Store
	Schedule    Schedule
	Sweep       Sweep
	Enforcement Enforcement
	Limits      plan.Limits
	Exceptions  Exceptions
	HTTP        HTTP
	Report      Report
	Notices     []Notice

	settings []Setting
}

// Tenant is one tenant to sweep.
type Tenant struct {
	Name       string // a path segment in the store
	TenantID   string // a GUID or a verified domain
	Cloud      string // global, usgov, usgovdod or china
	Credential Credential
	// Baseline is a file or a folder, Triage a file: absolute, or empty if
	// that part of the run is left out.
	Baseline, Triage string
	// Exceptions is a file, absolute, or empty if there is none.
	Exceptions string
	// Expectations is a file, absolute, or empty if there is none.
	Expectations string
	// GraphEndpoint and AuthorityHost override those of the cloud.
	GraphEndpoint, AuthorityHost string
}

// Credential says how to sign in. Members that do not belong to the kind are
// empty.
type Credential struct {
	Kind string // one of Kinds
	// ClientID is the application of a clientSecret, clientCertificate or
	// workloadIdentity, or the user-assigned identity of a managedIdentity,
	// which ResourceID or ObjectID may name as well.
	ClientID, ResourceID, ObjectID string
	ClientSecret                   Secret
	CertificatePath                string // PEM or PFX, absolute
	CertificatePassword            Secret
	SendCertificateChain           bool   // for subject name and issuer authentication
	TokenFile                      string // federated token, absolute; empty: AZURE_FEDERATED_TOKEN_FILE
	Token                          Secret // of kind static
	// Absent says that a secret or file it names is not there, as may be in a
	// configuration that is loaded to be checked.
	Absent bool
}

// The kinds of credential.
const (
	KindDefault           = "default"
	KindManagedIdentity   = "managedIdentity"
	KindWorkloadIdentity  = "workloadIdentity"
	KindClientSecret      = "clientSecret"
	KindClientCertificate = "clientCertificate"
	KindAzureCLI          = "azureCLI"
	KindStatic            = "static"           // tenants only
	KindConnectionString  = "connectionString" // store only
	KindSAS               = "sas"              // store only
)

// Store is where reports, state and journal are kept.
type Store struct {
	// URL is file: and an absolute path, or the address of a blob container
	// with an optional prefix.
	URL        string
	Credential StoreCredential
	// KeepDays is how many days a run is kept; 0 keeps all.
	KeepDays int
	// ImmutableDays is the retention policy that files are written with; 0
	// writes none.
	ImmutableDays int
}

// StoreCredential says how to sign in to the store.
type StoreCredential struct {
	Credential
	// TenantID and AuthorityHost are of the directory that guards the storage
	// account; empty means the environment's tenant and the address's cloud.
	TenantID, AuthorityHost string
	ConnectionString, SAS   Secret
}

// Schedule is what serve does by itself.
type Schedule struct {
	Cron     string // five fields or a descriptor; empty: no schedule
	TimeZone string // IANA name
	Mode     string // plan or apply
}

// Sweep bounds and paces the reading.
type Sweep struct {
	Lookback, Overlap time.Duration
	FullEvery         time.Duration // how often everything in the lookback is read again
	Settle            time.Duration // how long an action without an outcome stays pending
	Timeout           time.Duration // of a whole run
	RequestTimeout    time.Duration // of one request and its answer
	RequestsPerSecond float64       // 0: unpaced
	ServicePrincipals string        // auto, true or false
	Beta              bool          // agents and hidden policies are read from beta
	Logs              string        // auto or off
	Coverage          string        // auto, full, risky or off
	MaxConcurrent     int           // tenants at work at the same time; 0: no bound
}

// Enforcement is what apply may do.
type Enforcement struct {
	plan.Enforcement
	AllowEnabledPolicies, AllowWeakening, Prune bool
	RequireReason                               bool // of an order by a person
}

// Exceptions bounds the exceptions to policies.
type Exceptions struct {
	MaxDuration time.Duration
}

// HTTP is the API of serve.
type HTTP struct {
	Listen string // host:port
	// Token is the bearer token of the API. It may be missing while serve is
	// not used.
	Token      Secret
	AllowApply bool // a POST may ask for an apply run
	// Issuer, Audience and Role are what an Entra token must carry; all empty
	// if such tokens are not taken.
	Issuer, Audience, Role string
}

// Report says how reports are written.
type Report struct {
	Redact  string   // names and addresses: none, hash or drop
	Formats []string // besides the ones that are always written: ocsf
	CSV     CSV
	// SLA is how long risk of each level may stay open.
	SLA SLA
}

// CSV says how the CSV files of runs are written.
type CSV struct {
	BOM   bool   // begins with a byte order mark
	Times string // rfc3339 or excel
}

// SLA is how long open risk may wait for a person, by riskLevel.
type SLA struct{ High, Medium, Low time.Duration }

// Notice is a webhook that hears of what needs a person.
type Notice struct {
	Kind    string   // teams, slack or json
	URL     Secret   // the address carries its own key
	Tenants []string // names; empty: all
	Timeout time.Duration
}

// Setting is one effective value.
type Setting struct {
	Key   string
	Value string // secrets as "(set)" or "(not set)"
	// Source is "default", "file risksweep.yaml:3", "environment
	// RISKSWEEP_STORE_URL" or "flag --store-url".
	Source string
}

// Effective lists every value and where it came from, in the order of the
// reference.
func (c *Config) Effective() []Setting { return append([]Setting(nil), c.settings...) }
