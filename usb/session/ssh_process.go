package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// process is a command, or a shell, on the phone.
type process struct {
	ctx   context.Context
	what  string
	sess  *ssh.Session
	pid   *pidFilter    // nil for a shell, whose terminal hangs up on it
	ended chan struct{} // closed after the phone closed the channel
	err   error         // how it ended; valid once ended is closed
}

// launch opens a channel and has start set it up and start a command on it.
// The command is killed when ctx ends; it must end or ctx must.
func (s *SSH) launch(ctx context.Context, what string, pid *pidFilter, start func(*ssh.Session) error) (*process, error) {
	p := &process{ctx: ctx, what: what, pid: pid, ended: make(chan struct{})}
	started := make(chan error, 1)
	// All this waits for answers of the phone, which may be gone.
	go func() {
		defer close(p.ended)
		release := s.guard(ctx, func(<-chan struct{}) {})
		sess, err := s.client.NewSession()
		release()
		if err != nil {
			started <- err
			return
		}
		defer sess.Close()
		p.sess = sess
		release = s.guard(ctx, func(released <-chan struct{}) {
			s.kill(p, released)
		})
		defer release()
		if err := start(sess); err != nil {
			started <- err
			return
		}
		started <- nil
		p.err = sess.Wait()
	}()
	err := within(ctx, started)
	if err == nil {
		return p, nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return nil, fmt.Errorf("run %s on the phone: %w", what, err)
}

// within waits for a value, and no longer than grace after ctx ended.
func within(ctx context.Context, c <-chan error) error {
	select {
	case err := <-c:
		return err
	case <-ctx.Done():
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case err := <-c:
		return err
	case <-late.C:
		return ctx.Err()
	}
}

// wait waits until the command has ended and tells how; clean is false if the
// phone did not confirm that within grace of the context's end.
func (p *process) wait() (clean bool, err error) {
	ended := make(chan error)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		<-p.ended
		select {
		case ended <- nil:
		case <-stop:
		}
	}()
	if err := within(p.ctx, ended); err != nil {
		return false, err
	}
	return true, p.err
}

// failure turns what ended a command into an error for a person.
func (p *process) failure(err error, stderr []byte) error {
	if err == nil {
		return nil
	}
	if p.ctx.Err() != nil {
		return fmt.Errorf("run %s on the phone: %w", p.what, p.ctx.Err())
	}
	text := strings.TrimSpace(string(stderr[max(0, len(stderr)-maxStderr):]))
	var exit *ssh.ExitError
	var missing *ssh.ExitMissingError
	switch {
	case errors.As(err, &exit):
		status := exit.ExitStatus()
		if exit.Signal() != "" {
			status = -1
		}
		return &ExitError{Command: p.what, Exit: status, Signal: exit.Signal(), Stderr: text}
	case errors.As(err, &missing):
		return &ExitError{Command: p.what, Exit: -1, Stderr: text}
	}
	return fmt.Errorf("run %s on the phone: %w", p.what, err)
}

// guard runs end when ctx ends, and drops the whole connection if what it
// guards is not released within patience of that: a phone that is gone answers
// nothing. The returned function must be called.
func (s *SSH) guard(ctx context.Context, end func(released <-chan struct{})) (release func()) {
	released, ended := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		fuse := time.AfterFunc(patience, func() { s.conn.Close() })
		defer fuse.Stop()
		end(released)
		<-released
	})
	return func() {
		close(released)
		if !stop() {
			<-ended
		}
	}
}

// kill ends a command on the phone and its channel. Without a terminal sshd
// does not hang up on a command, it obeys the signal request for some users
// only (not for root, session_signal_req in OpenSSH's session.c), and it keeps
// the channel open as long as the command runs. So the command tells its
// process group first and that is killed.
func (s *SSH) kill(p *process, released <-chan struct{}) {
	_ = p.sess.Signal(ssh.SIGKILL)
	if p.pid != nil {
		late := time.NewTimer(patience / 2)
		defer late.Stop()
		select {
		case <-released: // ended by the signal, or by itself
		case <-late.C:
		case <-p.pid.known:
			if killer, err := s.client.NewSession(); err == nil && p.pid.pid > 1 {
				_ = killer.Run(fmt.Sprintf("kill -KILL -%[1]d 2>/dev/null || kill -KILL %[1]d", p.pid.pid))
				_ = killer.Close()
			}
		}
	}
	_ = p.sess.Close()
}

// pidFilter takes the number of the process group off the head of the output
// of a command that withPID made, and passes the rest on.
type pidFilter struct {
	out   io.Writer
	head  []byte
	past  bool
	pid   int           // 0: the phone did not tell; valid once known is closed
	known chan struct{} // closed once the head has passed
}

func newPIDFilter(out io.Writer) *pidFilter {
	return &pidFilter{out: out, known: make(chan struct{})}
}

// withPID makes a command tell the number of its process group first: sshd
// starts each command in a session of its own.
func withPID(command string) string { return "echo $$; " + command }

func (f *pidFilter) Write(p []byte) (int, error) {
	if f.past {
		return f.out.Write(p)
	}
	f.head = append(f.head, p...)
	line, rest, whole := bytes.Cut(f.head, []byte("\n"))
	if !whole && len(f.head) < 16 {
		return len(p), nil
	}
	f.past = true
	defer close(f.known)
	pid, err := strconv.Atoi(string(line))
	if err != nil {
		rest = f.head // a login shell that is no shell; its words are the output
	} else {
		f.pid = pid
	}
	if len(rest) == 0 {
		return len(p), nil
	}
	if _, err := f.out.Write(rest); err != nil {
		return 0, err
	}
	return len(p), nil
}

// feeder starts a command and sends it stdin in the background. The sending
// ends when stdin ends or the command takes no more; unlike Session.Stdin it
// is not waited for, so that a reader that blocks holds up nothing.
func feeder(command string, stdin io.Reader) func(*ssh.Session) error {
	return func(sess *ssh.Session) error {
		if stdin == nil {
			return sess.Start(command)
		}
		pipe, err := sess.StdinPipe()
		if err != nil {
			return err
		}
		if err := sess.Start(command); err != nil {
			return err
		}
		go func() {
			_, _ = io.Copy(pipe, stdin)
			_ = pipe.Close()
		}()
		return nil
	}
}

// pump makes the output of the phone readable until ctx ends. It must be read
// to its end or closed.
func pump(ctx context.Context, out io.Reader) io.ReadCloser {
	return pumpThrough(ctx, out, func(w io.Writer) io.Writer { return w })
}

// pumpThrough is pump with a filter before the reader.
func pumpThrough(ctx context.Context, out io.Reader, filter func(io.Writer) io.Writer) io.ReadCloser {
	r, w := io.Pipe()
	stop := context.AfterFunc(ctx, func() { w.CloseWithError(ctx.Err()) })
	go func() {
		_, err := io.Copy(filter(w), out)
		w.CloseWithError(err)
		stop()
	}()
	return r
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	buf  []byte
	max  int
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := min(len(p), b.max-len(b.buf))
	b.buf = append(b.buf, p[:room]...)
	b.over = b.over || room < len(p)
	return len(p), nil
}
