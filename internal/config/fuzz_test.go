package config

import (
	"io/fs"
	"strings"
	"testing"
)

func FuzzLoad(f *testing.F) {
	f.Add([]byte(whole1), "0 2 * * *")
	f.Add([]byte("tenants: [{name: a, tenantId: a.example, credential: {kind: static, token: {env: X}}}]\n"), "CRON_TZ=UTC")
	f.Add([]byte("tenants:\nstore: {credential: {kind: [1], sas: {env: 1}}}\nnotices: [1, {url: {file: 2}}]\n"), "@every 1s")
	f.Add([]byte("limits: &l {maxDismissals: 1}\nx: *l\n"), "* * * * *")
	f.Fuzz(func(t *testing.T, data []byte, cron string) {
		cfg, problems := Load(LoadOptions{WorkDir: "/srv/job", Environ: []string{"CONTOSO_SECRET=unseen-text"}, Flags: map[string]string{"schedule.cron": cron},
			ReadFile: func(name string) ([]byte, error) {
				if strings.HasSuffix(name, DefaultFile) {
					return data, nil
				}
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			}})
		if cfg == nil {
			t.Fatal("no configuration")
		}
		if problems.Err() == nil && len(cfg.Tenants) == 0 {
			t.Fatal("valid without a tenant")
		}
		for _, p := range problems {
			if strings.ContainsAny(p.Error(), "\r\n") || strings.Contains(p.Error(), "unseen-text") {
				t.Fatalf("bad problem %q", p.Error())
			}
		}
		for _, s := range cfg.Effective() {
			if strings.Contains(s.Value, "unseen-text") {
				t.Fatalf("%s prints a secret", s.Key)
			}
		}
	})
}
