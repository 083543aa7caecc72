#!/usr/bin/env bash
# robfig/cron: a nightly job at 02:30 runs twice in the night when clocks go
# back, and not at all in the night when they go forward.
#
# The documentation tells of the run that is left out. It does not tell of the
# second one: 02:30 comes twice in October, and both are run. The cron daemons
# of Linux take care that such a job runs once in either night. Schedule by UTC,
# or at an hour that no change of clocks touches, or make the job bear a second
# run.
#
# Needs Go. Exits with 1 if the behaviour has changed, with 2 if it cannot run.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'EOF'
package main

import (
	"fmt"
	"time"
	_ "time/tzdata"

	"github.com/robfig/cron/v3"
)

func main() {
	berlin, err := time.LoadLocation("Europe/Berlin")
	check(err)
	schedule, err := cron.ParseStandard("30 2 * * *")
	check(err)
	fmt.Println("clocks go back on 25 October 2026:")
	show(schedule, time.Date(2026, 10, 24, 12, 0, 0, 0, berlin))
	fmt.Println("clocks go forward on 28 March 2027:")
	show(schedule, time.Date(2027, 3, 27, 12, 0, 0, 0, berlin))
}

func show(schedule cron.Schedule, at time.Time) {
	for range 3 {
		at = schedule.Next(at)
		fmt.Println(" ", at.Format("Mon 2006-01-02 15:04 MST"))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
EOF
{
  go mod init finding
  go get github.com/robfig/cron/v3@v3.0.1
  go build -o finding .
} >build.log 2>&1 || { cat build.log; exit 2; }
got=$(./finding)

want=$(cat <<'EOF'
clocks go back on 25 October 2026:
  Sun 2026-10-25 02:30 CEST
  Sun 2026-10-25 02:30 CET
  Mon 2026-10-26 02:30 CET
clocks go forward on 28 March 2027:
  Mon 2027-03-29 02:30 CEST
  Tue 2027-03-30 02:30 CEST
  Wed 2027-03-31 02:30 CEST
EOF
)
cat <<EOF
versions: $(go list -m github.com/robfig/cron/v3 | paste -sd, | sed "s/,/, /g")
expected: "30 2 * * *" runs once on each day.
happens:  twice on 25 October 2026, never on 28 March 2027.
output:
$got
EOF
[ "$got" = "$want" ] || { printf 'CHANGED, the output was:\n%s\n' "$want"; exit 1; }
