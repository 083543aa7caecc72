package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// reasonFlag adds the flag by which a person says why.
func reasonFlag(cmd *cobra.Command, reason *string) {
	cmd.Flags().Var((*reasonValue)(reason), "reason", "why, in your own words, for the report")
}

// reasonValue is a text that says something.
type reasonValue string

var errNoReason = errors.New("it is empty: say why in a few words")

func (v *reasonValue) Set(s string) error {
	if strings.TrimSpace(s) == "" {
		return errNoReason
	}
	*v = reasonValue(strings.TrimSpace(s))
	return nil
}

func (v *reasonValue) String() string { return string(*v) }

// Type is what help calls the value.
func (*reasonValue) Type() string { return "string" }

// askReason asks at a terminal why an order is given that did not say.
func (c *command) askReason(reason *string) error {
	if !c.InTTY || *reason != "" {
		return nil
	}
	for {
		fmt.Fprint(c.Err, "Why? It stands in the report: ")
		line, err := c.inputLine()
		if err != nil {
			return err
		}
		if *reason = strings.TrimSpace(line); *reason != "" {
			return nil
		}
		if line == "" { // the input ended
			fmt.Fprintln(c.Err)
			return usageError{errors.New("no reason was given: nothing was done; --reason TEXT gives one")}
		}
	}
}
