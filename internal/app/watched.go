package app

import (
	"sync"
	"time"
)

// watched keeps a value that many ask for, for a time.
type watched[T any] struct {
	mu    sync.Mutex
	value T
	at    time.Time
}

// get gives the value that is kept, or reads it anew if it is older than lasts. An
// error is not kept.
func (w *watched[T]) get(lasts time.Duration, now func() time.Time, read func() (T, error)) (T, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.at.IsZero() && now().Sub(w.at) < lasts {
		return w.value, nil
	}
	value, err := read()
	if err == nil {
		w.value, w.at = value, now()
	}
	return value, err
}
