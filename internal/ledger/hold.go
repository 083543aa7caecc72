package ledger

import (
	"context"
	"fmt"
	"strings"
	"unicode"
)

// The text of HOLD is repeated wherever something was not done because of it:
// this much of it is read, and this much is shown.
const (
	holdRead  = 1 << 10
	holdShown = 200
)

// Hold says whether HOLD is set for the tenant, and its text. Whatever is there
// holds, also a folder, a link that leads nowhere or a file that cannot be
// read; that it cannot be found out is an error.
func (l *Ledger) Hold(ctx context.Context) (reason string, held bool, err error) {
	data, held, err := l.store.Peek(ctx, l.name("HOLD"), holdRead)
	if err != nil {
		return "", false, fmt.Errorf("looking for HOLD: %w", err)
	}
	if !held {
		return "", false, nil
	}
	// Some shells write UTF-16, of which the zeros are left out here.
	text := strings.Map(func(r rune) rune {
		if r == 0 || r == '\ufffd' || r == '\ufeff' {
			return -1
		}
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(data), ""))
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		text = "no reason is given"
	}
	if short := []rune(text); len(short) > holdShown {
		text = string(short[:holdShown]) + "…"
	}
	return text, true, nil
}
