package sweep

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/entra"
)

// A run over many pages keeps what it has read in a checkpoint, page by page,
// so that one that is stopped half-way goes on where it was. The selection that
// is read is one that no row leaves, and what changed since the first page is
// asked for at the end (ADR 2): so it does not matter that offsets move while
// nobody reads.

// checkpointFor is how long a checkpoint is worth going on from.
const checkpointFor = 6 * time.Hour

// checkpointHead is the first line of a checkpoint: what the pages were asked
// for. Each further line is one page as the service sends it.
type checkpointHead struct {
	Version      int           `json:"version"`
	Lookback     time.Duration `json:"lookback"`
	ServiceStart time.Time     `json:"serviceStart"`
	Since        time.Time     `json:"since"`
	Full         bool          `json:"full"`
}

// checkpoint is a run's place in the detections.
type checkpoint struct {
	name    string // in the store; empty: none is kept
	file    blobstore.Appender
	next    string // where to go on
	pages   int    // that were read before
	written int    // in this turn
	whole   bool   // all pages were read before
}

// checkpointName is where a run keeps its place. Runs that write hold the
// tenant's lease, so that the next takes over what one has left; a plan is
// taken up under its own id alone. Redacted reports are to hold no names, and
// so is the store: then none is kept.
func (r *run) checkpointName() string {
	switch {
	case r.Output.Redaction.Active() || r.req.ordered():
		return ""
	case r.req.Mode == Apply:
		return r.Name + "/checkpoint.jsonl"
	case r.req.Run != "":
		return r.led.Dir() + "/checkpoint.jsonl"
	}
	return ""
}

// resume reads back what an earlier turn has read and says where to go on.
func (r *run) resume(ctx context.Context) (*checkpoint, error) {
	c := &checkpoint{name: r.checkpointName()}
	if c.name == "" {
		return c, nil
	}
	in, _, err := r.Ledger.Store().Open(ctx, c.name)
	if errors.Is(err, blobstore.ErrNotFound) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening the checkpoint: %w", err)
	}
	defer in.Close()
	lines := bufio.NewReaderSize(in, 1<<20)
	head, err := lines.ReadBytes('\n')
	var h checkpointHead
	if err != nil || json.Unmarshal(head, &h) != nil || h.Version != 1 || h.Lookback != r.Settings.Lookback || h.Full != r.full ||
		r.serviceStart.Sub(h.ServiceStart) > checkpointFor || h.ServiceStart.After(r.serviceStart) {
		return c, r.dropCheckpoint(ctx, c)
	}
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break // also a torn last line
		}
		if err != nil {
			return nil, fmt.Errorf("reading the checkpoint: %w", err)
		}
		page, err := r.Reader.DecodeDetections(line)
		if err != nil {
			return nil, fmt.Errorf("reading the checkpoint (delete %s to begin anew): %w", c.name, err)
		}
		if err := r.takeDetections(page.Items); err != nil {
			return nil, err
		}
		c.pages++
		c.next, c.whole = page.Next, page.Next == ""
	}
	if c.pages == 0 {
		return c, r.dropCheckpoint(ctx, c)
	}
	r.serviceStart, r.since = h.ServiceStart, h.Since
	if c.file, err = r.Ledger.Store().Append(ctx, c.name); err != nil {
		return nil, fmt.Errorf("opening the checkpoint: %w", err)
	}
	r.Log.Info("reading goes on from a checkpoint", "tenant", r.Name, "run", r.res.Run, "pages", c.pages, "detections", r.res.Counts["detections"])
	return c, nil
}

// keep adds a page. A list of one page needs no checkpoint.
func (r *run) keep(ctx context.Context, c *checkpoint, page entra.Page[entra.Detection]) error {
	if c.name == "" || c.file == nil && page.Next == "" {
		return nil
	}
	var b bytes.Buffer
	if c.file == nil {
		head, err := json.Marshal(checkpointHead{Version: 1, Lookback: r.Settings.Lookback, ServiceStart: r.serviceStart, Since: r.since, Full: r.full})
		if err != nil {
			return err
		}
		b.Write(append(head, '\n'))
		if c.file, err = r.Ledger.Store().Append(ctx, c.name); err != nil {
			return fmt.Errorf("opening the checkpoint: %w", err)
		}
	}
	next, err := json.Marshal(page.Next)
	if err != nil {
		return err
	}
	b.WriteByte('{')
	if page.Next != "" {
		fmt.Fprintf(&b, `"@odata.nextLink":%s,`, next)
	}
	b.WriteString(`"value":[`)
	for i := range page.Items {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := json.Compact(&b, page.Items[i].Raw); err != nil {
			return err
		}
	}
	b.WriteString("]}\n")
	if err := c.file.Append(ctx, b.Bytes()); err != nil {
		return fmt.Errorf("keeping the checkpoint: %w", err)
	}
	c.written++
	return nil
}

// dropCheckpoint forgets a run's place.
func (r *run) dropCheckpoint(ctx context.Context, c *checkpoint) error {
	if c == nil || c.name == "" {
		return nil
	}
	if c.file != nil {
		if err := c.file.Close(); err != nil {
			return err
		}
		c.file = nil
	}
	if err := r.Ledger.Store().Delete(ctx, c.name); err != nil {
		return fmt.Errorf("deleting the checkpoint: %w", err)
	}
	return nil
}

// goesOn reports whether a run that was stopped by its deadline is to be
// continued from its checkpoint: nothing was planned, and this turn has come
// forward.
func (r *run) goesOn(ctx context.Context) bool {
	return r.req.Continue && !r.planned && r.checkpoint != nil && r.checkpoint.written > 0 && errors.Is(ctx.Err(), context.DeadlineExceeded)
}
