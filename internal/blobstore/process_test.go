package blobstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/blobstore/azuritetest"
)

// The test binary stands in for other processes when this is set.
const actAs = "BLOBSTORE_TEST_ACT_AS"

func TestMain(m *testing.M) {
	if role := os.Getenv(actAs); role != "" {
		if err := act(role, os.Getenv("BLOBSTORE_TEST_STORE")); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func openAny(url string) (blobstore.Store, error) {
	if dir, ok := strings.CutPrefix(url, "file:"); ok {
		return blobstore.OpenDir(dir)
	}
	return blobstore.OpenAzure(context.Background(), blobstore.AzureOptions{URL: url, ConnectionString: azuritetest.ConnectionString(url), LeaseFor: 15 * time.Second})
}

// act is what another process does.
func act(role, url string) error {
	ctx := context.Background()
	switch role {
	case "hold":
		s, err := openAny(url)
		if err != nil {
			return err
		}
		if _, err := s.Lease(ctx, "t/lock", blobstore.Holder{Run: "killed", PID: os.Getpid()}); err != nil {
			return err
		}
		fmt.Println("held")
		select {} // until it is killed
	case "take":
		return take(ctx, url)
	case "fill":
		// A limit on the size of files is what a full disk looks like.
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}); err != nil {
			return err
		}
		return fill(ctx, url)
	case "forbidden":
		s, err := openAny(url)
		if err != nil {
			return err
		}
		return s.Put(ctx, "t/file", []byte("x"))
	}
	return fmt.Errorf("no role: %s", role)
}

// take takes a lease and gives it back, many times, each time after a process
// that was killed with it.
func take(ctx context.Context, url string) error {
	s, err := openAny(url)
	if err != nil {
		return err
	}
	for range 300 {
		if dir, ok := strings.CutPrefix(url, "file:"); ok {
			if err := os.WriteFile(filepath.Join(dir, "t/lock"), []byte(`{"run":"killed"}`), 0o600); err != nil {
				return err
			}
		}
		l, err := s.Lease(ctx, "t/lock", blobstore.Holder{Run: "taker"})
		if err != nil {
			return err
		}
		if err := l.Release(ctx); err != nil {
			return err
		}
	}
	return nil
}

func fill(ctx context.Context, url string) error {
	s, err := openAny(url)
	if err != nil {
		return err
	}
	large := make([]byte, 2<<20)
	if err := s.Put(ctx, "whole", []byte("old")); err != nil {
		return err
	}
	if err := s.Put(ctx, "whole", large); err == nil {
		return errors.New("Put wrote more than there is room for")
	}
	w, err := s.Create(ctx, "streamed")
	if err != nil {
		return err
	}
	_, writeErr := w.Write(large)
	if commitErr := w.Commit(ctx); writeErr == nil || commitErr == nil {
		return fmt.Errorf("Write gave %v, Commit %v", writeErr, commitErr)
	}
	a, err := s.Append(ctx, "journal")
	if err != nil {
		return err
	}
	if err := a.Append(ctx, []byte("whole line\n")); err != nil {
		return err
	}
	if err := a.Append(ctx, large); err == nil {
		return errors.New("Append wrote more than there is room for")
	}
	return a.Close()
}

func process(t *testing.T, role, url string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), actAs+"="+role, "BLOBSTORE_TEST_STORE="+url)
	return cmd
}

// A holder that is killed loses its lease: at once in a folder, when the lease
// ends in a container.
func TestAHolderIsKilled(t *testing.T) {
	t.Parallel()
	azurite := azuritetest.Shared(t)
	for name, c := range map[string]struct {
		url    string
		within time.Duration
	}{"folder": {"file:" + t.TempDir(), time.Second}, "container": {azurite.Container(), 20 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			cmd := process(t, "hold", c.url)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
				t.Fatalf("%q, %v", line, err)
			}
			s, err := openAny(c.url)
			if err != nil {
				t.Fatal(err)
			}
			var held *blobstore.LeaseHeldError
			if _, err := s.Lease(t.Context(), "t/lock", blobstore.Holder{Run: "next"}); !errors.As(err, &held) || held.Holder.Run != "killed" || held.Holder.PID != cmd.Process.Pid {
				t.Fatalf("got %v", err)
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // it was killed
			for end := time.Now().Add(c.within); ; time.Sleep(100 * time.Millisecond) {
				l, err := s.Lease(t.Context(), "t/lock", blobstore.Holder{Run: "next"})
				if err == nil {
					if err := l.Release(t.Context()); err != nil {
						t.Error(err)
					}
					return
				}
				if !errors.Is(err, blobstore.ErrLeaseHeld) || time.Now().After(end) {
					t.Fatal(err)
				}
			}
		})
	}
}

// A disk that is full leaves the old file, no half of a new one, and whole
// lines in the journal.
func TestAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if out, err := process(t, "fill", "file:"+dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s, err := blobstore.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"whole": "old", "journal": "whole line\n"} {
		if got, _, err := s.Get(t.Context(), name); err != nil || string(got) != want {
			t.Errorf("%s holds %d bytes, %v", name, len(got), err)
		}
	}
	if _, _, err := s.Get(t.Context(), "streamed"); !errors.Is(err, blobstore.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".writing-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// A folder that may not be written is a clear error.
func TestAReadOnlyFolder(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "readonly")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	exe := filepath.Join(dir, "test")
	data, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(dir, "store")
	for _, err := range []error{os.WriteFile(exe, data, 0o755), os.Mkdir(store, 0o555), os.Chmod(dir, 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := process(t, "forbidden", "file:"+store)
	cmd.Path, cmd.Dir = exe, dir
	if os.Getuid() == 0 { // root may write anywhere
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "permission denied") {
		t.Errorf("%v, %q", err, out)
	}
	if _, err := blobstore.OpenDir(exe); err == nil {
		t.Error("a file was opened as a folder")
	}
}

// To ask whether a lease is held keeps nobody from taking it.
func TestAskingTakesNothing(t *testing.T) {
	for name, url := range map[string]string{"folder": "file:" + t.TempDir(), "container": azuritetest.Shared(t).Container()} {
		t.Run(name, func(t *testing.T) {
			s, err := openAny(url)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Put(t.Context(), "t/other", nil); err != nil {
				t.Fatal(err)
			}
			cmd := process(t, "take", url)
			var out strings.Builder
			cmd.Stdout = &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			for asked := 1; ; asked++ {
				if _, err := s.Leased(t.Context(), "t/lock"); err != nil {
					t.Error(err)
				}
				select {
				case err := <-ended:
					if err != nil || asked < 10 {
						t.Errorf("after %d questions: %v: %s", asked, err, out.String())
					}
					return
				default:
				}
			}
		})
	}
}
