package graphsim

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"time"
)

// rule is one entry of a fault script: which calls, and what befalls them.
type rule struct {
	method, path      string
	nth, every, times int
	do                action

	matched, fired int
}

// action is what befalls a call; several at once are possible.
//
// With status alone the call has no effect. drop before and after end the
// connection before or after the effect; beside a status they only say whether
// the call had its effect. truncate, body and the page faults change the
// answer of a call that was carried out.
type action struct {
	status                              int
	retryAfter                          string
	delay                               time.Duration
	drop                                string
	truncate                            *int
	loopNextLink, repeatPage, emptyPage bool
	body                                []byte
}

func (a *action) pages() bool { return a.loopNextLink || a.repeatPage || a.emptyPage }

// merge adds what another rule does; what is set already stays.
func (a *action) merge(b action) {
	if a.status == 0 {
		a.status = b.status
	}
	if a.retryAfter == "" {
		a.retryAfter = b.retryAfter
	}
	a.delay = max(a.delay, b.delay)
	if a.drop == "" {
		a.drop = b.drop
	}
	if a.truncate == nil {
		a.truncate = b.truncate
	}
	if !a.pages() {
		a.loopNextLink, a.repeatPage, a.emptyPage = b.loopNextLink, b.repeatPage, b.emptyPage
	}
	if a.body == nil {
		a.body = b.body
	}
}

// faults plays a script.
type faults struct {
	mu    sync.Mutex
	rules []*rule
	// aliases are next links of our own making: skip token -> raw query that
	// it stands for.
	aliases map[string]string
}

func (f *faults) set(rules []*rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules, f.aliases = rules, map[string]string{}
}

// take counts a call against every rule and returns what befalls it, nil if
// nothing does. Each rule counts its own matches. A page that a script already
// put off (aliased) is not put off again.
func (f *faults) take(method, path, canonical string, aliased bool) *action {
	f.mu.Lock()
	defer f.mu.Unlock()
	var do *action
	for _, r := range f.rules {
		if r.method != "" && r.method != method {
			continue
		}
		if r.path != "" && !glob(strings.ToLower(r.path), strings.ToLower(path)) && !glob(strings.ToLower(r.path), strings.ToLower(canonical)) {
			continue
		}
		if aliased && r.do.pages() && !r.do.loopNextLink {
			continue
		}
		r.matched++
		if !r.fires() {
			continue
		}
		r.fired++
		if do == nil {
			do = &action{}
		}
		do.merge(r.do)
	}
	return do
}

// fires says whether the match just counted is one that the rule is for: the
// nth (with times: that many from the nth on), every so-manieth, at most so
// many times.
func (r *rule) fires() bool {
	switch {
	case r.times > 0 && r.fired >= r.times:
		return false
	case r.nth > 0 && r.times == 0:
		return r.matched == r.nth
	case r.nth > 0:
		return r.matched >= r.nth
	case r.every > 0:
		return r.matched%r.every == 0
	}
	return true
}

// alias makes a skip token that stands for a query. It looks like the
// service's own tokens (graph-api §1.3).
func (f *faults) alias(query string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.aliases == nil || len(f.aliases) > 100_000 {
		f.aliases = map[string]string{}
	}
	sum := sha256.Sum256([]byte(strconv.Itoa(len(f.aliases)) + " " + query))
	token := hex.EncodeToString(sum[:]) + "_" + strconv.Itoa(len(f.aliases))
	f.aliases[token] = query
	return token
}

func (f *faults) resolve(token string) (query string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	query, ok = f.aliases[token]
	return query, ok
}

// glob matches a whole text; * stands for any run of characters, / too.
func glob(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, last)
}
