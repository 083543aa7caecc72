package functions

import (
	"context"
	"log/slog"
	"slices"
)

type attrsKey struct{}

// withAttrs keeps what every line of an invocation says in its context, for
// those who log with one.
func withAttrs(ctx context.Context, attrs ...slog.Attr) context.Context {
	return context.WithValue(ctx, attrsKey{}, attrs)
}

// LogHandler writes each key once in a line, with its last value, and adds the
// invocation of the context.
func LogHandler(h slog.Handler) slog.Handler {
	if l, ok := h.(*lineHandler); ok {
		return l
	}
	return &lineHandler{next: h}
}

// lineHandler gathers attributes until a line is written. Groups are left to
// the handler behind it.
type lineHandler struct {
	next  slog.Handler
	attrs []slog.Attr
}

func (h *lineHandler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &lineHandler{next: h.next, attrs: slices.Concat(h.attrs, attrs)}
}

func (h *lineHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.next.WithAttrs(once(h.attrs)).WithGroup(name)
}

func (h *lineHandler) Handle(ctx context.Context, r slog.Record) error {
	all, _ := ctx.Value(attrsKey{}).([]slog.Attr)
	all = slices.Concat(all, h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		all = append(all, a)
		return true
	})
	line := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	line.AddAttrs(once(all)...)
	return h.next.Handle(ctx, line)
}

// once keeps the last value of each key, where the key stood first.
func once(attrs []slog.Attr) []slog.Attr {
	at := make(map[string]int, len(attrs))
	var out []slog.Attr
	for _, a := range attrs {
		if i, ok := at[a.Key]; ok && a.Key != "" {
			out[i] = a
			continue
		}
		at[a.Key] = len(out)
		out = append(out, a)
	}
	return out
}
