package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/sweep"
)

// The stores that are compared: what looks at the last runs must not take longer
// in the one that has ten times as many.
var manyRuns = 10_000

func fewRuns() int { return manyRuns / 10 }

// runFiles are the files of a run in such a store.
var runFiles = []string{"actions.csv", "detections.csv", "detections.jsonl", "policies.csv", "report.html", "users.csv", "users.jsonl"}

// oldStore makes a store with n runs, one an hour, of which every other is an
// apply run, as a product of years would have left it.
func oldStore(root string, n int) {
	dir := filepath.Join(root, "contoso")
	var previous *ledger.Link
	plans := ledger.Plans{SchemaVersion: ledger.PlansVersion, Runs: []ledger.Link{}}
	now := time.Now().UTC().Truncate(time.Hour)
	planHead := ""
	for i := range n {
		start := now.Add(-time.Duration(n-i) * time.Hour)
		id := ledger.RunID(start, [3]byte{byte(i >> 16), byte(i >> 8), byte(i)})
		run := filepath.Join(dir, "runs", start.Format("2006/01/02"), id)
		check(os.MkdirAll(run, 0o755))
		m := ledger.Manifest{SchemaVersion: ledger.ManifestVersion, Run: id, Tenant: "contoso", Mode: "apply", Kind: ledger.KindSweep, Status: "succeeded", StartedAt: start, FinishedAt: start.Add(time.Minute),
			Counts: map[string]int{"usersOpen": i % 7, "usersOpen.high": i % 2, "users": i % 100, "detections": i % 300, "policies": 20, "policies.inSync": 20, "actions": 0, "needsPerson": 0}}
		file := func(name, text string) {
			check(os.WriteFile(filepath.Join(run, name), []byte(text), 0o644))
			m.Files = append(m.Files, ledger.File{Name: name, Size: int64(len(text)), SHA256: sha(text)})
		}
		for _, name := range runFiles {
			file(name, "one line of "+name+" of run "+id+"\n")
		}
		file("journal.jsonl", "")
		file("report.json", fmt.Sprintf(`{"schemaVersion":1,"run":%q,"tenant":"contoso","mode":%q,"kind":"sweep","status":"succeeded","coverage":{"complete":false}}`, id, m.Mode))
		if i%2 == 0 {
			m.Mode, m.PlanHead = "plan", &planHead
		} else {
			m.Previous = previous
		}
		data, err := json.MarshalIndent(m, "", "  ")
		check(err)
		text := string(data) + "\n"
		check(os.WriteFile(filepath.Join(run, "manifest.json"), []byte(text), 0o644))
		if link := (ledger.Link{Run: id, SHA256: sha(text)}); m.Mode == "plan" {
			plans.Runs = append(plans.Runs, link)
			planHead = sha(planHead + "\n" + link.Run + "\n" + link.SHA256 + "\n")
		} else {
			previous = &link
		}
	}
	put := func(name string, v any) {
		data, err := json.MarshalIndent(v, "", " ")
		check(err)
		check(os.WriteFile(filepath.Join(dir, name), append(data, '\n'), 0o644))
	}
	put("plans.json", plans)
	put("state.json", ledger.State{SchemaVersion: ledger.StateVersion, Head: previous.SHA256, HeadRun: previous.Run})
}

func sha(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// applyAgain is an apply over a tenant without risk, in a store that is given:
// what it takes to begin and to end a run.
func applyAgain(t task) measured {
	store, err := blobstore.OpenDir(t.container)
	check(err)
	s := t.over(store)
	run(s, sweep.Apply) // whatever is done once
	var m measured
	for range 5 {
		m.add(taking(func() { run(s, sweep.Apply) }))
	}
	m.CPU /= 5
	return m
}

// verifyStore checks every hash of a store that is given.
func verifyStore(t task) measured {
	store, err := blobstore.OpenDir(t.container)
	check(err)
	var v ledger.Verification
	m := taking(func() {
		v, err = ledger.New(store, "contoso", ledger.Options{Now: time.Now}).Verify(context.Background())
	})
	check(err)
	for _, p := range v.Problems {
		check(fmt.Errorf("the store of the bench is not whole: %s", p))
	}
	m.Requests, m.Peak = v.Runs, peak()
	return m
}

// ofManyRuns is what the number of runs in a store costs.
func ofManyRuns(row rowFunc) {
	service, stop := startTenant(0)
	defer stop()
	dir, exe := product()
	defer os.RemoveAll(dir)
	few, many := filepath.Join(dir, "few"), filepath.Join(dir, "many")
	oldStore(few, fewRuns())
	oldStore(many, manyRuns)

	a, b := beside(service, "verifyStore", 0, "-container", few), beside(service, "verifyStore", 0, "-container", many)
	row(fmt.Sprintf("peak memory of verifying %d runs", manyRuns), mib(b.Peak), mib(verifyPeak()), ratio(b.Peak, verifyPeak()), 1, "what 100,000 runs may take, 64 MiB, less 300 B for each that is missing")
	each := func(m measured) time.Duration { return m.CPU / time.Duration(m.Requests) }
	row("CPU of verifying a run, with ten times as many", each(b).String(), each(a).String(), ratio(each(b), each(a)), 1.3, fmt.Sprintf("the same in a store of %d", fewRuns()))

	a, b = beside(service, "applyAgain", 0, "-container", few), beside(service, "applyAgain", 0, "-container", many)
	const floor = "the same in a store of a tenth of the runs"
	row(fmt.Sprintf("CPU of an apply in a store of %d runs", manyRuns), ms(b.CPU), ms(a.CPU), ratio(b.CPU, a.CPU), 1.5, floor)
	for _, args := range [][]string{{"report", "list"}, {"report", "show"}} {
		a, b := command(exe, few, args...), command(exe, many, args...)
		row(fmt.Sprintf("CPU of `%s %s` in that store", args[0], args[1]), ms(b), ms(a), ratio(b, a), 1.5, floor)
	}
}

// verifyPeak is what is allowed of the 64 MiB for 100,000 runs.
func verifyPeak() int64 { return int64(64<<20 - (100_000-manyRuns)*300) }

// command is the least processor time of five processes of the product over a
// store.
func command(exe, store string, args ...string) time.Duration {
	least := time.Hour
	for range 5 {
		config := filepath.Join(filepath.Dir(exe), "risksweep.yaml")
		check(os.WriteFile(config, fmt.Appendf(nil, "tenants:\n  - name: contoso\n    tenantId: 00000000-0000-0000-0000-000000000001\nstore: {url: %q}\n", "file:"+store), 0o644))
		cmd := exec.Command(exe, append(args, "--config", config)...)
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Run(); err != nil {
			check(fmt.Errorf("%v: %w\n%s", args, err, said.Bytes()))
		}
		used := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		least = min(least, time.Duration(used.Utime.Nano()+used.Stime.Nano()))
	}
	return least
}
