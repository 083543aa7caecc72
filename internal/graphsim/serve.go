package graphsim

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"
)

// ServeOptions says where a tenant listens.
type ServeOptions struct {
	// Listen is the plain listener's host:port and ListenTLS the TLS one's;
	// port 0 picks a free one. Either may be empty, not both.
	Listen, ListenTLS string
	// TLSDir is the folder that gets ca.pem, the certificate that clients
	// must trust; needed with ListenTLS.
	TLSDir string
	// Logger gets what goes wrong with connections; nil drops it.
	Logger *slog.Logger
}

// stopWithin is how long running calls may take to end when serving stops.
const stopWithin = 300 * time.Millisecond

// Serve listens until ctx is done and then ends within a second, without an
// error. When all listeners stand it calls ready, if not nil.
func Serve(ctx context.Context, t *Tenant, opt ServeOptions, ready func(Ready)) (err error) {
	if opt.Listen == "" && opt.ListenTLS == "" {
		return errors.New("no address to listen on")
	}
	if opt.ListenTLS != "" && opt.TLSDir == "" {
		return errors.New("the TLS listener needs a folder for its certificate")
	}
	logger := opt.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	var listeners []net.Listener
	defer func() {
		for _, l := range listeners {
			_ = l.Close() // closed already in the ordinary course
		}
	}()
	open := func(address string) (net.Listener, error) {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err == nil {
			listeners = append(listeners, l)
		}
		return l, err
	}
	calls, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	// One server a listener: a shared one sets HTTP/2 up for the first alone.
	server := func() *http.Server {
		return &http.Server{
			Handler:           t.Handler(),
			ReadHeaderTimeout: 10 * time.Second,
			IdleTimeout:       2 * time.Minute,
			BaseContext:       func(net.Listener) context.Context { return calls },
			ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		}
	}
	var servers []*http.Server
	info := Ready{}
	var config *tls.Config
	var plain, secure net.Listener
	if opt.Listen != "" {
		if plain, err = open(opt.Listen); err != nil {
			return fmt.Errorf("listening: %w", err)
		}
		info = t.Ready("http://" + plain.Addr().String())
	}
	if opt.ListenTLS != "" {
		certificate, err := writeCertificates(opt.TLSDir)
		if err != nil {
			return err
		}
		config = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}
		if secure, err = open(opt.ListenTLS); err != nil {
			return fmt.Errorf("listening: %w", err)
		}
		_, port, err := net.SplitHostPort(secure.Addr().String())
		if err != nil {
			return fmt.Errorf("listening: %w", err)
		}
		overTLS := t.Ready("https://localhost:" + port)
		if plain == nil {
			info = overTLS
		}
		info.GraphTLS, info.AuthorityTLS = overTLS.Graph, overTLS.Authority
		info.CA = filepath.Join(opt.TLSDir, caFile)
	}
	// Said before the first answer: the system keeps callers waiting until then,
	// and who gets an answer may rely on what ready has written.
	if ready != nil {
		ready(info)
	}
	ended := make(chan error, 2)
	if plain != nil {
		s := server()
		servers = append(servers, s)
		go func() { ended <- s.Serve(plain) }()
	}
	if secure != nil {
		s := server()
		s.TLSConfig = config
		servers = append(servers, s)
		go func() { ended <- s.ServeTLS(secure, "", "") }()
	}
	select {
	case err := <-ended:
		for _, s := range servers {
			_ = s.Close() // the first error is the one to tell
		}
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	cut() // calls that a fault delays end now
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	for _, s := range servers {
		if s.Shutdown(grace) != nil {
			_ = s.Close() // whoever is still there is cut off
		}
	}
	return nil
}
