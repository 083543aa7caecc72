package config

import (
	"time"
)

const (
	day  = 24 * time.Hour
	ever = 3650 * day
)

// keys are all keys but the lists tenants and notices. Dotted names nest.
var keys = func() []field[Config] {
	all := []field[Config]{
		text("store.url", "file:./reports", "Where reports, state and journal are kept: file:PATH, https://ACCOUNT.blob.core.windows.net/CONTAINER[/PREFIX], or an emulator on loopback.",
			func(c *Config) *string { return &c.Store.URL }, storeURL),
		whole("store.keepDays", "0", "Days that runs are kept; 0 keeps all. The newest complete run always stays.", 36500, func(c *Config) *int { return &c.Store.KeepDays }),
		whole("store.immutableDays", "0", "Days from the start of a run during which its files cannot be changed; needs a container with version-level immutability. 0 keeps none.", 36500, func(c *Config) *int { return &c.Store.ImmutableDays }),
	}
	for _, f := range storeCredentialKeys {
		all = append(all, lift("store.credential.", f, func(c *Config) *StoreCredential { return &c.Store.Credential }))
	}
	return append(all,
		text("schedule.cron", "0 2 * * *", "When serve sweeps: five cron fields or a descriptor such as @daily; empty: never by itself.", func(c *Config) *string { return &c.Schedule.Cron }, cronSpec),
		text("schedule.timeZone", "UTC", "Time zone of schedule.cron, an IANA name.", func(c *Config) *string { return &c.Schedule.TimeZone }, timeZone),
		enum("schedule.mode", "plan", "What a scheduled run does.", func(c *Config) *string { return &c.Schedule.Mode }, "plan", "apply"),

		duration("sweep.lookback", "720h", "How far back a full sweep reads detections; open risk is read whatever its age.", time.Hour, 366*day, func(c *Config) *time.Duration { return &c.Sweep.Lookback }),
		duration("sweep.overlap", "48h", "How far before the last watermark an incremental sweep begins; offline detections come up to 48 hours late.", 0, 366*day, func(c *Config) *time.Duration { return &c.Sweep.Overlap }),
		duration("sweep.fullEvery", "168h", "How often a full sweep replaces an incremental one; 0s: every time.", 0, 366*day, func(c *Config) *time.Duration { return &c.Sweep.FullEvery }),
		duration("sweep.settle", "15m", "How long an action on a user whose outcome was lost stays pending before it is planned anew. Policies are looked for for a minute, or this if it is shorter.", time.Second, day, func(c *Config) *time.Duration { return &c.Sweep.Settle }),
		duration("sweep.timeout", "24h", "The longest that one run may take.", time.Second, 30*day, func(c *Config) *time.Duration { return &c.Sweep.Timeout }),
		duration("sweep.requestTimeout", "2m", "The longest that one request to Microsoft Graph may take, answer included.", time.Second, time.Hour, func(c *Config) *time.Duration { return &c.Sweep.RequestTimeout }),
		number("sweep.requestsPerSecond", "1", "Pace of the requests to one tenant; the service allows 1; 0: unpaced.", 10000, func(c *Config) *float64 { return &c.Sweep.RequestsPerSecond }),
		whole("sweep.maxConcurrent", "64", "Tenants at work at the same time; memory grows with it, not with the number of tenants; 0: no bound.", 100_000, func(c *Config) *int { return &c.Sweep.MaxConcurrent }),
		enum("sweep.servicePrincipals", "auto", "Whether risky service principals are read; auto: where the licence allows.", func(c *Config) *string { return &c.Sweep.ServicePrincipals }, "auto", "true", "false"),
		boolean("sweep.beta", "false", "Agents at risk, and the names of policies that v1.0 hides, are read from the beta version of Microsoft Graph; nothing is ever written to it.", func(c *Config) *bool { return &c.Sweep.Beta }),
		enum("sweep.logs", "auto", "Whether the audit and sign-in logs are read; auto: where AuditLog.Read.All is granted.", func(c *Config) *string { return &c.Sweep.Logs }, "auto", "off"),
		enum("sweep.coverage", "auto", "Whom a sweep judges by the live policies, for coverage.json, the page and the effects of changes; auto: users at risk, everybody where a full sweep is due, nobody without a baseline; risky, full: whether there is a baseline or not; off: nobody.", func(c *Config) *string { return &c.Sweep.Coverage }, "auto", "full", "risky", "off"),

		boolean("enforcement.dismiss", "false", "apply may dismiss risk.", func(c *Config) *bool { return &c.Enforcement.Dismiss }),
		boolean("enforcement.confirmCompromised", "false", "apply may confirm users compromised.", func(c *Config) *bool { return &c.Enforcement.ConfirmCompromised }),
		boolean("enforcement.dismissDetections", "false", "apply may close single sign-ins that an allowlist entry of scope detections covers.", func(c *Config) *bool { return &c.Enforcement.DismissDetections }),
		boolean("enforcement.revokeSessions", "false", "apply may revoke the sessions of users whom an escalation confirms compromised.", func(c *Config) *bool { return &c.Enforcement.RevokeSessions }),
		boolean("enforcement.disableAccount", "false", "apply may disable the accounts of users whom an escalation confirms compromised.", func(c *Config) *bool { return &c.Enforcement.DisableAccount }),
		boolean("enforcement.servicePrincipals", "false", "apply may dismiss the risk of service principals and confirm them compromised.", func(c *Config) *bool { return &c.Enforcement.ServicePrincipals }),
		boolean("enforcement.policies", "false", "apply may write policies, named locations and authentication strengths.", func(c *Config) *bool { return &c.Enforcement.Policies }),
		boolean("enforcement.allowEnabledPolicies", "false", "Writes may change the effect of enabled policies.", func(c *Config) *bool { return &c.Enforcement.AllowEnabledPolicies }),
		boolean("enforcement.allowWeakening", "false", "Writes may weaken enabled policies.", func(c *Config) *bool { return &c.Enforcement.AllowWeakening }),
		boolean("enforcement.prune", "false", "Owned policies that left the baseline are deleted.", func(c *Config) *bool { return &c.Enforcement.Prune }),
		boolean("enforcement.exceptions", "false", "apply may begin and end exceptions.", func(c *Config) *bool { return &c.Enforcement.Exceptions }),
		boolean("enforcement.requireReason", "false", "An order by a person that is carried out without being asked, with --yes, must say why with --reason.", func(c *Config) *bool { return &c.Enforcement.RequireReason }),
		boolean("enforcement.promote", "false", "Policies with promote are enabled when their evidence holds; needs enforcement.policies and enforcement.allowEnabledPolicies.", func(c *Config) *bool { return &c.Enforcement.Promote }),

		whole("limits.maxDismissals", "50", "Dismissals in 24 hours; 0: none.", 1e6, func(c *Config) *int { return &c.Limits.MaxDismissals }),
		whole("limits.maxConfirmCompromised", "10", "Confirmations in 24 hours; 0: none.", 1e6, func(c *Config) *int { return &c.Limits.MaxConfirmCompromised }),
		whole("limits.maxDetectionDismissals", "100", "Single detections that are closed in 24 hours; 0: none.", 1e6, func(c *Config) *int { return &c.Limits.MaxDetectionDismissals }),
		whole("limits.maxRevocations", "10", "Users whose sessions are revoked in 24 hours; 0: none.", 1e6, func(c *Config) *int { return &c.Limits.MaxRevocations }),
		whole("limits.maxDisables", "5", "Accounts that are disabled in 24 hours; 0: none.", 1e6, func(c *Config) *int { return &c.Limits.MaxDisables }),
		whole("limits.maxServicePrincipals", "5", "Service principals that are dismissed or confirmed compromised in 24 hours; 0: none.", 1e6, func(c *Config) *int { return &c.Limits.MaxServicePrincipals }),
		number("limits.maxShareOfRiskyUsers", "0.25", "Share of the users at risk that may be acted on, counted from 20 users on.", 1, func(c *Config) *float64 { return &c.Limits.MaxShareOfRiskyUsers }),
		whole("limits.maxPolicyCreates", "50", "Creates of policies, locations and strengths in 24 hours; 0: none.", 1e6, func(c *Config) *int { return &c.Limits.MaxPolicyCreates }),
		whole("limits.maxPolicyUpdates", "20", "Updates of policies, locations and strengths in 24 hours; 0: none.", 1e6, func(c *Config) *int { return &c.Limits.MaxPolicyUpdates }),
		whole("limits.maxPolicyDeletes", "0", "Deletes of policies, locations and strengths in 24 hours; 0: none.", 1e6, func(c *Config) *int { return &c.Limits.MaxPolicyDeletes }),
		whole("limits.maxExceptions", "10", "Users whom exceptions put out of policies in 24 hours, each policy counted, and as many who are taken back before the end; 0: none. An end whose time has come is not counted.", 1e6, func(c *Config) *int { return &c.Limits.MaxExceptions }),

		duration("exceptions.maxDuration", "720h", "The longest that an exception may last.", time.Hour, 366*day, func(c *Config) *time.Duration { return &c.Exceptions.MaxDuration }),
		whole("limits.maxPromotions", "1", "Policies enabled by their evidence in 24 hours; 0: none.", 1e6, func(c *Config) *int { return &c.Limits.MaxPromotions }),

		text("http.listen", "127.0.0.1:8080", "Address that serve listens on.", func(c *Config) *string { return &c.HTTP.Listen }, listenAddress),
		hidden("http.token", "Bearer token of the API of serve.", true, func(c *Config) *Secret { return &c.HTTP.Token }),
		boolean("http.allowApply", "false", "A POST may ask for an apply run, not only for a plan.", func(c *Config) *bool { return &c.HTTP.AllowApply }),
		text("http.issuer", "", "Issuer of the Entra tokens that the API takes besides its own token; needs http.audience and http.role.", func(c *Config) *string { return &c.HTTP.Issuer }, webAddress),
		text("http.audience", "", "Audience that an Entra token must have.", func(c *Config) *string { return &c.HTTP.Audience }),
		text("http.role", "", "App role that an Entra token must carry.", func(c *Config) *string { return &c.HTTP.Role }),

		enum("report.redact", "none", "How names and addresses stand in reports.", func(c *Config) *string { return &c.Report.Redact }, "none", "hash", "drop"),
		list("report.formats", "Formats besides JSON, CSV and HTML.", func(c *Config) *[]string { return &c.Report.Formats }, "ocsf"),
		boolean("report.csv.bom", "true", "CSV files of runs begin with a byte order mark, by which spreadsheets know UTF-8.", func(c *Config) *bool { return &c.Report.CSV.BOM }),
		enum("report.csv.times", "excel", "Times in CSV files of runs: excel (2026-11-30 03:10:00, in UTC, which spreadsheets read) or rfc3339 (as Graph sent them).", func(c *Config) *string { return &c.Report.CSV.Times }, "rfc3339", "excel"),
		duration("report.sla.high", "24h", "How long risk of level high may stay open.", time.Minute, ever, func(c *Config) *time.Duration { return &c.Report.SLA.High }),
		duration("report.sla.medium", "72h", "How long risk of level medium may stay open.", time.Minute, ever, func(c *Config) *time.Duration { return &c.Report.SLA.Medium }),
		duration("report.sla.low", "168h", "How long risk of level low may stay open.", time.Minute, ever, func(c *Config) *time.Duration { return &c.Report.SLA.Low }),
	)
}()

