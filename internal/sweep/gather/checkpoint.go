package gather

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/entra"
)

// A run over many pages keeps what it has read in a checkpoint, page by page,
// so that one that is stopped half-way goes on where it was (ADR 5). A
// checkpoint only saves time: one that is of no use is dropped, one that cannot
// be kept is done without.

// checkpointFor is how long a checkpoint is worth going on from.
const checkpointFor = 6 * time.Hour

// checkpointVersion is that of the file; no other is read.
const checkpointVersion = 2

// checkpointHead is the first line of a checkpoint: what the pages were asked
// for, and when.
type checkpointHead struct {
	Version      int           `json:"version"`
	Lookback     time.Duration `json:"lookback"`
	ServiceStart time.Time     `json:"serviceStart"`
	Since        time.Time     `json:"since"`
	Full         bool          `json:"full"`
}

// keptPage is each further line: a page as the service sent it, and the link
// that led to it, empty for the first.
type keptPage struct {
	Link string          `json:"link"`
	Page json.RawMessage `json:"page"`
}

// checkpoint is a run's place in the detections.
type checkpoint struct {
	store blobstore.Store
	log   *slog.Logger
	name  string // in the store; empty: none is kept
	file  blobstore.Appender
	found bool   // an earlier turn has left one
	off   bool   // the store takes no more of it
	pages int    // that were kept by earlier turns
	link  string // that led to the last of them
	whole bool   // there was none after it
	kept  int    // pages that this turn has kept
	fresh int    // detections that they have brought
	line  bytes.Buffer
}

// findCheckpoint looks for what an earlier turn has read. If it is worth going
// on from, the run takes over its start.
func (r *reading) findCheckpoint(ctx context.Context) *checkpoint {
	c := &checkpoint{name: r.Source.Checkpoint, store: r.Store, log: r.Log}
	r.checkpoint = c
	if c.name == "" {
		return c
	}
	c.found = true
	in, _, err := r.Store.Open(ctx, c.name)
	if errors.Is(err, blobstore.ErrNotFound) {
		c.found = false
		return c
	}
	var h checkpointHead
	why := ""
	if err != nil {
		why = err.Error()
	} else {
		h, why = r.head(bufio.NewReader(in))
		_ = in.Close() // it was read only
	}
	if why != "" {
		r.Log.Info("the checkpoint is of no use; reading begins anew", "why", why)
		_ = c.drop(ctx) // then none is kept
		return c
	}
	r.ServiceStart, r.Since = h.ServiceStart, h.Since
	return c
}

// head reads the first line and says why a checkpoint is of no use, if so.
func (r *reading) head(lines *bufio.Reader) (h checkpointHead, why string) {
	line, err := lines.ReadBytes('\n')
	switch {
	case err != nil || json.Unmarshal(line, &h) != nil:
		why = "it is damaged"
	case h.Version != checkpointVersion:
		why = fmt.Sprintf("it has version %d, this program knows %d", h.Version, checkpointVersion)
	case h.Lookback != r.Source.Lookback || h.Full != r.Full:
		why = "other detections were asked for"
	case r.ServiceStart.Sub(h.ServiceStart) > checkpointFor || h.ServiceStart.After(r.ServiceStart):
		why = "it was begun at " + h.ServiceStart.Format(time.RFC3339)
	case !h.ServiceStart.After(r.watermark()):
		why = "a run has read everything since"
	}
	return h, why
}

// replay takes in the pages that earlier turns have kept.
func (r *reading) replay(ctx context.Context, c *checkpoint) error {
	in, _, err := r.Store.Open(ctx, c.name)
	if err != nil {
		return fmt.Errorf("reading the checkpoint: %w", err) // it was there a moment ago
	}
	defer in.Close()
	lines := bufio.NewReaderSize(in, 64<<10)
	next := ""
	for n := 0; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break // also a last line that was cut off
		}
		var kept keptPage
		var page entra.Page[entra.Detection]
		if err == nil {
			if n == 0 || json.Unmarshal(line, &kept) != nil {
				continue // the head, or the end of a turn that was cut off
			}
			page, err = r.Reader.DecodeDetections(kept.Page)
		}
		// A turn goes on from the last page or begins anew. Anything else is a
		// page that is missing.
		if err != nil || kept.Link != "" && kept.Link != c.link && kept.Link != next {
			r.Log.Warn("the checkpoint is damaged; reading begins anew", "page", c.pages+1, "error", err)
			c.pages = 0
			break
		}
		if err := r.takeDetections(nil, page.Items, true); err != nil {
			return err
		}
		c.pages++
		c.link, next, c.whole = kept.Link, page.Next, page.Next == ""
	}
	if c.pages == 0 {
		c.link, c.whole = "", false
		_ = c.drop(ctx) // then none is kept
		return nil
	}
	r.Log.Info("reading goes on from a checkpoint", "pages", c.pages, "detections", r.detections)
	return nil
}

