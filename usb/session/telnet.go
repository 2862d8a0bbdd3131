package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// Telnet is a client's connection to a telnet server: Read gives what the
// phone prints, Write sends what a person types. One goroutine may read while
// others write or resize. It is a net.Conn.
type Telnet struct {
	net.Conn

	read sync.Mutex
	wire []byte // what came off the wire, reused
	user []byte // decoded, not yet read

	mu    sync.Mutex // guards codec and keeps writes whole
	codec telnetCodec

	prompt promptState // how far the LUKS dialogue is; see unlock.go
}

// NewTelnet speaks telnet over conn, with a window of cols x rows characters
// (0 x 0: unknown, Resize tells it later). Close closes conn.
func NewTelnet(conn net.Conn, cols, rows int) *Telnet {
	t := &Telnet{Conn: conn, wire: make([]byte, 4096)}
	t.codec.resize(cols, rows, nil)
	return t
}

// Read reads what the phone prints. It answers the server's negotiation itself.
func (t *Telnet) Read(p []byte) (int, error) {
	t.read.Lock()
	defer t.read.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	for len(t.user) == 0 {
		n, err := t.Conn.Read(t.wire)
		if aerr := t.decode(t.wire[:n]); aerr != nil && err == nil {
			err = aerr
		}
		clear(t.wire[:n])
		if len(t.user) > 0 {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	n := copy(p, t.user)
	clear(t.user[:n])
	t.user = t.user[n:]
	return n, nil
}

// decode takes bytes off the wire apart and sends what has to be answered.
func (t *Telnet) decode(in []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var reply []byte
	t.user, reply = t.codec.feed(in, t.user[:0], nil)
	if len(reply) == 0 {
		return nil
	}
	if _, err := t.Conn.Write(reply); err != nil {
		return fmt.Errorf("answer the phone's telnet negotiation: %w", err)
	}
	return nil
}

// Write sends what a person typed. What it needs in memory is wiped.
func (t *Telnet) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	wire := escapeTelnet(p, make([]byte, 0, 2*len(p)))
	defer clear(wire)
	if _, err := t.Conn.Write(wire); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Resize tells the phone the size of the terminal, in characters.
func (t *Telnet) Resize(cols, rows int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	reply := t.codec.resize(cols, rows, nil)
	if len(reply) == 0 {
		return nil
	}
	if _, err := t.Conn.Write(reply); err != nil {
		return fmt.Errorf("tell the phone the terminal's size %dx%d: %w", cols, rows, err)
	}
	return nil
}

// aLongTimeAgo as a deadline ends what waits on a connection.
var aLongTimeAgo = time.Unix(1, 0)

// interruptible lets ctx end reads and writes of conn. The returned function
// gives conn back and must be called; err of a cut-short call is replaced by
// the context's through cause.
func interruptible(ctx context.Context, conn net.Conn) (release func()) {
	var cut sync.WaitGroup
	cut.Add(1)
	stop := context.AfterFunc(ctx, func() {
		defer cut.Done()
		_ = conn.SetDeadline(aLongTimeAgo)
	})
	return func() {
		if stop() {
			return
		}
		cut.Wait()
		_ = conn.SetDeadline(time.Time{})
	}
}

// cause returns the context's error where it is what cut a call short.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return ctx.Err()
	}
	return err
}
