package graph

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
)

const (
	// logPage is the largest page of the logs.
	logPage = 1000
	// sliceRows is after how many rows a slice ends early, so that what is kept
	// to know rows again stays small whatever the tenant's size.
	sliceRows = 100_000

	day = 24 * time.Hour
	// maxSlice is how much of a quiet log one slice takes.
	maxSlice = 8 * day
)

// Audits reads the directory audits that a query selects, newest first, page by
// page. A page is valid until the next one is asked for.
func (c *Client) Audits(ctx context.Context, q entra.AuditQuery) iter.Seq2[[]entra.Audit, error] {
	var any string
	for _, s := range q.Services {
		any = either(any, "loggedByService eq "+literal(s))
	}
	for _, id := range q.Targets {
		any = either(any, "targetResources/any(t: t/id eq "+literal(string(id))+")")
	}
	return logRows(ctx, c, logOf[entra.Audit]{
		path: "/auditLogs/directoryAudits", date: "activityDateTime", filter: any, row: decodeAudit, slice: 31 * day,
		id: func(a *entra.Audit) string { return a.ID }, at: func(a *entra.Audit) entra.DateTime { return a.ActivityDateTime },
	}, q.LogWindow)
}

// SignIns reads the interactive sign-ins that a query selects, newest first,
// page by page. A page is valid until the next one is asked for.
func (c *Client) SignIns(ctx context.Context, q entra.SignInQuery) iter.Seq2[[]entra.SignIn, error] {
	var any string
	if len(q.UserIDs) > maxIDs {
		return func(yield func([]entra.SignIn, error) bool) {
			yield(nil, fmt.Errorf("graph: a query for %d ids, more than %d", len(q.UserIDs), maxIDs))
		}
	}
	for _, id := range q.UserIDs {
		any = either(any, "userId eq "+literal(string(id)))
	}
	slice := day
	if len(q.UserIDs) > 0 {
		slice = 31 * day // of a few people there are few
	}
	return logRows(ctx, c, logOf[entra.SignIn]{
		path: "/auditLogs/signIns", date: "createdDateTime", filter: any, row: signInDecoder(), slice: slice,
		id: func(s *entra.SignIn) string { return s.ID }, at: func(s *entra.SignIn) entra.DateTime { return s.CreatedDateTime },
	}, q.LogWindow)
}

func either(a, b string) string {
	if a == "" {
		return b
	}
	return a + " or " + b
}

// Identity says whom the token stands for, so that the product's own writes can
// be told from others' in the audit log. It sends nothing to the service; a token
// that cannot be read is an error that wraps entra.ErrOpaqueToken.
func (c *Client) Identity(ctx context.Context) (entra.Identity, error) {
	t, err := c.claims(ctx)
	if err != nil {
		return entra.Identity{}, err
	}
	return entra.Identity{AppID: entra.NewID(t.AppID), ObjectID: entra.NewID(t.ObjectID)}, nil
}

// logOf describes a log.
type logOf[T any] struct {
	path, date string
	filter     string
	row        func(*rowReader, *T) error
	id         func(*T) string
	at         func(*T) entra.DateTime
	slice      time.Duration // the length of the first slice
}

// logReading is one reading of a log, from its end backwards in slices. Rows
// come newest first: what comes late shifts those that were not read yet onto
// the next page, where they are known again, and what gets too old goes where
// nothing is read any more. So no row is lost and none counts twice.
type logReading[T any] struct {
	client *Client
	of     logOf[T]
	seed   maphash.Seed
	intern *interner
	seen   map[uint64]time.Time // rows of this slice, and of the ones before at its edge
}

