package sweep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/report"
)

// files are the row files of a run, open while it reads.
type files struct {
	detections *report.Detections
	users      *report.Users
	open       []*ledger.FileWriter
	closed     bool
}

// openFiles begins the row files.
func (r *run) openFiles(ctx context.Context) error {
	names := [...]string{"detections.jsonl", "detections.csv", "users.jsonl", "users.csv"}
	w := make([]io.Writer, len(names))
	for i, name := range names {
		f, err := r.led.File(ctx, name)
		if err != nil {
			return fmt.Errorf("storing %s: %w", name, err)
		}
		r.files.open = append(r.files.open, f)
		w[i] = f
	}
	r.files.detections = report.NewDetections(w[0], w[1], r.Output.Redaction, r.Output.CSV)
	r.files.users = report.NewUsers(w[2], w[3], r.Output.Redaction, r.Output.CSV)
	if !slices.Contains(r.Output.Formats, "ocsf") {
		return nil
	}
	f, err := r.led.File(ctx, "ocsf.jsonl")
	if err != nil {
		return fmt.Errorf("storing ocsf.jsonl: %w", err)
	}
	r.files.open = append(r.files.open, f)
	o := report.NewOCSF(f, report.OCSFSource{Version: r.Version, Run: r.led.ID(), TenantID: r.TenantID, At: r.started.UTC()}, r.Output.Redaction)
	r.files.detections.Also(o)
	r.files.users.Also(o)
	return nil
}

// closeFiles ends the row files; they hold what was read, be it all or not.
func (r *run) closeFiles(ctx context.Context) error {
	if r.files.closed || len(r.files.open) == 0 {
		return nil
	}
	r.files.closed = true
	if r.files.users == nil { // the store took some of them only
		return errors.Join(errors.New("the files of the run could not be begun"), r.abortFiles())
	}
	err := errors.Join(r.files.detections.Flush(), r.files.users.Flush())
	for _, f := range r.files.open {
		if err != nil {
			err = errors.Join(err, f.Abort())
			continue
		}
		err = f.Commit(ctx)
	}
	return err
}

// abortFiles gives the row files up.
func (r *run) abortFiles() (err error) {
	r.files.closed = true
	for _, f := range r.files.open {
		err = errors.Join(err, f.Abort())
	}
	return err
}

// reopen reads a committed file of this run.
func (r *run) reopen(ctx context.Context, name string) (io.ReadCloser, error) {
	in, _, err := r.Ledger.Open(ctx, r.led.ID(), name)
	return in, err
}
