package blobstore

import "context"

// RemoveContainer deletes the container itself.
func (a *Azure) RemoveContainer(ctx context.Context) error {
	_, err := a.client.Delete(ctx, nil)
	return err
}