// goOn reads on from the last page that was kept, or all pages. The last page
// is read again: rows before it may have gone from the list, and what is after
// them has moved up.
func (r *reading) goOn(ctx context.Context, c *checkpoint) (pages int, err error) {
	q := entra.DetectionQuery{Open: true, UpdatedSince: r.Since, Resume: c.link}
	pages, err = r.detectionPages(ctx, q, c)
	if q.Resume == "" || pages > 0 || !cannotGoOn(err) {
		return pages, err
	}
	r.Log.Info("reading cannot go on where it was and begins anew", "error", err)
	q.Resume = ""
	return r.detectionPages(ctx, q, c)
}

// errMoved says that the list has moved so far that nothing of a page which was
// read before is where it was.
var errMoved = errors.New("the list of detections has moved too far")

// cannotGoOn reports whether an error means that a kept link is of no use any
// more.
func cannotGoOn(err error) bool {
	for _, kind := range []error{errMoved, entra.ErrBadRequest, entra.ErrNotFound, entra.ErrMalformed, entra.ErrRedirected} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// anyKnown reports whether a detection of the page was read before.
func (r *reading) anyKnown(items []entra.Detection) bool {
	for i := range items {
		if r.index.Knows(items[i].ID) {
			return true
		}
	}
	return false
}

// keep adds a page. A list of one page needs no checkpoint.
func (r *reading) keep(ctx context.Context, c *checkpoint, link string, page entra.Page[entra.Detection]) {
	if c == nil || c.name == "" || c.off || c.file == nil && c.pages == 0 && page.Next == "" {
		return
	}
	if err := r.keepPage(ctx, c, link, page); err != nil {
		c.off = true
		r.Log.Warn("no checkpoint is kept", "error", err)
		return
	}
	c.kept++
}

func (r *reading) keepPage(ctx context.Context, c *checkpoint, link string, page entra.Page[entra.Detection]) (err error) {
	b := &c.line
	b.Reset()
	if c.file == nil {
		if c.pages == 0 {
			head, err := json.Marshal(checkpointHead{Version: checkpointVersion, Lookback: r.Source.Lookback,
				ServiceStart: r.ServiceStart, Since: r.Since, Full: r.Full})
			if err != nil {
				return err
			}
			b.Write(head)
		}
		b.WriteByte('\n') // also behind a line that was cut off
		if c.file, err = r.Store.Append(ctx, c.name); err != nil {
			return err
		}
	}
	from, err := json.Marshal(link)
	if err != nil {
		return err
	}
	next, err := json.Marshal(page.Next)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, `{"link":%s,"page":{`, from)
	if page.Next != "" {
		fmt.Fprintf(b, `"@odata.nextLink":%s,`, next)
	}
	b.WriteString(`"value":[`)
	for i := range page.Items {
		if i > 0 {
			b.WriteByte(',')
		}
		if raw := page.Items[i].Raw; strings.IndexByte(raw, '\n') < 0 {
			b.WriteString(raw)
		} else if err := json.Compact(b, []byte(raw)); err != nil {
			return err
		}
	}
	b.WriteString("]}}\n")
	return c.file.Append(ctx, b.Bytes())
}

// DropCheckpoint forgets what was kept of the read. Where that fails a later run
// sees by itself that it is of no use.
func (s Snapshot) DropCheckpoint(ctx context.Context) error { return s.checkpoint.drop(ctx) }

// LeaveCheckpoint ends the keeping of pages in this turn.
func (s Snapshot) LeaveCheckpoint() error { return s.checkpoint.leave() }

// KeptMore reports whether this turn has brought a checkpoint on, so that going
// on from it is worth while.
func (s Snapshot) KeptMore() bool {
	return s.checkpoint != nil && s.checkpoint.kept > 0 && s.checkpoint.fresh > 0
}

func (c *checkpoint) drop(ctx context.Context) error {
	if c == nil || c.name == "" || !c.found && c.kept == 0 && !c.off {
		return nil
	}
	c.pages, c.kept, c.found = 0, 0, false
	err := errors.Join(c.leave(), c.store.Delete(ctx, c.name))
	if err != nil {
		c.off = true
		err = fmt.Errorf("deleting the checkpoint: %w", err)
		c.log.Warn(err.Error())
	}
	return err
}

func (c *checkpoint) leave() (err error) {
	if c != nil && c.file != nil {
		err = c.file.Close()
		c.file = nil
	}
	return err
}
