package blobstore_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// An account with a hierarchical namespace lists its folders among the blobs,
// and keeps them when they are empty.
func TestFoldersOfAHierarchicalNamespace(t *testing.T) {
	var deleted []string
	account := answers(func(r *http.Request) (*http.Response, error) {
		answer := func(status int, code, body string) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{"X-Ms-Error-Code": {code}, "Content-Type": {"application/xml"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		}
		switch {
		case r.Method == http.MethodDelete:
			name := strings.TrimPrefix(r.URL.Path, "/reports/p/")
			deleted = append(deleted, name)
			if name == "contoso/runs/2026" {
				return answer(409, "DirectoryIsNotEmpty", "")
			}
			return answer(202, "", "")
		case r.URL.Query().Get("comp") == "list":
			if !strings.Contains(r.URL.Query().Get("include"), "metadata") {
				t.Errorf("nothing tells a folder from a file: %s", r.URL)
			}
			return answer(200, "", `<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>
<Blob><Name>p/contoso/runs</Name><Properties><Content-Length>0</Content-Length></Properties><Metadata><Hdi_isfolder>true</Hdi_isfolder></Metadata></Blob>
<Blob><Name>p/contoso/state.json</Name><Properties><Content-Length>2</Content-Length></Properties><Metadata><other>true</other></Metadata></Blob>
</Blobs><NextMarker/></EnumerationResults>`)
		}
		return answer(200, "", "")
	})
	s, err := blobstore.OpenAzure(t.Context(), blobstore.AzureOptions{URL: "https://acct.blob.core.windows.net/reports/p", Credential: emulatorCredential{}, Transport: account})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for info, err := range s.List(t.Context(), "contoso/") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Name)
	}
	if !slices.Equal(names, []string{"contoso/state.json"}) {
		t.Errorf("listed %q", names)
	}
	if err := s.DeleteEmptyDir(t.Context(), "contoso/runs/2026/11/24"); err != nil {
		t.Error(err)
	}
	if want := []string{"contoso/runs/2026/11/24", "contoso/runs/2026/11", "contoso/runs/2026"}; !slices.Equal(deleted, want) {
		t.Errorf("deleted %q, want %q", deleted, want)
	}
}
