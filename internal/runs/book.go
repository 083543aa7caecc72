// Package runs keeps track of runs that were ordered through the API, the
// schedule or the queue: the record of an order, who is sweeping a tenant right
// now, what became of the run. It stands between those who order (serve, the
// function app) and the sweep, over the store that all of them share.
//
// A run has one id from the moment it is ordered. Carrying an order out twice
// does it once: a run that is complete is left alone, and one tenant is swept
// by one at a time. It decides nothing about risk and sends nothing to a
// tenant.
package runs

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/ledger"
)

// The sources of orders.
const (
	Schedule = "schedule"
	API      = "api"
)

// Order is one run to be made: what the queue carries and the store records.
type Order struct {
	SchemaVersion int    `json:"schemaVersion"`
	Run           string `json:"run"`
	Tenant        string `json:"tenant"`
	Mode          string `json:"mode"`   // plan or apply
	Source        string `json:"source"` // Schedule or API
	// By is the caller who ordered the run, and Reason what they gave as the
	// reason; for the report.
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Due is when a scheduled run was due: with the tenant, what makes it the
	// same run however often it is ordered.
	Due       time.Time `json:"due,omitzero"`
	OrderedAt time.Time `json:"orderedAt"`
	Part      int       `json:"part,omitempty"` // of a run that takes several messages, from 0
	// FailedAt and Error are set when the order was given up.
	FailedAt time.Time `json:"failedAt,omitzero"`
	Error    string    `json:"error,omitempty"`
}

// OrderVersion is the version of Order.
const OrderVersion = 1

// The ways in which an order is not carried out.
var (
	// ErrBusy says that the tenant is being swept by another run.
	ErrBusy = errors.New("the tenant is being swept by another run")
	// ErrSame says that this very run goes on elsewhere.
	ErrSame = errors.New("this run is under way elsewhere")
	// ErrInvalid says that an order can never be carried out.
	ErrInvalid = errors.New("the order is not valid")
	// ErrContinue says that the run has kept its place and wants another turn.
	ErrContinue = errors.New("the run goes on with the next message")
	// ErrIncomplete says that the run was cut short before its report.
	ErrIncomplete = errors.New("the run ended without a report")
)

// Result is what came of a sweep.
type Result struct {
	Status   string // as the manifest says it
	Err      error  // why it failed or was cut short
	Counts   map[string]int
	Outcomes []Outcome
	Requests, Throttled,
	Retried int
	Started, Finished time.Time
}

// Outcome counts actions of one kind that ended in one way.
type Outcome struct {
	Kind, Status string
	N            int
}

// Sweep carries an order out. The error is set if no run came to be, or if it
// wraps ErrContinue.
type Sweep func(context.Context, Order) (Result, error)

// Options make a Book.
type Options struct {
	Store blobstore.Store
	// Tenants are the names of the configuration.
	Tenants []string
	// Ledger gives a tenant's ledger.
	Ledger func(tenant string) *ledger.Ledger
	Sweep  Sweep
	// ScheduledMode is what a scheduled run may do, and AllowApply whether one
	// ordered through the API may write.
	ScheduledMode string
	AllowApply    bool
	// Timeout is the longest that a run may take.
	Timeout time.Duration
	// Since is when the process began, if the orders of others ended with them: serve
	// keeps its orders in memory, a queue keeps them whatever becomes of its handlers.
	Since time.Time
	// GaveUp is told of an order that no run came of; may be nil.
	GaveUp func(context.Context, Order, error)
	Now    func() time.Time
	Log    *slog.Logger
}

// Book keeps orders and runs. It is safe for concurrent use.
type Book struct{ Options }

// NewBook makes a Book. Nothing is read.
func NewBook(o Options) *Book {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Timeout == 0 {
		o.Timeout = 24 * time.Hour
	}
	return &Book{o}
}

// ScheduledID is the id of a scheduled run: the same for the same tenant and
// due time, wherever and how often it is made. Attempts after the first are of
// runs that were cancelled.
func ScheduledID(tenant string, due time.Time, attempt int) string {
	due = due.UTC().Truncate(time.Second)
	h := sha256.Sum256([]byte("scheduled\x00" + tenant + "\x00" + due.Format(time.RFC3339) + "\x00" + strconv.Itoa(attempt)))
	return ledger.RunID(due, [3]byte(h[:3]))
}

// Scheduled is the order of a tenant's scheduled run.
func (b *Book) Scheduled(tenant string, due time.Time) Order {
	return Order{SchemaVersion: OrderVersion, Run: ScheduledID(tenant, due, 0), Tenant: tenant, Mode: b.ScheduledMode,
		Source: Schedule, Due: due.UTC().Truncate(time.Second), OrderedAt: b.Now().UTC()}
}

