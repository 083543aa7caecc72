package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/sweep"
)

// The SDK's floor is a fair one: it writes the rows that a sweep writes, in the
// same files. Only what triage says of a user is missing, and fractions of
// seconds in JSON.
func TestTheFloorWritesTheSameFiles(t *testing.T) {
	const n = 1230
	server := httptest.NewServer(&tenant{n: n, updated: time.Now().UTC().Add(-6 * 24 * time.Hour).Truncate(time.Second)})
	defer server.Close()
	work := task{service: server.URL + "/v1.0", detections: n}
	dir := t.TempDir()
	work.iterate(dir)
	s := work.over(blobstore.NewMemory())
	res := run(s, sweep.Plan)
	for name, columns := range map[string]int{"detections": 24, "users": 9} {
		rows := n
		if name == "users" {
			rows /= usersEach
		}
		floor, ours := [2][]byte{}, [2][]byte{}
		for i, end := range []string{".jsonl", ".csv"} {
			var err error
			if floor[i], err = os.ReadFile(filepath.Join(dir, name+end)); err != nil {
				t.Fatal(err)
			}
			in, _, err := s.Ledger.Open(t.Context(), res.Run, name+end)
			if err != nil {
				t.Fatal(err)
			}
			if ours[i], err = io.ReadAll(in); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(documents(t, ours[0]), documents(t, floor[0])); diff != "" {
			t.Errorf("%s.jsonl: %s", name, diff)
		}
		want, got := cells(t, ours[1], columns), cells(t, floor[1], columns)
		if diff := cmp.Diff(want, got); diff != "" || len(got) != rows+1 {
			t.Errorf("%s.csv, %d rows: %s", name, len(got), diff)
		}
	}
}

// documents are the lines of a file, without what is null, what triage says, and
// the fractions of seconds, which the SDK's JSON writer loses.
func documents(t *testing.T, data []byte) (out []any) {
	t.Helper()
	for line := range bytes.Lines(data) {
		var doc map[string]any
		if err := json.Unmarshal(line, &doc); err != nil {
			t.Fatal(err)
		}
		delete(doc, "decision")
		delete(doc, "openDetections")
		delete(doc, "evidence")
		out = append(out, present(doc))
	}
	return out
}

func present(doc map[string]any) map[string]any {
	for k, v := range doc {
		switch v := v.(type) {
		case nil:
			delete(doc, k)
		case map[string]any:
			present(v)
		case string:
			if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
				doc[k] = at.Truncate(time.Second)
			}
		}
	}
	return doc
}

// cells gives the first cells of each row of a CSV file.
func cells(t *testing.T, data []byte, columns int) (out [][]string) {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		out = append(out, r[:columns])
	}
	return out
}
