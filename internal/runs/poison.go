package runs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// Poison is the record of a message that was given up.
type Poison struct {
	SchemaVersion int    `json:"schemaVersion"`
	At            string `json:"at"`
	Reason        string `json:"reason"`
	// Message is what the message said; Bytes if that was no text.
	Message *string `json:"message,omitempty"`
	Bytes   []byte  `json:"bytes,omitempty"`
}

// maxPoison bounds what is kept of a message: a queue holds 64 KiB.
const maxPoison = 64 << 10

// Poisoned records a message that was given up, below _poison/, and if it was
// an order, that its run failed. Recording it twice leaves one record.
func (b *Book) Poisoned(ctx context.Context, message []byte, reason string) error {
	message = message[:min(len(message), maxPoison)]
	sum := sha256.Sum256(message)
	p := Poison{SchemaVersion: 1, At: b.Now().UTC().Format("2006-01-02T15:04:05Z"), Reason: reason}
	if utf8.Valid(message) {
		text := string(message)
		p.Message = &text
	} else {
		p.Bytes = message
	}
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	name := "_poison/" + hex.EncodeToString(sum[:16]) + ".json"
	if err := b.Store.PutNew(ctx, name, append(data, '\n')); err != nil && !errors.Is(err, blobstore.ErrExists) {
		return fmt.Errorf("recording a message that was given up: %w", err)
	}
	var o Order
	if json.Unmarshal(message, &o) != nil || b.Check(o) != nil {
		return nil
	}
	if done, err := b.complete(ctx, o); done || err != nil {
		return err
	}
	return b.Fail(ctx, o, errors.New(reason))
}
