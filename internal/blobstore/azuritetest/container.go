package azuritetest

import (
	"context"
	"path"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"
)

// EndLeases does at once what time would do to the leases of dead processes: it
// ends all of a container's.
func EndLeases(t testing.TB, url string) {
	t.Helper()
	client, err := container.NewClientFromConnectionString(ConnectionString(url), path.Base(url), nil)
	if err != nil {
		t.Fatal(err)
	}
	for pages := client.NewListBlobsFlatPager(nil); pages.More(); {
		page, err := pages.NextPage(t.Context())
		if bloberror.HasCode(err, bloberror.ContainerNotFound) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range page.Segment.BlobItems {
			if s := b.Properties.LeaseState; s == nil || *s != lease.StateTypeLeased {
				continue
			}
			l, err := lease.NewBlobClient(client.NewBlobClient(*b.Name), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.BreakLease(t.Context(), &lease.BlobBreakOptions{BreakPeriod: to.Ptr[int32](0)}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Delete deletes a container with all that is in it: Azurite looks through all it
// holds for each list, so that a test of many containers grows slower with each.
func Delete(t testing.TB, url string) {
	t.Helper()
	client, err := container.NewClientFromConnectionString(ConnectionString(url), path.Base(url), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Delete(context.Background(), nil); err != nil && !bloberror.HasCode(err, bloberror.ContainerNotFound) {
		t.Fatal(err)
	}
}
