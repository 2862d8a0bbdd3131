// Package qmp speaks QEMU's machine protocol: JSON lines, as described in
// docs/interop/qmp-spec.txt of QEMU.
package qmp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// maxLine bounds one message of QEMU.
const maxLine = 4 << 20

// Event is something QEMU tells unasked.
type Event struct {
	Name string          `json:"event"` // SHUTDOWN, STOP …
	Data json.RawMessage `json:"data"`
}

// Client is one connection. Its methods may be used by several goroutines.
type Client struct {
	conn net.Conn

	wmu sync.Mutex // one command line at a time

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan message
	err     error // why the connection is over
	done    chan struct{}
}

// message is whatever QEMU sends after its greeting.
type message struct {
	Event
	ID     *uint64         `json:"id"`
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
}

// ErrClosed says that QEMU ended or the connection was closed.
var ErrClosed = errors.New("the connection to QEMU is over")

// New takes the connection over and leaves QEMU ready for commands. onEvent
// is called from the reading goroutine, which ends with the connection; it
// must not call Execute.
func New(ctx context.Context, conn net.Conn, onEvent func(Event)) (*Client, error) {
	c := &Client{conn: conn, waiting: map[uint64]chan message{}, done: make(chan struct{})}
	go c.read(onEvent)
	if _, err := c.Execute(ctx, "qmp_capabilities", nil); err != nil {
		c.Close()
		return nil, fmt.Errorf("greeting QEMU: %w", err)
	}
	return c, nil
}

// Close ends the connection; commands under way fail with ErrClosed.
func (c *Client) Close() error {
	err := c.conn.Close()
	<-c.done
	return err
}

// Execute runs one command and gives its result.
func (c *Client) Execute(ctx context.Context, command string, args any) (json.RawMessage, error) {
	reply := make(chan message, 1)
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return nil, c.err
	}
	c.next++
	id := c.next
	c.waiting[id] = reply
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
	}()

	line, err := json.Marshal(struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
		ID        uint64 `json:"id"`
	}{command, args, id})
	if err != nil {
		return nil, err
	}
	c.wmu.Lock()
	_, err = c.conn.Write(append(line, '\n'))
	c.wmu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrClosed, err)
	}
	select {
	case m := <-reply:
		if m.Error != nil {
			return nil, fmt.Errorf("QEMU refused %s: %s", command, m.Error.Desc)
		}
		return m.Return, nil
	case <-c.done:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("QEMU did not answer %s: %w", command, context.Cause(ctx))
	}
}

// Monitor runs a line of the human monitor and gives what it prints; for the
// few things that have no command of their own.
func (c *Client) Monitor(ctx context.Context, line string) (string, error) {
	raw, err := c.Execute(ctx, "human-monitor-command", map[string]string{"command-line": line})
	if err != nil {
		return "", err
	}
	var out string
	if err := json.Unmarshal(raw, &out); err != nil {
		return "", fmt.Errorf("QEMU's monitor answered %.40q to %s: %w", raw, line, err)
	}
	return out, nil
}

func (c *Client) read(onEvent func(Event)) {
	err := scan(c.conn, func(m message) {
		if m.Event.Name != "" {
			onEvent(m.Event)
			return
		}
		if m.ID == nil {
			return
		}
		c.mu.Lock()
		reply := c.waiting[*m.ID]
		delete(c.waiting, *m.ID)
		c.mu.Unlock()
		if reply != nil {
			reply <- m
		}
	})
	c.mu.Lock()
	c.err = fmt.Errorf("%w: %w", ErrClosed, err)
	c.mu.Unlock()
	close(c.done)
}

// scan reads messages until the stream ends or stops making sense.
func scan(r io.Reader, fn func(message)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		var m message
		if err := json.Unmarshal(line, &m); err != nil {
			return fmt.Errorf("QEMU wrote %.60q: %w", line, err)
		}
		fn(m)
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.EOF
}
