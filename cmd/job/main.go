// Command risksweep sweeps the identity risk of Microsoft Entra tenants,
// triages it by rules, and holds the tenants to a baseline of Conditional
// Access policies. `risksweep --help` lists what it does.
package main

import (
	"os"

	"github.com/risksweep/risksweep/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.System()))
}