var credentialKinds = []string{KindDefault, KindManagedIdentity, KindWorkloadIdentity, KindClientSecret, KindClientCertificate, KindAzureCLI}

// credentialKeys are the members that tenants and store share, without kind.
var credentialKeys = []field[Credential]{
	text("clientId", "", "Application of a clientSecret, clientCertificate or workloadIdentity; user-assigned identity of a managedIdentity.", func(c *Credential) *string { return &c.ClientID }, guid),
	text("resourceId", "", "Resource id of a user-assigned managedIdentity.", func(c *Credential) *string { return &c.ResourceID }, resourceID),
	text("objectId", "", "Object id of a user-assigned managedIdentity.", func(c *Credential) *string { return &c.ObjectID }, guid),
	hidden("clientSecret", "Secret of kind clientSecret.", false, func(c *Credential) *Secret { return &c.ClientSecret }),
	filename("certificatePath", "Certificate and private key of kind clientCertificate, PEM or PFX.", func(c *Credential) *string { return &c.CertificatePath }),
	hidden("certificatePassword", "Password of the certificate file.", false, func(c *Credential) *Secret { return &c.CertificatePassword }),
	boolean("sendCertificateChain", "false", "Send the certificate chain, for subject name and issuer authentication.", func(c *Credential) *bool { return &c.SendCertificateChain }),
	filename("tokenFile", "Federated token of kind workloadIdentity; default: AZURE_FEDERATED_TOKEN_FILE.", func(c *Credential) *string { return &c.TokenFile }),
}

