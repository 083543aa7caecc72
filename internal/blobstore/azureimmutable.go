package blobstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
)

// ErrNotImmutable says that a container keeps no single blob from being changed
// or deleted.
var ErrNotImmutable = errors.New("version-level immutability is not switched on")

// CheckImmutable gives ErrNotImmutable unless Protect will be heeded: the
// container must have been made with support for version-level immutability,
// and the emulator has none. Nothing is written.
func (a *Azure) CheckImmutable(ctx context.Context) error {
	p, err := a.client.GetProperties(ctx, nil)
	if err != nil {
		return fmt.Errorf("looking whether blobs can be made immutable: %w", a.say("", err))
	}
	if !deref(p.IsImmutableStorageWithVersioningEnabled) {
		return fmt.Errorf("the container %s: %w", a.address, ErrNotImmutable)
	}
	return nil
}

// Protect gives a blob a retention policy: until then nobody changes or deletes
// it. The policy is unlocked: who may manage retention may end it early.
func (a *Azure) Protect(ctx context.Context, name string, until time.Time) error {
	full, err := a.blob(name)
	if err != nil {
		return err
	}
	_, err = a.client.NewBlobClient(full).SetImmutabilityPolicy(ctx, until, &blob.SetImmutabilityPolicyOptions{Mode: to.Ptr(blob.ImmutabilityPolicySettingUnlocked)})
	return a.say(name, err)
}
