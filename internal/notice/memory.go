package notice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// said is notified.json: the risk episode of each user that a notice has named,
// known by when its oldest open detection was detected.
type said struct {
	SchemaVersion int                  `json:"schemaVersion"`
	Episodes      map[string]time.Time `json:"episodes"`
}

// New gives those of the people whom no notice has named in this risk episode
// yet, and remembers them. over says of the id of an episode that is not among
// them whether it is over; where that is not known, it goes on. So does one of
// which it is not known any more since when it is.
func New(ctx context.Context, s blobstore.Store, tenant string, people []Person, over func(id string) bool) ([]Person, error) {
	name := tenant + "/notified.json"
	for range 5 { // another run may be at it
		data, version, err := s.Get(ctx, name)
		if err != nil && !errors.Is(err, blobstore.ErrNotFound) {
			return nil, err
		}
		before := said{Episodes: map[string]time.Time{}}
		if err == nil {
			if err := json.Unmarshal(data, &before); err != nil || before.SchemaVersion != 1 {
				return nil, fmt.Errorf("%s cannot be read; delete it, and everybody is named once more", name)
			}
		}
		after := said{SchemaVersion: 1, Episodes: map[string]time.Time{}}
		for id, since := range before.Episodes {
			if !over(id) {
				after.Episodes[id] = since
			}
		}
		var fresh []Person
		for _, p := range people {
			since, known := before.Episodes[p.ID]
			switch {
			case !known:
				fresh = append(fresh, p)
			case p.Since.IsZero():
				p.Since = since
			case !since.Equal(p.Since):
				fresh = append(fresh, p)
			}
			after.Episodes[p.ID] = p.Since
		}
		text, err := json.Marshal(after)
		if err != nil {
			return nil, err
		}
		if _, err = s.PutIf(ctx, name, append(text, '\n'), version); err == nil {
			return fresh, nil
		} else if !errors.Is(err, blobstore.ErrChanged) {
			return nil, err
		}
	}
	return nil, errors.New("notified.json is changed by others all the time")
}
