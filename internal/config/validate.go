package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/risksweep/risksweep/internal/schedule"
	"github.com/risksweep/risksweep/internal/yamldoc"
	"github.com/risksweep/risksweep/internal/zones"
)

var (
	guidText   = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	domainText = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])$`)
	nameText   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9_-])?$`)
	// Names that some file systems keep for devices.
	deviceText    = regexp.MustCompile(`(?i)^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)`)
	accountText   = regexp.MustCompile(`^[a-z0-9]{3,24}$`)
	containerText = regexp.MustCompile(`^[a-z0-9](-?[a-z0-9])+$`)
)

func tenantName(r *reader, n *yamldoc.Node, s string) {
	if !nameText.MatchString(s) || strings.Contains(s, "..") || deviceText.MatchString(s) {
		r.Add(n, "%q cannot be a path segment in the store: use letters, digits, - _ and single dots inside, at most 63", s)
	}
}

func guid(r *reader, n *yamldoc.Node, s string) {
	if !guidText.MatchString(s) {
		r.Add(n, "must be a GUID such as 11111111-2222-3333-4444-555555555555, not %q", s)
	}
}

func tenantID(r *reader, n *yamldoc.Node, s string) {
	if !guidText.MatchString(s) && (len(s) > 253 || !domainText.MatchString(s)) {
		r.Add(n, "must be the GUID of the tenant or one of its verified domains, not %q", s)
	}
}

func resourceID(r *reader, n *yamldoc.Node, s string) {
	if !strings.HasPrefix(strings.ToLower(s), "/subscriptions/") || !strings.Contains(strings.ToLower(s), "/providers/microsoft.managedidentity/userassignedidentities/") {
		r.Add(n, "must be the resource id of a user-assigned identity, /subscriptions/…/userAssignedIdentities/NAME, not %q", s)
	}
}

func timeZone(r *reader, n *yamldoc.Node, s string) {
	if _, err := zones.Load(s); err != nil || strings.EqualFold(s, "local") {
		r.Suggest(n, s, commonZones, "must be a time zone such as Europe/Berlin, not %q", s)
	}
}

// commonZones are candidates for a suggestion only.
var commonZones = []string{"UTC", "Europe/Berlin", "Europe/London", "Europe/Paris", "Europe/Madrid", "Europe/Rome", "Europe/Zurich", "Europe/Vienna",
	"Europe/Amsterdam", "Europe/Brussels", "Europe/Stockholm", "Europe/Warsaw", "Europe/Athens", "America/New_York", "America/Chicago", "America/Denver",
	"America/Los_Angeles", "America/Toronto", "America/Sao_Paulo", "Asia/Tokyo", "Asia/Singapore", "Asia/Kolkata", "Asia/Shanghai", "Asia/Dubai", "Australia/Sydney"}

// cronSpec checks a schedule with the parser that runs it. The parser panics
// on a time zone without a schedule, and its zone would hide schedule.timeZone.
func cronSpec(r *reader, n *yamldoc.Node, s string) {
	if strings.Contains(s, "TZ=") {
		r.Add(n, "must not name a time zone; use schedule.timeZone")
		return
	}
	parsed, err := cron.ParseStandard(schedule.Sunday(s))
	if err != nil {
		fields := len(strings.Fields(s))
		if fields != 5 && !strings.HasPrefix(s, "@") {
			r.Add(n, "must have the five fields minute, hour, day of month, month and day of week, not %d: %q", fields, s)
			return
		}
		r.Suggest(n, s, []string{"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly"}, "is not a schedule: %v", err)
		return
	}
	// A day that no month has, such as 31 February. The parser looks five
	// years ahead, which any 29 February from 2026 on is within.
	if parsed.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		r.Add(n, "%q is a day that never comes", s)
		return
	}
	if surprise := schedule.Surprise(s); surprise != "" {
		r.Warn(n, "%q: %s", s, surprise)
	}
}

func listenAddress(r *reader, n *yamldoc.Node, s string) {
	host, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err == nil && host != "" && strings.ContainsAny(host, " /@") {
		err = fmt.Errorf("bad host")
	}
	if err != nil {
		r.Add(n, "must be HOST:PORT such as 127.0.0.1:8080, not %q", s)
	}
}

// webAddress is an absolute https address; http on loopback only.
func webAddress(r *reader, n *yamldoc.Node, s string) {
	u, err := url.Parse(s)
	if why := badWebAddress(s); why != "" {
		r.Add(n, "the address %s", why)
	} else if err == nil && u.RawQuery != "" {
		r.Add(n, "the address must not have a query")
	}
}

// badWebAddress says what is wrong with an address, empty if nothing is. The
// address itself is not repeated: it may carry a key.
func badWebAddress(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Opaque != "" || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return "must be an absolute URL that begins with https://"
	case u.User != nil:
		return "must not carry a user name or password"
	case u.Fragment != "" || strings.HasSuffix(s, "#"):
		return "must not have a fragment"
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return "must use https; plain http is for loopback only"
	}
	return ""
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func loopbackURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && loopback(u.Hostname())
}

