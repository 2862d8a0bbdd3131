package chroot

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Cmd is one command in a chroot.
type Cmd struct {
	Argv []string
	// Env is added to a small fixed environment. Nothing of the host's gets in.
	// Secrets do not belong here nor in Argv, but in Stdin.
	Env []string
	Dir string // in the chroot; "" is /
	// Stdin may be nil. A reader that is not an *os.File and blocks forever
	// leaves one goroutine behind.
	Stdin io.Reader
	// Stdout takes the output as it is. Without it the output goes, line by
	// line and in one stream with the errors, to Line and the log.
	Stdout io.Writer
	Line   func(string) // each line of output (without Stdout) and errors, besides the log; may be nil
	// Deadline ends a command that hangs; 0 means DefaultDeadline.
	Deadline time.Duration
	User     string   // name in the chroot's /etc/passwd, or UID:GID; "" is root
	TTY      *os.File // a terminal's slave end, for interactive commands: stands for all three streams
	Quiet    bool     // output is not logged; the command and its exit status are
}

// DefaultDeadline is for commands without one of their own.
const DefaultDeadline = 30 * time.Minute

// Run runs one command and waits for it. What it leaves running is killed. The
// error is an *ExitError when the command failed, a *TimeoutError after its
// deadline, a *SetupError when it never started, or the context's.
func (c Chroot) Run(ctx context.Context, cmd Cmd) error {
	if len(cmd.Argv) == 0 {
		return fmt.Errorf("chroot %s: no command given", c.Name)
	}
	scratch := ""
	if c.Upper != nil {
		c.Upper.mu.Lock() // two overlays may not share an upper
		defer c.Upper.mu.Unlock()
	} else if len(c.Layers) > 0 {
		u, err := c.engine.NewUpper("run")
		if err != nil {
			return err
		}
		scratch = u.dir
	}
	s, err := c.spec(scratch)
	if err != nil {
		return err
	}
	s.Command = command{Argv: cmd.Argv, Env: append(proxyEnv(s.Network), cmd.Env...), Dir: cmd.Dir, User: cmd.User, TTY: cmd.TTY != nil}

	deadline := cmd.Deadline
	if deadline <= 0 {
		deadline = DefaultDeadline
	}
	timeout := &TimeoutError{Chroot: c.Name, Argv: cmd.Argv, After: deadline}
	ctx, cancel := context.WithTimeoutCause(ctx, deadline, timeout)
	defer cancel()

	log := c.engine.log
	sink := newLineWriter(func(text string) {
		if !cmd.Quiet {
			log.output(c.Name, text)
		}
		if cmd.Line != nil {
			cmd.Line(text)
		}
	})
	f := files{in: cmd.Stdin, out: sink, err: sink}
	if cmd.Stdout != nil {
		f.out = cmd.Stdout
	}
	if cmd.TTY != nil {
		f = files{in: cmd.TTY, out: cmd.TTY, err: cmd.TTY}
	}
	began := time.Now()
	log.command(c.Name, cmd.Argv)
	r, err := c.engine.start(ctx, s, f)
	sink.flush()
	took := time.Since(began)
	if scratch != "" {
		// pid 1 emptied it unless it was killed.
		if e := os.Remove(filepath.Clean(scratch)); e != nil {
			c.engine.discard(scratch)
		}
	}
	switch {
	case err != nil:
		timeout.Tail = sink.tail()
	case r.Code != 0:
		err = &ExitError{Chroot: c.Name, Argv: cmd.Argv, Code: r.Code, Signal: r.Signal, Tail: sink.tail()}
	}
	log.result(c.Name, cmd.Argv, took, r.Code, err)
	return err
}

// maxOutput bounds what Output holds in memory.
const maxOutput = 64 << 20

// Output runs cmd and returns what it wrote to its standard output, at most 64 MiB.
func (c Chroot) Output(ctx context.Context, cmd Cmd) ([]byte, error) {
	out := &boundedBuffer{limit: maxOutput}
	cmd.Stdout = out
	err := c.Run(ctx, cmd)
	if out.over {
		return nil, fmt.Errorf("%s wrote more than %d bytes", quoteArgv(cmd.Argv), maxOutput)
	}
	return out.Bytes(), err
}

// boundedBuffer drops what is over its limit and says so.
type boundedBuffer struct {
	bytes.Buffer
	limit int
	over  bool
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.limit {
		b.over = true
		return len(p), nil
	}
	return b.Buffer.Write(p)
}

// proxyEnv passes on how the host reaches the network.
func proxyEnv(network bool) []string {
	if !network {
		return nil
	}
	var env []string
	for _, name := range []string{"http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}
