package fastboot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"portolan/usb"
)

// Timeouts bound the waits of a Client. Each begins anew with every reply and
// every packet sent, so a slow phone that keeps talking is waited for.
type Timeouts struct {
	Command time.Duration // for the answer to a command that does little
	Write   time.Duration // for a phone that writes or erases its storage
	Data    time.Duration // for one packet of a data phase
}

// DefaultTimeouts: eMMC of old phones erases a userdata of 32 GiB in minutes.
var DefaultTimeouts = Timeouts{Command: 20 * time.Second, Write: 10 * time.Minute, Data: 30 * time.Second}

// Client speaks with one bootloader. One command runs at a time; others wait.
type Client struct {
	// Log gets the lines that the phone says while it works (INFO, TEXT);
	// nil drops them. It is called from the goroutine that runs the command.
	Log      func(line string)
	Timeouts Timeouts

	conn usb.PacketConn
	run  sync.Mutex // held by the command that runs

	mu       sync.Mutex // guards what follows, against the watch on the context
	op       uint64     // counts commands, so that a late cancellation hits none of the next
	canceled bool
	broken   error // why the conversation cannot go on
}

// NewClient speaks over conn, which stays the caller's to close.
func NewClient(conn usb.PacketConn) *Client {
	return &Client{conn: conn, Timeouts: DefaultTimeouts}
}

// past is a deadline that has passed.
var past = time.Unix(1, 0)

// errInterrupted ends an operation whose context ended before it could wait.
var errInterrupted = errors.New("interrupted")

// do runs one command with its data phase. After any error but a FailError
// nobody knows what the phone says next, so the client ends with it.
func (c *Client) do(ctx context.Context, command string, f func() error) error {
	c.run.Lock()
	defer c.run.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("fastboot %s: %w", command, context.Cause(ctx))
	}
	c.mu.Lock()
	if c.broken != nil {
		c.mu.Unlock()
		return fmt.Errorf("fastboot %s: the connection ended with an earlier command: %w", command, c.broken)
	}
	c.op++
	op := c.op
	c.canceled = false
	c.mu.Unlock()
	stop := context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.op == op {
			c.canceled = true
			_ = c.conn.SetDeadline(past) // whatever waits returns now
		}
	})
	err := f()
	stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.op++ // from here on the watch does nothing
	var failed *FailError
	if err == nil || errors.As(err, &failed) {
		return err
	}
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("fastboot %s was interrupted: %w", command, context.Cause(ctx))
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("fastboot %s: the phone does not answer any more; unplug it, restart its bootloader and try again: %w", command, err)
	default:
		err = fmt.Errorf("fastboot %s: %w", command, err)
	}
	c.broken = err
	return err
}

// arm gives the next wait its time, unless the context has ended.
func (c *Client) arm(d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.canceled {
		return errInterrupted
	}
	return c.conn.SetDeadline(time.Now().Add(d))
}

// send writes a command.
func (c *Client) send(command string) error {
	if err := c.arm(c.Timeouts.Command); err != nil {
		return err
	}
	return c.conn.WritePacket([]byte(command))
}

// maxLines bounds what a phone may say in one command.
const maxLines = 10000

// await reads replies until the command is over or its data phase begins.
// Lines on the way go to line.
func (c *Client) await(command string, wait time.Duration, line func(string)) (reply, error) {
	for range maxLines {
		if err := c.arm(wait); err != nil {
			return reply{}, err
		}
		p, err := c.conn.ReadPacket()
		if err != nil {
			return reply{}, err
		}
		r, err := parseReply(command, p)
		if err != nil {
			return reply{}, err
		}
		switch r.kind {
		case info, text:
			if line != nil {
				line(r.text)
			}
		case fail:
			return reply{}, &FailError{Command: command, Reply: r.text}
		default:
			return r, nil
		}
	}
	return reply{}, &ProtocolError{Command: command, Got: string(info), Why: fmt.Sprintf("more than %d lines without an end", maxLines)}
}

// simple runs a command without data phase and returns the text of its OKAY.
func (c *Client) simple(ctx context.Context, command string, wait time.Duration, line func(string)) (answer string, err error) {
	if len(command) > maxReply {
		return "", fmt.Errorf("fastboot command of %d bytes: the protocol allows %d", len(command), maxReply)
	}
	err = c.do(ctx, command, func() error {
		if err := c.send(command); err != nil {
			return err
		}
		r, err := c.await(command, wait, line)
		if err != nil {
			return err
		}
		if r.kind != okay {
			return &ProtocolError{Command: command, Got: string(r.kind), Why: "this command has no data"}
		}
		answer = r.text
		return nil
	})
	return answer, err
}

// GetVar asks for one variable. A *FailError says that the phone has none of
// that name; some phones answer the empty string instead.
func (c *Client) GetVar(ctx context.Context, name string) (string, error) {
	v, err := c.simple(ctx, "getvar:"+name, c.Timeouts.Command, c.Log)
	return strings.TrimSpace(v), err
}

// GetVarAll asks for everything that the phone tells. Lines that are no
// variable are left out.
func (c *Client) GetVarAll(ctx context.Context) (map[string]string, error) {
	vars := map[string]string{}
	_, err := c.simple(ctx, "getvar:all", c.Timeouts.Command, func(line string) {
		if name, value, ok := splitVar(line); ok {
			vars[name] = value
		}
	})
	return vars, err
}

// Flash writes what was downloaded last to a partition.
func (c *Client) Flash(ctx context.Context, partition string) error {
	_, err := c.simple(ctx, "flash:"+partition, c.Timeouts.Write, c.Log)
	return err
}

// Erase erases a partition.
func (c *Client) Erase(ctx context.Context, partition string) error {
	_, err := c.simple(ctx, "erase:"+partition, c.Timeouts.Write, c.Log)
	return err
}

// Boot starts the boot image that was downloaded last, without writing it.
func (c *Client) Boot(ctx context.Context) error {
	_, err := c.simple(ctx, "boot", c.Timeouts.Write, c.Log)
	return err
}

// Reboot restarts the phone: target is "" for its system, or "bootloader",
// "recovery", "fastboot". A phone that is gone before it answers has obeyed.
func (c *Client) Reboot(ctx context.Context, target string) error {
	command := "reboot"
	if target != "" {
		command += "-" + target
	}
	return c.leave(ctx, command)
}

// Continue lets the bootloader start the system, as it would have without fastboot.
func (c *Client) Continue(ctx context.Context) error { return c.leave(ctx, "continue") }

func (c *Client) leave(ctx context.Context, command string) error {
	_, err := c.simple(ctx, command, c.Timeouts.Command, c.Log)
	if errors.Is(err, usb.ErrGone) && ctx.Err() == nil {
		return nil
	}
	return err
}

// SetActive makes slot ("a", "b") the one that is booted.
func (c *Client) SetActive(ctx context.Context, slot string) error {
	_, err := c.simple(ctx, "set_active:"+slot, c.Timeouts.Command, c.Log)
	return err
}