// logRows reads a window slice by slice. A slice that the service breaks off,
// because it has forgotten the link to the next page, goes on from the oldest row
// that was read.
func logRows[T any](ctx context.Context, c *Client, of logOf[T], w entra.LogWindow) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		r := &logReading[T]{client: c, of: of, seed: maphash.MakeSeed(), intern: newInterner(), seen: map[uint64]time.Time{}}
		// The log has whole seconds; the edges are asked for with a little room
		// and kept by the rows' own dates.
		from, to := w.From.UTC(), w.To.UTC()
		length := of.slice
		for end, first := to, true; first || end.After(from); first = false {
			begin := end.Add(-length)
			if begin.Before(from) {
				begin = from
			}
			s, err := r.slice(ctx, begin, end, w, yield)
			switch {
			case err != nil:
				var none []T
				yield(none, fmt.Errorf("reading %s from %s on: %w", of.path, begin.Format(time.RFC3339), err))
				return
			case s.left:
				return
			}
			switch {
			case s.oldest.IsZero() || !s.cut:
				end = begin
			default:
				end = s.oldest
			}
			r.forget(end)
			if length = of.slice; s.pages <= 1 {
				length = max(length, maxSlice)
			}
		}
	}
}

// sliced is what came of a slice.
type sliced struct {
	left   bool // the consumer wants no more
	cut    bool // the slice ended at oldest, before its begin
	mixed  bool // a row was newer than one before it: what is older than oldest may be missing
	oldest time.Time
	pages  int
}

func (r *logReading[T]) slice(ctx context.Context, begin, end time.Time, w entra.LogWindow, yield func([]T, error) bool) (s sliced, err error) {
	walk := r.walk(begin, end)
	for rows := 0; ; {
		page, err := walk.next(ctx)
		if err != nil {
			if s.pages > 0 && s.oldest.Before(end) && !s.mixed && forgotten(err) {
				s.cut = true
				return s, nil
			}
			return s, err
		}
		s.pages++
		items, err := r.fresh(page.Items, w, &s)
		if err != nil {
			return s, err
		}
		rows += len(items)
		if len(items) > 0 && !yield(items, nil) {
			s.left = true
			return s, nil
		}
		switch {
		case page.Next == "":
			return s, nil
		case rows >= sliceRows && s.oldest.Before(end) && !s.mixed:
			s.cut = true
			return s, nil
		}
	}
}

// walk is the reading of one slice.
func (r *logReading[T]) walk(begin, end time.Time) *walk[T] {
	date := r.of.date
	filter := date + " ge " + wholeSecond(begin.Truncate(time.Second)) + " and " + date + " le " + wholeSecond(end.Add(time.Second-1).Truncate(time.Second))
	if r.of.filter != "" {
		filter += " and (" + r.of.filter + ")"
	}
	first := get(r.of.path+"{?%24filter,%24orderby,%24top}", nil)
	top := int32(logPage)
	first.query = query{Filter: &filter, Orderby: []string{date + " desc"}, Top: &top}
	return &walk[T]{
		client: r.client, of: collection[T]{first: first, row: r.of.row, id: r.of.id, top: logPage, streams: true}, seed: r.seed,
		links: map[uint64]struct{}{}, seen: map[uint64]struct{}{}, intern: r.intern, request: first,
	}
}

// wholeSecond is a time as the filters of the logs take it.
func wholeSecond(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// fresh keeps the rows of a page that belong to the window and were not read
// before.
func (r *logReading[T]) fresh(items []T, w entra.LogWindow, s *sliced) ([]T, error) {
	kept := items[:0]
	for i := range items {
		t, ok := r.of.at(&items[i]).Time()
		if !ok {
			return nil, fmt.Errorf("value[%d].%s: no date: %w", i, r.of.date, entra.ErrMalformed)
		}
		id := maphash.String(r.seed, r.of.id(&items[i]))
		_, again := r.seen[id]
		if s.oldest.IsZero() || t.Before(s.oldest) {
			s.oldest = t
		} else if !again && t.After(s.oldest.Add(time.Second)) {
			s.mixed = true
		}
		if again || t.Before(w.From) || t.After(w.To) {
			continue
		}
		r.seen[id] = t
		kept = append(kept, items[i])
	}
	return kept, nil
}

// forget drops the rows that the slices before end cannot show again.
func (r *logReading[T]) forget(end time.Time) {
	for id, t := range r.seen {
		if t.After(end.Add(2 * time.Second)) {
			delete(r.seen, id)
		}
	}
}

// forgotten reports whether the service does not know a link of its own any
// more.
func forgotten(err error) bool {
	return errors.Is(err, entra.ErrBadRequest) || errors.Is(err, entra.ErrNotFound)
}
