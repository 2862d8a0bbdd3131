package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"portolan/usb"
)

// reach goes from a phone with a USB network to a connection.
func (w *wait) reach(ctx context.Context) (*Reached, error) {
	if w.handle == nil {
		err := w.during(ctx, func(ctx context.Context) (err error) {
			w.handle, err = w.Watcher.Open(ctx, w.Device)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	sees := "the phone brings a USB network"
	if l, ok := w.handle.(usb.Linker); ok {
		link, err := w.link(ctx, l)
		if err != nil {
			return nil, err
		}
		sees = seesLink(link)
	}
	w.say(StageLease, "an address from the phone", sees)
	lease, err := w.lease(ctx)
	if err != nil {
		return nil, err
	}
	if !w.ready() {
		return nil, errMoved
	}
	conn, err := w.knock(ctx, lease)
	if err != nil {
		return nil, err
	}
	if !w.ready() {
		conn.Close()
		return nil, errMoved
	}
	return &Reached{Conn: conn, Handle: w.handle, Lease: lease, Device: w.device}, nil
}

// link waits for the computer's end of the network. A phone in the right mode
// whose interface is not there yet is what this stage is for.
func (w *wait) link(ctx context.Context, l usb.Linker) (link usb.Link, err error) {
	for {
		err = w.during(ctx, func(ctx context.Context) (err error) {
			link, err = l.Link(ctx)
			return err
		})
		if !errors.Is(err, usb.ErrWrongMode) || !w.ready() {
			return link, err
		}
		w.say(StageLink, "the computer to make a network interface for the phone", "the phone brings a USB network, the computer has no interface for it")
		if err := w.rest(ctx, stale); err != nil {
			return link, err
		}
	}
}

// lease asks for an address until there is one.
func (w *wait) lease(ctx context.Context) (lease usb.Lease, err error) {
	for {
		err = w.during(ctx, func(ctx context.Context) (err error) {
			lease, err = w.handle.Lease(ctx)
			return err
		})
		if err == nil || final(ctx, err) {
			return lease, err
		}
		w.say(StageLease, w.now.For, err.Error())
		if err := w.rest(ctx, lastKnock); err != nil {
			return lease, err
		}
	}
}

// final tells whether trying the same again on the same handle makes no sense.
func final(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, errMoved) || errors.Is(err, usb.ErrGone) || errors.Is(err, usb.ErrWrongMode)
}

// knock tries the port until a server greets.
func (w *wait) knock(ctx context.Context, lease usb.Lease) (net.Conn, error) {
	what := fmt.Sprintf("%s to answer on port %d", serverName(w.Port), w.Port)
	sees := fmt.Sprintf("the computer is %v, the phone %v", lease.Address, lease.Server)
	pause := firstKnock
	for {
		w.say(StagePort, what, sees)
		var conn net.Conn
		err := w.during(ctx, func(ctx context.Context) (err error) {
			conn, err = w.handle.Dial(ctx, w.Port)
			if err == nil {
				conn, err = greeted(ctx, conn)
			}
			return err
		})
		switch {
		case err == nil:
			return conn, nil
		case final(ctx, err):
			return nil, err
		}
		sees = fmt.Sprintf("the computer is %v, the phone %v: %v", lease.Address, lease.Server, err)
		if err := w.rest(ctx, pause); err != nil {
			return nil, err
		}
		pause = min(2*pause, lastKnock)
	}
}

// greeted waits for the first word of the server on conn and returns a
// connection on which it is still to be read.
func greeted(ctx context.Context, conn net.Conn) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, firstWord)
	defer cancel()
	release := interruptible(ctx, conn)
	first := make([]byte, 1)
	_, err := io.ReadFull(conn, first)
	release()
	if err == nil {
		return &greetedConn{Conn: conn, first: first}, nil
	}
	conn.Close()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the connection was closed before a word was said")
	}
	if ctx.Err() != nil {
		return nil, errors.New("the port is open but nothing was said")
	}
	return nil, err
}

// greetedConn is a connection whose first bytes were read already.
type greetedConn struct {
	net.Conn
	first []byte
}

func (c *greetedConn) Read(p []byte) (int, error) {
	if len(c.first) > 0 && len(p) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
