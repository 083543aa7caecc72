package conditionalaccess

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// store keeps the objects of one kind, each with the states that readers may
// still see: what is written shows after the lag (graph-api §3.7).
type store struct{ items []*item }

// item is one object.
type item struct {
	ID       string
	Created  time.Time
	versions []version // oldest first, never empty
	// past are the states before those, which nobody reads any more but the log
	// of sign-ins.
	past []version
}

// version is one state of an object.
type version struct {
	Doc      document
	Modified time.Time // zero: never
	// Deleted is set in the deleted items, Purged when it is gone for good.
	Deleted time.Time
	Purged  bool
	// Visible is when readers see this state.
	Visible time.Time
}

func (v version) gone() bool { return v.Purged || !v.Deleted.IsZero() }

// last is the true state, that writes are judged by.
func (i *item) last() version { return i.versions[len(i.versions)-1] }

// seen is the state that readers see, false if they see nothing yet.
func (i *item) seen(now time.Time) (version, bool) {
	for n := len(i.versions) - 1; n >= 0; n-- {
		if !i.versions[n].Visible.After(now) {
			return i.versions[n], true
		}
	}
	return version{}, false
}

// add makes a new state that shows after the lag.
func (i *item) add(v version, now time.Time, lag time.Duration) {
	v.Visible = now.Add(lag)
	// States that no reader can see any more are dropped.
	for len(i.versions) > 1 && !i.versions[1].Visible.After(now) {
		i.past, i.versions = append(i.past, i.versions[0]), i.versions[1:]
	}
	if lag == 0 {
		i.past, i.versions = append(i.past, i.versions...), nil
	}
	i.versions = append(i.versions, v)
}

func (s *store) find(id string) *item {
	for _, i := range s.items {
		if strings.EqualFold(i.ID, id) {
			return i
		}
	}
	return nil
}

// live counts the objects that are not deleted.
func (s *store) live() int {
	n := 0
	for _, i := range s.items {
		if !i.last().gone() {
			n++
		}
	}
	return n
}

// retention is how long deleted objects can be restored (graph-api §3.8).
const retention = 30 * 24 * time.Hour

// readable are the objects that a reader sees, deleted ones or the others.
func (s *store) readable(now time.Time, deleted bool) []row {
	var rows []row
	for _, i := range s.items {
		if r, ok := i.readable(now, deleted); ok {
			rows = append(rows, r)
		}
	}
	return rows
}

func (i *item) readable(now time.Time, deleted bool) (row, bool) {
	v, ok := i.seen(now)
	if !ok || v.Purged || v.Deleted.IsZero() == deleted || (deleted && now.After(v.Deleted.Add(retention))) {
		return row{}, false
	}
	return row{item: i, version: v}, true
}

// savedItem and savedVersion are the exported form.
type savedItem struct {
	ID       string         `json:"id"`
	Created  time.Time      `json:"createdDateTime"`
	Versions []savedVersion `json:"versions"`
	Past     []savedVersion `json:"past,omitempty"`
}

type savedVersion struct {
	Body     json.RawMessage `json:"body"`
	Modified time.Time       `json:"modifiedDateTime,omitzero"`
	Deleted  time.Time       `json:"deletedDateTime,omitzero"`
	Purged   bool            `json:"purged,omitempty"`
	Visible  time.Time       `json:"visibleDateTime,omitzero"`
}

func (s *store) save() []savedItem {
	saved := make([]savedItem, 0, len(s.items))
	for _, i := range s.items {
		saved = append(saved, savedItem{ID: i.ID, Created: i.Created, Versions: saveVersions(i.versions), Past: saveVersions(i.past)})
	}
	return saved
}

func saveVersions(versions []version) []savedVersion {
	var saved []savedVersion
	for _, v := range versions {
		// Documents hold nothing that cannot be marshalled.
		content, err := json.Marshal(storable(v.Doc))
		if err != nil {
			content = json.RawMessage("null")
		}
		saved = append(saved, savedVersion{Body: content, Modified: v.Modified, Deleted: v.Deleted, Purged: v.Purged, Visible: v.Visible})
	}
	return saved
}

// storable writes a strength as its id, as a body gives it.
func storable(d document) document {
	if id, ok := d.at("grantControls", "authenticationStrength").(string); ok {
		d = d.clone()
		d.object("grantControls")["authenticationStrength"] = document{"id": id}
	}
	return d
}

func (s *store) load(saved []savedItem, read func(json.RawMessage) (document, *refused)) error {
	for _, in := range saved {
		if in.ID == "" || len(in.Versions) == 0 {
			return fmt.Errorf("an object without id or content")
		}
		if s.find(in.ID) != nil {
			return fmt.Errorf("%s is there twice", in.ID)
		}
		i := &item{ID: in.ID, Created: in.Created}
		for _, part := range []struct {
			from []savedVersion
			to   *[]version
		}{{in.Past, &i.past}, {in.Versions, &i.versions}} {
			for _, v := range part.from {
				d, bad := read(v.Body)
				if bad != nil {
					return fmt.Errorf("%s: %s", in.ID, bad.text)
				}
				*part.to = append(*part.to, version{Doc: d, Modified: v.Modified, Deleted: v.Deleted, Purged: v.Purged, Visible: v.Visible})
			}
		}
		if !slices.IsSortedFunc(slices.Concat(i.past, i.versions), func(a, b version) int { return a.Visible.Compare(b.Visible) }) {
			return fmt.Errorf("%s: its versions are out of order", in.ID)
		}
		s.items = append(s.items, i)
	}
	return nil
}
