package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// besideJavaScript is a whole sweep of n detections beside Microsoft's
// JavaScript client, which only reads them: the shortest of some runs of either
// process, in turn.
func besideJavaScript(row rowFunc, n int) {
	dir := filepath.Join("bench", "js")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "@microsoft")); err != nil {
		install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
		install.Dir, install.Stderr = dir, os.Stderr
		check(install.Run())
	}
	service, stop := startTenant(n)
	defer stop()
	var ours, theirs time.Duration
	shortest := func(of *time.Duration, f func()) {
		began := time.Now()
		f()
		if took := time.Since(began); *of == 0 || took < *of {
			*of = took
		}
	}
	for range 5 {
		shortest(&ours, func() { beside(service, "sweep", n) })
		shortest(&theirs, func() {
			read := exec.Command("node", filepath.Join(dir, "read.mjs"), service)
			read.Stderr = os.Stderr
			out, err := read.Output()
			check(err)
			if want := strconv.Itoa(n) + " " + strconv.Itoa(n/usersEach); strings.TrimSpace(string(out)) != want {
				check(fmt.Errorf("the JavaScript client read %s, not %s", out, want))
			}
		})
	}
	row(fmt.Sprintf("wall time of %d detections", n), ms(ours), ms(theirs), ratio(ours, theirs), 0, "Microsoft's JavaScript client reading the same, and no more")
}
