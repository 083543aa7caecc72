#!/usr/bin/env bash
# robfig/cron: a day of the month such as */2 together with a day of the week
# means either of them, where Vixie cron and its descendants mean both.
#
# Everybody knows that "1,15 * mon" is either of them. A field that begins with
# a star is the exception there: "*/2 * mon" is every second day of the month
# that is a Monday. Here a star with a step counts as no star, while */1 does. A
# crontab taken over unchanged runs on 17 days of November 2026 instead of 2.
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

	"github.com/robfig/cron/v3"
)

func main() {
	for _, spec := range []string{"0 9 */1 * mon", "0 9 */2 * mon"} {
		schedule, err := cron.ParseStandard(spec)
		if err != nil {
			panic(err)
		}
		days := ""
		end := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
		for at := schedule.Next(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)); at.Before(end); at = schedule.Next(at) {
			days += at.Format(" Mon-2")
		}
		fmt.Printf("%q in November 2026:%s\n", spec, days)
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
"0 9 */1 * mon" in November 2026: Mon-2 Mon-9 Mon-16 Mon-23 Mon-30
"0 9 */2 * mon" in November 2026: Sun-1 Mon-2 Tue-3 Thu-5 Sat-7 Mon-9 Wed-11 Fri-13 Sun-15 Mon-16 Tue-17 Thu-19 Sat-21 Mon-23 Wed-25 Fri-27 Sun-29 Mon-30
EOF
)
cat <<EOF
versions: $(go list -m github.com/robfig/cron/v3 | paste -sd, | sed "s/,/, /g")
expected: "0 9 */2 * mon" runs on Mondays with an odd day of the month: on 9 and 23
          November 2026.
happens:  it runs on every odd day and on every Monday.
output:
$got
EOF
[ "$got" = "$want" ] || { printf 'CHANGED, the output was:\n%s\n' "$want"; exit 1; }
