package entra_test

import (
	"testing"

	"github.com/risksweep/risksweep/internal/entra"
)

func TestPermissionsThatOnlyRead(t *testing.T) {
	for name, reads := range map[string]bool{
		"User.Read.All": true, "Mail.Read": true, "Mail.ReadBasic.All": true, "Policy.Read.ConditionalAccess": true, "AuditLogsQuery-Entra.Read.All": true,
		"RoleManagement.ReadWrite.Directory": false, "Mail.Send": false, "Application.ReadUpdate.All": false, "Directory.AccessAsUser.All": false,
		"full_access_as_app": false, "Exchange.ManageAsApp": false, "Sites.Selected": false, "": false, "Read": false, "User.read.All": false,
	} {
		if entra.OnlyReads(name) != reads {
			t.Errorf("%q only reads: %t", name, !reads)
		}
	}
}
