package entra

import "context"

type writeCheckKey struct{}

// WithWriteCheck gives a context in which every request of a write asks check
// right before it leaves: after it has waited for its turn and for what the
// service asked it to wait. An error keeps that request back, and the write
// fails with it.
func WithWriteCheck(ctx context.Context, check func(context.Context) error) context.Context {
	return context.WithValue(ctx, writeCheckKey{}, check)
}

// CheckWrite asks the check that WithWriteCheck gave; without one everything may
// leave.
func CheckWrite(ctx context.Context) error {
	if check, ok := ctx.Value(writeCheckKey{}).(func(context.Context) error); ok {
		return check(ctx)
	}
	return nil
}
