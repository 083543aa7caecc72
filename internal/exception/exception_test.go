package exception_test

import (
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/exception"
	"github.com/risksweep/risksweep/internal/plan"
)

var now = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func parse(t *testing.T, text string) *exception.List {
	t.Helper()
	l, problems := exception.Parse("exceptions.yaml", []byte(text), exception.Known{Now: now, Policies: map[string]bool{"CA010": true, "CA020": false}})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestParseTellsEveryMistake(t *testing.T) {
	entry := func(change ...string) string {
		s := `{id: a, users: [ada@contoso.com], policies: [CA010], until: 2026-12-08T18:00:00Z, reason: r, owner: o}`
		return "exceptions: [" + strings.NewReplacer(change...).Replace(s) + "]\n"
	}
	for text, want := range map[string]string{
		"":                            "",
		"exceptions: []":              "",
		"exceptions:\n":               "",
		entry():                       "",
		entry("T18:00:00Z", ""):       "",
		"exception: []":               "unknown key",
		entry("id: a", "id: ''"):      "cannot be empty",
		entry(", owner: o", ""):       "owner is missing",
		entry("CA010", "CA01"):        "no policy with the key",
		entry("CA010", "Ask for MFA"): `"Ask for MFA" is a displayName; the policy's key is CA010`,
		entry("ada@contoso.com", `"ada\u200b@contoso.com"`):              "neither a user principal name nor an object id",
		entry("CA010", "CA020"):                                          "takes no exceptions",
		entry("[CA010]", "[]"):                                           "names no policy",
		entry("ada@", "ada"):                                             "neither a user principal name nor an object id",
		entry("12-08T", "13-08T"):                                        "must be a time with its zone",
		entry("T18:00:00Z", "T18"):                                       "must be a time with its zone",
		entry("2026-12", "2027-12"):                                      "exceptions.maxDuration allows 30 days",
		entry("2026-12", "2026-11"):                                      "warning: .*ended at 2026-11-08 18:00 UTC",
		entry("[ada@contoso.com]", "[ada@contoso.com, ADA@contoso.com]"): "stands here twice",
		strings.Replace(entry(), "]\n", ", {id: A, users: [b@contoso.com], policies: [CA010], until: 2026-12-08, reason: r, owner: o}]", 1): "is used at line 1 already",
	} {
		_, problems := exception.Parse("exceptions.yaml", []byte(text), exception.Known{Now: now, Policies: map[string]bool{"CA010": true, "CA020": false}, Named: map[string]string{"Ask for MFA": "CA010"}})
		var all []string
		for _, p := range problems {
			all = append(all, p.Error())
		}
		got := strings.Join(all, "\n")
		warning, w := strings.CutPrefix(want, "warning: .*")
		switch {
		case want == "" && got != "":
			t.Errorf("%q: %s", text, got)
		case w && (problems.Err() != nil || !strings.Contains(got, warning)), !strings.Contains(got, warning):
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func directory() exception.Directory {
	names := entra.Names{}
	for name, id := range map[string]string{"ada@contoso.com": "ada", "bob@contoso.com": "bob", "admin@contoso.com": "admin", "bg1@contoso.com": "bg1", "ceo@contoso.com": "ceo"} {
		ref := entra.Ref{Kind: entra.KindUser, Name: name}
		names[ref] = entra.Resolution{Ref: ref, Objects: []entra.DirectoryObject{{Kind: entra.KindUser, ID: entra.ID(id), UserPrincipalName: name}}}
	}
	return exception.Directory{Names: names, Privileged: &entra.Privileged{Users: map[entra.ID][]string{"admin": {"holds User Administrator"}}},
		BreakGlass: map[entra.ID]string{"bg1": "breakGlass.users: bg1"}, Protected: func(id entra.ID) string {
			if id == "ceo" {
				return "protected.users names ceo"
			}
			return ""
		}}
}

// Who is put out is who may be; whom an exception has put out before stays until
// the end where it cannot be told who is meant.
func TestBind(t *testing.T) {
	recorded := func(entry, user string, since, until time.Time) plan.Exclusion {
		return plan.Exclusion{Key: "CA010", PolicyID: "p", UserID: entra.ID(user), Exception: entry, Since: since, Until: until}
	}
	one := func(user, until, more string) string {
		return "exceptions: [{id: a, users: [" + user + "], policies: [CA010], until: " + until + ", reason: r, owner: o" + more + "}]"
	}
	for name, c := range map[string]struct {
		text     string
		change   func(*exception.Directory)
		recorded []plan.Exclusion
		want     string // "user until", ? where unsure
		problem  string
	}{
		"a user":                        {text: one("ada@contoso.com", "2026-12-08", ""), want: "ada 12-09"},
		"ended":                         {text: one("ada@contoso.com", "2026-11-08", "")},
		"nobody of that name":           {text: one("eve@contoso.com", "2026-12-08", ""), problem: "eve@contoso.com"},
		"nobody of that name any more":  {text: one("eve@contoso.com", "2026-12-08", ""), recorded: []plan.Exclusion{recorded("a", "old", now.Add(-day), now.Add(day))}, want: "old 12-09?", problem: "eve@contoso.com"},
		"a role":                        {text: one("admin@contoso.com", "2026-12-08", ""), problem: "holds User Administrator"},
		"a role with leave":             {text: one("admin@contoso.com", "2026-12-08", ", privileged: true"), want: "admin 12-09"},
		"roles not read":                {text: one("ada@contoso.com", "2026-12-08", ""), change: func(d *exception.Directory) { d.Privileged, d.PrivilegedError = nil, "403" }, want: "ada 12-09?", problem: "403"},
		"break-glass":                   {text: one("bg1@contoso.com", "2026-12-08", ""), problem: "break-glass"},
		"break-glass not known":         {text: one("ada@contoso.com", "2026-12-08", ""), change: func(d *exception.Directory) { d.BreakGlassError = "no group" }, want: "ada 12-09?", problem: "no group"},
		"protected":                     {text: one("ceo@contoso.com", "2026-12-08", ""), problem: "protected"},
		"made longer, to the very most": {text: one("ada@contoso.com", "2026-12-30", ""), recorded: []plan.Exclusion{recorded("a", "ada", now.Add(-20*day), now.Add(day))}, want: "ada 12-11"},
		"made longer than any may be":   {text: one("ada@contoso.com", "2026-12-30", ""), recorded: []plan.Exclusion{recorded("a", "ada", now.Add(-31*day), now.Add(-day))}, problem: "the longest that exceptions.maxDuration allows"},
		"two for the same":              {text: "exceptions: [{id: a, users: [ada@contoso.com], policies: [CA010], until: 2026-12-03, reason: r, owner: o}, {id: b, users: [ada@contoso.com], policies: [CA010], until: 2026-12-08, reason: r, owner: o}]", want: "ada 12-09"},
	} {
		t.Run(name, func(t *testing.T) {
			d := directory()
			if c.change != nil {
				c.change(&d)
			}
			b := parse(t, c.text).Bind(d, now, c.recorded)
			var got, problems []string
			for _, w := range b.Wanted {
				text := string(w.UserID) + " " + w.Until.Format("01-02")
				if w.Unsure != "" {
					text += "?"
				}
				got = append(got, text)
			}
			for _, p := range b.Problems {
				problems = append(problems, p.Text)
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if all := strings.Join(problems, "\n"); (all == "") != (c.problem == "") || !strings.Contains(all, c.problem) {
				t.Errorf("problems %q, want %q", all, c.problem)
			}
		})
	}
}

func TestNoFileEndsWhatIsRecorded(t *testing.T) {
	var l *exception.List
	b := l.Bind(exception.Directory{}, now, []plan.Exclusion{{Key: "CA010", UserID: "ada", Until: now.Add(day)}})
	if len(b.Wanted) != 0 || len(b.Recorded) != 1 || l.Live(now) || len(l.Refs()) != 0 {
		t.Errorf("%+v", b)
	}
}
