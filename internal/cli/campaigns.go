package cli

import (
	"fmt"

	"github.com/risksweep/risksweep/internal/report"
)

// printCampaigns names the groups of users whose risk belongs together.
func (c *command) printCampaigns(list []report.Campaign) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(c.Out, "\n  Belongs together:")
	for i, g := range list {
		if i == shownPeople && !c.wide {
			c.printMore(len(list), i, "report.html")
			return
		}
		fmt.Fprintln(c.Out, "  "+wrap(printable(g.Summary), c.Width, 4))
	}
}
