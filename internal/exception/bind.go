package exception

import (
	"fmt"
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// Directory is what a run knows of the tenant's people.
type Directory struct {
	Names entra.Names
	// Privileged is nil if roles could not be read, with the reason.
	Privileged      *entra.Privileged
	PrivilegedError string
	// BreakGlass says of each break-glass user id why it is one;
	// BreakGlassError why somebody may be missing there.
	BreakGlass      map[entra.ID]string
	BreakGlassError string
	// Protected says why nothing is done about a user, or nothing.
	Protected func(entra.ID) string
}

// Bound is a file of exceptions bound to the ids of one tenant at one time.
type Bound struct {
	// Wanted are who is to stay out of what. Unsure ones stay out if they are
	// out already, and are not put out.
	Wanted []Wanted
	// Recorded are the exclusions that are ours, as the state has them.
	Recorded []plan.Exclusion
	// Problems keep an entry, or one of its users, from being carried out.
	Problems []Problem
	// Reasons are the texts of the entries by id.
	Entries map[string]Exception
	Now     time.Time
}

// Wanted is an exclusion that an entry asks for.
type Wanted struct {
	plan.Exclusion
	// Unsure says why it cannot be told that the user may be put out.
	Unsure string
}

// Problem is why an entry does not put a user out.
type Problem struct {
	Exception, User, Text string
	Entry                 Exception
}

// Due reports whether the time of an exclusion has come, by what is recorded or
// by what its entry says now.
func (b *Bound) Due(e plan.Exclusion) bool {
	entry, there := b.Entries[e.Exception]
	return !b.Now.Before(e.Until) || there && !b.Now.Before(entry.Until)
}

// Bind says who is to stay out of which policy now.
func (l *List) Bind(d Directory, now time.Time, recorded []plan.Exclusion) *Bound {
	b := &Bound{Recorded: recorded, Entries: map[string]Exception{}, Now: now}
	if l == nil {
		return b
	}
	for _, e := range l.Exceptions {
		b.Entries[e.ID] = e
		if !now.Before(e.Until) {
			continue
		}
		for _, name := range e.Users {
			b.user(l, d, e, name)
		}
	}
	return b
}

func (b *Bound) problem(e Exception, user, text string) {
	b.Problems = append(b.Problems, Problem{e.ID, user, fmt.Sprintf("the exception %s (%s:%d): %s", e.ID, e.File, e.Line, text), e})
}

// user binds one user of an entry.
func (b *Bound) user(l *List, d Directory, e Exception, name string) {
	ref := entra.Ref{Kind: entra.KindUser, Name: name}
	r := d.Names[ref]
	r.Ref = ref
	o, ok := r.Resolved()
	if !ok {
		b.problem(e, name, r.Problem())
		// Whoever the entry has put out before stays until its end: who of them
		// is meant cannot be told.
		for _, was := range b.Recorded {
			if was.Exception == e.ID && slices.Contains(e.Policies, was.Key) {
				b.want(l, e, was.Key, was.UserID, was.Name, r.Problem())
			}
		}
		return
	}
	label := o.UserPrincipalName
	if label == "" {
		label = o.DisplayName
	}
	unsure := ""
	switch why := d.BreakGlass[o.ID]; {
	case d.BreakGlassError != "":
		unsure = "who is a break-glass account is not known: " + d.BreakGlassError
	case why != "":
		b.problem(e, name, name+" is a break-glass account, which every policy excludes already: "+why)
		return
	}
	if d.Protected != nil {
		if why := d.Protected(o.ID); why != "" {
			b.problem(e, name, name+" is protected: "+why)
			return
		}
	}
	switch {
	case e.Privileged:
	case d.Privileged == nil:
		unsure = "directory roles could not be read, so nobody is put out who may hold one: " + d.PrivilegedError
	case len(d.Privileged.Users[o.ID]) > 0:
		b.problem(e, name, fmt.Sprintf("%s %s; say privileged: true if that is meant", name, d.Privileged.Users[o.ID][0]))
		return
	}
	if unsure != "" {
		b.problem(e, name, unsure)
	}
	for _, key := range e.Policies {
		b.want(l, e, key, o.ID, label, unsure)
	}
}

// want enters an exclusion. One that has lasted as long as any may has ended,
// whatever its entry says now; of two entries for the same user and policy the
// later end holds.
func (b *Bound) want(l *List, e Exception, key string, user entra.ID, name, unsure string) {
	w := Wanted{Exclusion: plan.Exclusion{Key: key, UserID: user, Name: name, Exception: e.ID, Since: b.Now.UTC(), Until: e.Until}, Unsure: unsure}
	for _, was := range b.Recorded {
		if was.Same(w.Exclusion) && was.Exception == e.ID {
			w.Since, w.Told = was.Since, was.Told && was.Until.Equal(w.Until)
		}
	}
	if longest := w.Since.Add(l.MaxDuration); longest.Before(w.Until) {
		w.Until = longest
	}
	if b.Due(w.Exclusion) {
		b.problem(e, name, fmt.Sprintf("%s has been out of %s since %s, the longest that exceptions.maxDuration allows; that has ended", name, key, Time(w.Since)))
		return
	}
	for i, o := range b.Wanted {
		if o.Same(w.Exclusion) {
			if o.Unsure != "" && w.Unsure == "" || (o.Unsure == "") == (w.Unsure == "") && o.Until.Before(w.Until) {
				b.Wanted[i] = w
			}
			return
		}
	}
	b.Wanted = append(b.Wanted, w)
}
