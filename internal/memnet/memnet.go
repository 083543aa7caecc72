// Package memnet carries HTTP over connections that stay in memory, for tests
// in virtual time: what waits on them counts as waiting for a bubble of
// testing/synctest, which a socket does not. It is never part of the product.
package memnet

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// Listener hands out both ends of its connections.
type Listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Listen makes a Listener. Whoever dials it and whoever accepts must be of the
// bubble that it is made in.
func Listen() *Listener {
	return &Listener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept gives the next connection; net.ErrClosed after Close.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close refuses what dials from now on. What is connected stays.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr looks like one of this machine, to which plain HTTP is allowed.
func (l *Listener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// DialContext connects, whatever the address.
func (l *Listener) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, fmt.Errorf("connection refused: %w", net.ErrClosed)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
