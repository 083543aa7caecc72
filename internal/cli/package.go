package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	assets "github.com/risksweep/risksweep"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// packageCommand lays out a function app.
func (c *command) packageCommand() *cobra.Command {
	var out, binary string
	cmd := &cobra.Command{
		Use:   "package",
		Short: "Lay out a function app: host.json, the binary, a folder for each function, the configuration",
		Long: `Writes a folder that is a function app, ready to zip or to start with
func start: host.json, this binary, one folder for each function, and the
configuration with the baseline, triage and expectations files that it names. These must lie
in the configuration's folder or below. Secrets are not packed: they belong in
app settings.

The app runs on Linux; on another system, or for another processor, name a
binary built for it: CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build ./cmd/job`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.packageApp(cmd, out, binary) },
	}
	cmd.Flags().StringVar(&out, "out", "", "folder to write; empty, or of an earlier package")
	cmd.Flags().StringVar(&binary, "binary", "", "binary to pack instead of this one")
	return cmd
}

func (c *command) packageApp(cmd *cobra.Command, out, binary string) error {
	form, err := c.form("text", "json")
	if err != nil {
		return err
	}
	if out == "" {
		return usageError{errors.New("name the folder with --out DIR")}
	}
	cfg, err := c.configToPack(cmd, "", "")
	if err != nil {
		return err
	}
	files, err := filesToPack(cfg)
	if err != nil {
		return err
	}
	if err := emptyOrPackage(out); err != nil {
		return usageError{err}
	}
	if err := writeFunctions(out); err != nil {
		return fmt.Errorf("writing the functions: %w", err)
	}
	if err := c.packBinary(out, binary); err != nil {
		return fmt.Errorf("packing the binary: %w", err)
	}
	for _, f := range files {
		if err := copyTree(f.from, filepath.Join(out, f.to)); err != nil {
			return fmt.Errorf("packing the configuration: %w", err)
		}
	}
	// What was packed must stand on its own: nothing in it may lead back here.
	packed, err := c.configToPack(cmd, filepath.Join(out, config.DefaultFile), out)
	if err != nil {
		return err
	}
	if _, err := filesToPack(packed); err != nil {
		return err
	}
	if strings.HasPrefix(cfg.Store.URL, "file:") {
		c.log.Warn("store.url is a folder, which a function app loses; set RISKSWEEP_STORE_URL to a blob container in its settings")
	}
	if runtime.GOOS != "linux" && binary == "" {
		c.log.Warn("the packed binary is not for Linux; build one and name it with --binary", "os", runtime.GOOS)
	}
	if form == "json" {
		tenants := []string{}
		for _, t := range cfg.Tenants {
			tenants = append(tenants, t.Name)
		}
		return printJSON(c.Out, struct {
			Out     string   `json:"out"`
			Tenants []string `json:"tenants"`
		}{out, tenants})
	}
	_, err = fmt.Fprintf(c.Out, "%s is a function app with %s; zip what is in it, or start it there with: func start\n", out, report.Number(len(cfg.Tenants), "tenant"))
	return err
}

// configToPack reads a configuration without the secrets it names, which stay
// behind; file and dir replace the flags' file and the working folder.
func (c *command) configToPack(cmd *cobra.Command, file, dir string) (*config.Config, error) {
	known := []string{config.EnvConfig, config.EnvTenants, config.EnvNotices, config.EnvConnectionString, config.EnvNCRONTAB}
	for _, k := range config.Reference() {
		known = append(known, k.Env)
	}
	env := func(name string) (string, bool) {
		if v, ok := c.Env(name); ok && !(file != "" && name == config.EnvConfig) {
			return v, ok
		}
		if slices.Contains(known, name) {
			return "", false
		}
		return "not-packed", true
	}
	_, fromEnv := c.Env(config.EnvConfig)
	opt := config.LoadOptions{File: c.configFile, Explicit: cmd.Flags().Changed("config") || fromEnv, Env: env, Tenants: c.tenants}
	if file != "" {
		abs, err := filepath.Abs(file)
		if err != nil {
			return nil, err
		}
		_, err = os.Stat(abs)
		opt.File, opt.WorkDir, opt.Explicit = abs, dir, err == nil
	}
	cfg, problems := config.Load(opt)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return cfg, nil
}

// packed is a file or folder and its place in the app.
type packed struct{ from, to string }

// filesToPack are the configuration and what its tenants name.
func filesToPack(cfg *config.Config) ([]packed, error) {
	var files []packed
	if cfg.File != "" {
		abs := cfg.File
		if !filepath.IsAbs(abs) {
			abs = filepath.Join(cfg.Dir, filepath.Base(cfg.File))
		}
		files = append(files, packed{abs, config.DefaultFile})
	}
	var problems yamldoc.Problems
	for _, t := range cfg.Tenants {
		for key, path := range map[string]string{"baseline": t.Baseline, "triage": t.Triage, "expectations": t.Expectations, "exceptions": t.Exceptions} {
			if path == "" {
				continue
			}
			rel, err := filepath.Rel(cfg.Dir, path)
			if err != nil || !filepath.IsLocal(rel) {
				problems = append(problems, yamldoc.Problem{File: cfg.File, Path: "tenants." + t.Name + "." + key,
					Message: fmt.Sprintf("%s is not below the configuration's folder %s, so it cannot be packed; give a path relative to it", path, cfg.Dir)})
				continue
			}
			if p := (packed{path, rel}); !slices.Contains(files, p) {
				files = append(files, p)
			}
		}
	}
	slices.SortFunc(problems, func(a, b yamldoc.Problem) int { return strings.Compare(a.Path, b.Path) })
	slices.SortFunc(files, func(a, b packed) int { return strings.Compare(a.to, b.to) })
	return files, problems.Err()
}

// emptyOrPackage refuses a folder that holds something else.
func emptyOrPackage(out string) error {
	entries, err := os.ReadDir(out)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	if _, err := os.Stat(filepath.Join(out, "SweepTenant", "function.json")); err != nil {
		return fmt.Errorf("--out %s holds other files; name an empty folder", out)
	}
	return nil
}

// writeFunctions writes host.json and the functions' folders, which stand
// beside it: the host looks no deeper.
func writeFunctions(out string) error {
	return fs.WalkDir(assets.FunctionApp, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(assets.FunctionApp, path)
		if err != nil {
			return err
		}
		to := filepath.Join(out, filepath.FromSlash(strings.TrimPrefix(path, "functions/")))
		return writeFile(to, data, 0o644)
	})
}

// packBinary copies the binary under the name in host.json, executable also
// for a system that zips without looking.
func (c *command) packBinary(out, binary string) error {
	if binary == "" {
		exe, err := os.Executable()
		if err != nil {
			return err
		}
		binary = exe
	}
	data, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(out, "risksweep"), data, 0o755)
}

// copyTree copies a file, or a folder with what is in it.
func copyTree(from, to string) error {
	root, err := filepath.EvalSymlinks(from)
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return writeFile(filepath.Join(to, rel), data, 0o644)
	})
}

// writeFile replaces a file: the old one may be a running binary.
func writeFile(to string, data []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(to, data, mode); err != nil {
		return err
	}
	return os.Chmod(to, mode) // the umask may have taken bits
}
