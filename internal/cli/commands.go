package cli

import "github.com/spf13/cobra"

// commands are all commands, in the order in which help lists them.
func (c *command) commands() []*cobra.Command {
	return []*cobra.Command{
		c.demoCommand(), c.planCommand(), c.applyCommand(), c.serveCommand(), c.functionsCommand(), c.baselineCommand(), c.whatIfCommand(), c.coverageCommand(), c.impactCommand(), c.triageCommand(), c.exceptionsCommand(),
		c.detectionsCommand(), c.usersCommand(), c.principalsCommand(), c.reportCommand(), c.doctorCommand(), c.simCommand(), c.configCommand(), c.versionCommand(),
	}
}