var tenantKeys = func() []field[Tenant] {
	all := []field[Tenant]{
		text("name", "", "Name of the tenant, a path segment in the store.", func(t *Tenant) *string { return &t.Name }, tenantName),
		text("tenantId", "", "Id or verified domain of the tenant.", func(t *Tenant) *string { return &t.TenantID }, tenantID),
		enum("cloud", "global", "Cloud of the tenant.", func(t *Tenant) *string { return &t.Cloud }, "global", "usgov", "usgovdod", "china"),
		enum("credential.kind", "default", "How to sign in to the tenant.", func(t *Tenant) *string { return &t.Credential.Kind }, append(append([]string(nil), credentialKinds...), KindStatic)...),
		hidden("credential.token", "Token of kind static, only with a graphEndpoint on loopback.", false, func(t *Tenant) *Secret { return &t.Credential.Token }),
		filename("baseline", "Baseline file or folder; none: policies are left out of the run.", func(t *Tenant) *string { return &t.Baseline }),
		filename("triage", "Triage file; none: triage is left out of the run.", func(t *Tenant) *string { return &t.Triage }),
		filename("exceptions", "File of exceptions, by which users stay out of policies of the baseline until a time; none: nobody does.", func(t *Tenant) *string { return &t.Exceptions }),
		filename("expectations", "File of expectations that the baseline must fulfil; none: nothing is expected.", func(t *Tenant) *string { return &t.Expectations }),
		text("graphEndpoint", "", "Address of Microsoft Graph with its version, if it is not the cloud's; plain http on loopback only.", func(t *Tenant) *string { return &t.GraphEndpoint }, webAddress),
		text("authorityHost", "", "Address to sign in at, if it is not the cloud's.", func(t *Tenant) *string { return &t.AuthorityHost }, webAddress),
	}
	for _, f := range credentialKeys {
		all = append(all, lift("credential.", f, func(t *Tenant) *Credential { return &t.Credential }))
	}
	return all
}()

