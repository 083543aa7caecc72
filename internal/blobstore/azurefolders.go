package blobstore

import (
	"context"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
)

// isFolder reports whether a blob stands for a folder of an account with a
// hierarchical namespace.
// https://learn.microsoft.com/azure/storage/blobs/data-lake-storage-known-issues
func isFolder(metadata map[string]*string) bool {
	for k, v := range metadata {
		if strings.EqualFold(k, "hdi_isfolder") {
			return strings.EqualFold(deref(v), "true")
		}
	}
	return false
}

// DeleteEmptyDir removes a folder without files, and those above it that this
// leaves empty, from an account with a hierarchical namespace. Others have no
// folders, and say so at the first.
func (a *Azure) DeleteEmptyDir(ctx context.Context, dir string) error {
	for {
		full, err := a.blob(dir)
		if err != nil {
			return err
		}
		_, err = a.client.NewBlobClient(full).Delete(ctx, nil)
		switch {
		case bloberror.HasCode(err, bloberror.BlobNotFound, "DirectoryIsNotEmpty"):
			return nil
		case err != nil:
			return a.say(dir, err)
		}
		at := strings.LastIndexByte(dir, '/')
		if at < 0 {
			return nil
		}
		dir = dir[:at]
	}
}
