package ledger

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/plan"
)

// The types of a journal entry.
const (
	EntryIntent  = "intent"  // before a write goes out
	EntryOutcome = "outcome" // what became of it
	EntryNote    = "note"    // what a later run needs to settle intents
)

// Entry is one line of journal.jsonl.
type Entry struct {
	Type    string          `json:"type"`
	At      time.Time       `json:"at"`
	Run     string          `json:"run"`
	Action  string          `json:"action,omitempty"`
	Kind    plan.Kind       `json:"kind,omitempty"`
	Subject plan.Subject    `json:"subject,omitzero"`
	Detail  json.RawMessage `json:"detail,omitempty"`
	Outcome *plan.Outcome   `json:"outcome,omitempty"`
	// Weight is how much of its limit an intent takes where that is not one.
	Weight *int `json:"weight,omitempty"`
	// Detections are how many an intent closes by themselves.
	Detections int `json:"detections,omitempty"`
}

// Journal is the append-only record of one run.
type Journal struct {
	file blobstore.Appender
}

// Append adds entries; they survive a crash once it has returned.
func (j *Journal) Append(ctx context.Context, entries ...Entry) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, e := range entries {
		if err := enc.Encode(e); err != nil {
			return err
		}
	}
	return j.file.Append(ctx, b.Bytes())
}

// maxLine bounds a line of a journal that is read.
const maxLine = 4 << 20

// ParseJournal yields the entries of a journal. A last line that was cut off
// by a crash is left out; anything else that is not an entry is an error.
func ParseJournal(r io.Reader) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		in := bufio.NewReader(r)
		for n := 1; ; n++ {
			line, err := readLine(in)
			if errors.Is(err, io.EOF) {
				return // also a torn last line: it has no line feed
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			var e Entry
			if err := json.Unmarshal(line, &e); err != nil {
				yield(Entry{}, fmt.Errorf("line %d of the journal %w: %w", n, errCorrupt, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// readLine reads up to a line feed; io.EOF if there is none.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > maxLine:
			return nil, fmt.Errorf("a line of the journal %w: longer than %d bytes", errCorrupt, maxLine)
		}
	}
}

// ReadJournal yields the entries of a run's journal; none if it has none. It is
// compared with the run's manifest while it is read: who decides by it takes no
// entry before all were read without an error. One that the manifest names and
// that is gone is an error too.
func (l *Ledger) ReadJournal(ctx context.Context, run string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		fail := func(err error) { yield(Entry{}, fmt.Errorf("journal.jsonl of run %s: %w", run, err)) }
		file, _, err := l.openHashed(ctx, run, "journal.jsonl")
		if errors.Is(err, blobstore.ErrNotFound) {
			if want, e := l.recorded(ctx, run, "journal.jsonl"); e != nil || want != "" { // retention deletes the manifest first
				fail(cmp.Or(e, err))
			}
			return
		}
		if err != nil {
			fail(err)
			return
		}
		defer file.Close()
		for e, err := range ParseJournal(file) {
			if err != nil {
				fail(err)
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// RecentActions counts the actions since a time, from the journals: those that
// were carried out, and those that may have been. What counts is when an action
// was sent, not the date in the run's id: besides the runs dated within two
// days before that time, the journals of all writers are read.
func (l *Ledger) RecentActions(ctx context.Context, since time.Time, writers []Writer) (map[plan.Kind]int, error) {
	ids, err := l.runsSince(ctx, since.Add(-48*time.Hour))
	if err != nil {
		return nil, err
	}
	for _, w := range writers {
		if !slices.Contains(ids, w.Run) {
			ids = append(ids, w.Run)
		}
	}
	out := map[plan.Kind]int{}
	for _, id := range ids {
		type action struct{ run, id string }
		counted := map[action]Entry{}
		for e, err := range l.ReadJournal(ctx, id) {
			if err != nil {
				return nil, err
			}
			a := action{e.Run, e.Action}
			switch {
			case e.Type == EntryIntent && !e.At.Before(since):
				counted[a] = e
			case e.Type == EntryOutcome && e.Outcome != nil && e.Run == id && !e.Outcome.Status.Sent():
				delete(counted, a)
			}
		}
		for _, e := range counted {
			if e.Weight != nil {
				out[e.Kind] += *e.Weight
			} else {
				out[e.Kind]++
			}
			out[plan.Detections] += e.Detections
		}
	}
	return out, nil
}