// NextAttempt is like Scheduled, but passes over attempts that were cancelled.
func (b *Book) NextAttempt(ctx context.Context, tenant string, due time.Time) (Order, error) {
	o := b.Scheduled(tenant, due)
	for attempt := range 100 {
		o.Run = ScheduledID(tenant, due, attempt)
		m, err := b.Ledger(tenant).Manifest(ctx, o.Run)
		if errors.Is(err, blobstore.ErrNotFound) {
			return o, nil
		}
		if err != nil {
			return o, err
		}
		if m.Status != cancelled {
			return o, nil
		}
	}
	return o, fmt.Errorf("the run of tenant %s that was due at %s was cancelled 100 times", tenant, due.Format(time.RFC3339))
}

// cancelled is the status of a run that was told to stop.
const cancelled = "cancelled"

// Ordered is a new order that came through the API.
func (b *Book) Ordered(tenant, mode, by, reason string) (Order, error) {
	now := b.Now().UTC()
	id, err := ledger.NewRunID(now)
	return Order{SchemaVersion: OrderVersion, Run: id, Tenant: tenant, Mode: mode, Source: API, By: by, Reason: reason, OrderedAt: now}, err
}

// Check says whether an order may be carried out at all: whoever can write to
// the queue may not do more than the configuration allows.
func (b *Book) Check(o Order) error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
	}
	switch {
	case o.SchemaVersion < 1 || o.SchemaVersion > OrderVersion:
		return invalid("it has schema version %d, this program knows %d", o.SchemaVersion, OrderVersion)
	case !slices.Contains(b.Tenants, o.Tenant):
		return invalid("there is no tenant %.80q in the configuration", o.Tenant)
	case o.Mode != "plan" && o.Mode != "apply":
		return invalid("mode %.80q is neither plan nor apply", o.Mode)
	case o.Source != Schedule && o.Source != API:
		return invalid("source %.80q is neither schedule nor api", o.Source)
	case o.Mode == "apply" && o.Source == API && !b.AllowApply:
		return invalid("it asks for apply, but http.allowApply is off")
	case o.Mode == "apply" && o.Source == Schedule && b.ScheduledMode != "apply":
		return invalid("it asks for apply, but schedule.mode is %s", b.ScheduledMode)
	}
	if _, err := ledger.StartOf(o.Run); err != nil {
		return invalid("%.80q is no run id", o.Run)
	}
	return nil
}

func orderName(run string) string { return "_orders/" + run + ".json" }

// Accept records an order, so that its run can be asked for before it begins.
func (b *Book) Accept(ctx context.Context, o Order) error {
	return b.put(ctx, o, true)
}

func (b *Book) put(ctx context.Context, o Order, isNew bool) error {
	data, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if isNew {
		err = b.Store.PutNew(ctx, orderName(o.Run), data)
	} else {
		err = b.Store.Put(ctx, orderName(o.Run), data)
	}
	if err != nil {
		return fmt.Errorf("recording the order of run %s: %w", o.Run, err)
	}
	return nil
}

// order reads a record; blobstore.ErrNotFound if there is none.
func (b *Book) order(ctx context.Context, run string) (Order, error) {
	var o Order
	if _, err := ledger.StartOf(run); err != nil {
		return o, err
	}
	data, _, err := b.Store.Get(ctx, orderName(run))
	if err != nil {
		return o, err
	}
	if err := json.Unmarshal(data, &o); err != nil || o.Run != run {
		return o, fmt.Errorf("%s is damaged", orderName(run))
	}
	return o, nil
}

// Fail records that an order was given up, for whoever asks for its run.
func (b *Book) Fail(ctx context.Context, o Order, reason error) error {
	if b.GaveUp != nil {
		b.GaveUp(ctx, o, reason)
	}
	o.FailedAt, o.Error = b.Now().UTC(), reason.Error()
	return b.put(ctx, o, false)
}

// Busy reports whether a tenant is being swept, by an ordered run or by one
// that writes. It takes nothing: a run that begins meanwhile does not notice.
func (b *Book) Busy(ctx context.Context, tenant string) (bool, error) {
	busy, err := b.Store.Leased(ctx, sweeping(tenant))
	if err == nil && !busy {
		busy, err = b.Ledger(tenant).Locked(ctx)
	}
	if err != nil {
		return false, fmt.Errorf("asking whether tenant %s is being swept: %w", tenant, err)
	}
	return busy, nil
}

// sweeping is the lease of whoever carries out an order for a tenant.
func sweeping(tenant string) string { return tenant + "/sweeping" }