// storeURL checks the forms of store.url.
func storeURL(r *reader, n *yamldoc.Node, s string) {
	if rest, ok := strings.CutPrefix(s, "file:"); ok {
		if filePath(rest) == "" {
			r.Add(n, "file: needs a folder, such as file:./reports")
		}
		return
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		r.Add(n, "must be file:PATH or https://ACCOUNT.blob.core.windows.net/CONTAINER[/PREFIX], not %q", withoutQuery(s))
		return
	}
	if u.RawQuery != "" {
		r.Add(&yamldoc.Node{File: n.File, Line: n.Line, Column: n.Column, Path: n.Path}, "must not carry a query; a shared access signature belongs to store.credential of kind sas")
		return
	}
	if why := badWebAddress(s); why != "" {
		r.Add(n, "the address %s", why)
		return
	}
	segments := strings.Split(strings.Trim(u.Path, "/"), "/")
	if loopback(u.Hostname()) {
		if !accountText.MatchString(segments[0]) {
			r.Add(n, "an emulator's address must be http://127.0.0.1:PORT/ACCOUNT/CONTAINER[/PREFIX]")
			return
		}
		segments = segments[1:]
	}
	if len(segments) == 0 || segments[0] == "" {
		r.Add(n, "the address must name a container: %s/CONTAINER", strings.TrimRight(s, "/"))
		return
	}
	if c := segments[0]; len(c) < 3 || len(c) > 63 || !containerText.MatchString(c) {
		r.Add(n, "%q cannot be a container: 3 to 63 lower-case letters, digits and single hyphens inside", c)
	}
	if clean := path.Clean(u.Path); clean != strings.TrimRight(u.Path, "/") {
		r.Add(n, "the address must not have empty or dotted segments")
	}
}

func withoutQuery(s string) string {
	before, _, _ := strings.Cut(s, "?")
	return before
}

// filePath is the path of what follows file:, which may begin with // and an
// empty host.
func filePath(rest string) string {
	if strings.HasPrefix(rest, "///") {
		return rest[2:]
	}
	return rest
}

// crossCheck looks at values that only together are wrong.
func (r *reader) crossCheck(cfg *Config, given map[string]*yamldoc.Node) {
	for _, key := range []string{"store.url", "schedule.timeZone", "http.listen"} {
		if n := given[key]; n != nil && n.Kind == yamldoc.String && n.Value == "" {
			r.Add(n, "must not be empty")
		}
	}
	if rest, ok := strings.CutPrefix(cfg.Store.URL, "file:"); ok {
		n := cmp.Or(given["store.url"], &yamldoc.Node{File: "default"})
		cfg.Store.URL = "file:" + r.absolute(n, filePath(rest))
		for i := range cfg.settings {
			if cfg.settings[i].Key == "store.url" {
				cfg.settings[i].Value = cfg.Store.URL
			}
		}
		if cfg.Store.ImmutableDays > 0 {
			r.Add(given["store.immutableDays"], "a folder has no immutability; it needs a blob container")
		}
	}
	if cfg.Store.KeepDays > 0 && cfg.Store.ImmutableDays > cfg.Store.KeepDays {
		r.Add(given["store.immutableDays"], "must not exceed store.keepDays (%d): what is immutable cannot be deleted", cfg.Store.KeepDays)
	}
	if at := given["sweep.overlap"]; cfg.Sweep.Overlap >= cfg.Sweep.Lookback && cfg.Sweep.Lookback > 0 {
		r.Add(cmp.Or(at, given["sweep.lookback"]), "sweep.overlap (%s) must be shorter than sweep.lookback (%s)", shortDuration(cfg.Sweep.Overlap), shortDuration(cfg.Sweep.Lookback))
	} else if at != nil && cfg.Sweep.Overlap < 48*time.Hour {
		r.Warn(at, "offline detections come up to 48 hours late; a shorter overlap may miss them until the next full sweep")
	}
	if cfg.HTTP.Issuer != "" || cfg.HTTP.Audience != "" || cfg.HTTP.Role != "" {
		for _, key := range []string{"http.issuer", "http.audience", "http.role"} {
			if n := given[key]; n == nil || n.Value == "" {
				r.Add(cmp.Or(given["http.issuer"], given["http.audience"], given["http.role"]), "%s is missing: issuer, audience and role go together", key)
			}
		}
	}
	cred := cfg.Store.Credential
	m := credentialMembers{of: "store.credential.", given: given, kind: cred.Kind, at: cmp.Or(given["store.credential.kind"], given["store.url"], &yamldoc.Node{File: r.opts.File, Path: "store.credential"})}
	r.absent = cred.Absent
	r.credential(m, cred.Credential)
	cfg.Store.Credential.Absent = r.absent
	if (cred.Kind == KindClientSecret || cred.Kind == KindClientCertificate) && cred.TenantID == "" {
		r.Add(m.at, "kind %s needs tenantId", cred.Kind)
	}
}
