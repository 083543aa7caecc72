package azuritetest

import (
	"os/exec"
	"syscall"
)

// endWithTest lets the kernel end Azurite when the test's process ends, however
// it ends.
func endWithTest(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
