package entra

import "context"

type departureKey struct{}

// WithDeparture gives a context in which every request of a write asks check
// right before it leaves: after it has waited for its turn and for what the
// service asked it to wait. An error keeps that request back, and the write
// fails with it.
func WithDeparture(ctx context.Context, check func(context.Context) error) context.Context {
	return context.WithValue(ctx, departureKey{}, check)
}

// Depart asks the check that WithDeparture gave; without one everything may
// leave.
func Depart(ctx context.Context) error {
	if check, ok := ctx.Value(departureKey{}).(func(context.Context) error); ok {
		return check(ctx)
	}
	return nil
}
