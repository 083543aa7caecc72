package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

const helloSource = `package main

import (
	"net/http"
	"os"
)

func main() {
	_ = http.ListenAndServe("127.0.0.1:"+os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }))
}
`

// startUp compares the time from the start of a process to its first answer
// with that of a bare net/http server: the medians of twenty starts.
func startUp(row rowFunc) {
	dir, err := os.MkdirTemp("", "bench")
	check(err)
	defer os.RemoveAll(dir)
	hello := filepath.Join(dir, "hello")
	check(os.MkdirAll(filepath.Join(dir, "src"), 0o755))
	check(os.WriteFile(filepath.Join(dir, "src", "main.go"), []byte(helloSource), 0o644))
	build(hello, "main.go", filepath.Join(dir, "src"))
	ours := filepath.Join(dir, "risksweep")
	build(ours, "github.com/risksweep/risksweep/cmd/job", ".")
	a, b := median(ours, "functions"), median(hello)
	row("start to the first answered ping", ms(a), ms(b), ratio(a, b), float64(3*b+10*time.Millisecond)/float64(b), "a bare net/http hello; 3 times it and 10 ms are allowed")
	info, err := os.Stat(ours)
	check(err)
	row("stripped binary", mib(info.Size()), mib(30_000_000), ratio(info.Size(), 30_000_000), 1, "30 MB")
}

// build builds a stripped binary.
func build(to, pkg, in string) {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, pkg)
	cmd.Dir, cmd.Env = in, append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	check(cmd.Run())
}

func median(exe string, args ...string) time.Duration {
	times := make([]time.Duration, 20)
	for i := range times {
		times[i] = startOnce(exe, args...)
	}
	slices.Sort(times)
	return times[len(times)/2]
}

// startOnce starts a server and waits for its first answer.
func startOnce(exe string, args ...string) time.Duration {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	check(err)
	check(l.Close())
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), "FUNCTIONS_CUSTOMHANDLER_PORT="+port)
	began := time.Now()
	check(cmd.Start())
	for time.Since(began) < 10*time.Second {
		res, err := http.Get("http://127.0.0.1:" + port + "/")
		if err == nil {
			took := time.Since(began)
			_ = res.Body.Close()
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // it was killed
			return took
		}
		time.Sleep(200 * time.Microsecond)
	}
	check(fmt.Errorf("%s does not answer", exe))
	return 0
}