var storeCredentialKeys = func() []field[StoreCredential] {
	all := []field[StoreCredential]{
		enum("kind", "default", "How to sign in to the store.", func(c *StoreCredential) *string { return &c.Kind }, append(append([]string(nil), credentialKinds...), KindConnectionString, KindSAS)...),
		hidden("connectionString", "Connection string of the storage account; also read from RISKSWEEP_STORE_CONNECTION_STRING.", false, func(c *StoreCredential) *Secret { return &c.ConnectionString }),
		hidden("sas", "Shared access signature of the container.", false, func(c *StoreCredential) *Secret { return &c.SAS }),
		text("tenantId", "", "Directory that guards the storage account.", func(c *StoreCredential) *string { return &c.TenantID }, tenantID),
		text("authorityHost", "", "Address to sign in at for the store, if it is not the cloud's.", func(c *StoreCredential) *string { return &c.AuthorityHost }, webAddress),
	}
	for _, f := range credentialKeys {
		all = append(all, lift("", f, func(c *StoreCredential) *Credential { return &c.Credential }))
	}
	return all
}()

var noticeKeys = []field[Notice]{
	enum("kind", "", "Form of the message.", func(n *Notice) *string { return &n.Kind }, "teams", "slack", "json"),
	hidden("url", "Address of the webhook; it carries its own key, so it is a secret.", false, func(n *Notice) *Secret { return &n.URL }),
	list("tenants", "Tenants whose runs are told; none: all.", func(n *Notice) *[]string { return &n.Tenants }),
	duration("timeout", "10s", "The longest that sending one notice may take, all tries together.", time.Second, 5*time.Minute, func(n *Notice) *time.Duration { return &n.Timeout }),
}
