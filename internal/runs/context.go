package runs

import (
	"context"
	"log/slog"
)

type logKey struct{}

// WithLog gives a context whose runs log through log, which knows the call
// that they belong to.
func WithLog(ctx context.Context, log *slog.Logger) context.Context {
	return context.WithValue(ctx, logKey{}, log)
}

// Log is the logger of a context, or otherwise.
func Log(ctx context.Context, otherwise *slog.Logger) *slog.Logger {
	if log, ok := ctx.Value(logKey{}).(*slog.Logger); ok {
		return log
	}
	return otherwise
}

type turnsKey struct{}

// WithTurns gives a context whose runs end with ErrContinue when its deadline
// stops them while they read, to go on in a next turn.
func WithTurns(ctx context.Context) context.Context { return context.WithValue(ctx, turnsKey{}, true) }

// InTurns reports whether a context's runs may go on in a next turn.
func InTurns(ctx context.Context) bool { return ctx.Value(turnsKey{}) != nil }
