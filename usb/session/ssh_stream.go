package session

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/ssh"
)

// Stream is the output of a command while it runs on the phone.
type Stream struct {
	process *process
	cancel  context.CancelFunc
	out     io.ReadCloser
	stderr  *bounded
}

// Stream starts a shell command on the phone and returns its stdout. The
// command is killed when ctx ends or at Close; Close must be called. Read
// returns io.EOF after a command that ended well, else an *ExitError. stdin
// may be nil.
func (s *SSH) Stream(ctx context.Context, command string, stdin io.Reader) (*Stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	st := &Stream{cancel: cancel, stderr: &bounded{max: maxStderr}}
	var err error
	pid := newPIDFilter(nil)
	st.process, err = s.launch(ctx, fmt.Sprintf("%q", command), pid, func(sess *ssh.Session) error {
		sess.Stderr = st.stderr
		out, err := sess.StdoutPipe()
		if err != nil {
			return err
		}
		st.out = pumpThrough(ctx, out, func(w io.Writer) io.Writer {
			pid.out = w
			return pid
		})
		return feeder(withPID(command), stdin)(sess)
	})
	if err != nil {
		cancel()
		return nil, err
	}
	return st, nil
}

// Read reads the command's stdout.
func (st *Stream) Read(p []byte) (int, error) {
	n, err := st.out.Read(p)
	if n > 0 || err == nil {
		return n, nil
	}
	clean, end := st.process.wait()
	var stderr []byte
	if clean {
		stderr = st.stderr.buf
	}
	if end = st.process.failure(end, stderr); end != nil {
		return 0, end
	}
	return 0, err
}

// Close kills the command if it still runs.
func (st *Stream) Close() error {
	st.cancel()
	st.out.Close()
	_, _ = st.process.wait()
	return nil
}

// Shell is a login shell on the phone, on a terminal of its own. Its output
// must be read, or it stands still.
type Shell struct {
	process *process
	cancel  context.CancelFunc
	in      io.WriteCloser
	out     io.ReadCloser
}

// Shell opens a login shell on a terminal of cols x rows characters, of type
// xterm-256color. It ends when the person logs out, at Close, or with ctx;
// Close must be called.
func (s *SSH) Shell(ctx context.Context, cols, rows int) (*Shell, error) {
	ctx, cancel := context.WithCancel(ctx)
	sh := &Shell{cancel: cancel}
	var err error
	sh.process, err = s.launch(ctx, "a login shell", nil, func(sess *ssh.Session) error {
		out, err := sess.StdoutPipe()
		if err != nil {
			return err
		}
		if sh.in, err = sess.StdinPipe(); err != nil {
			return err
		}
		if err := sess.RequestPty("xterm-256color", max(rows, 1), max(cols, 1), ssh.TerminalModes{}); err != nil {
			return err
		}
		if err := sess.Shell(); err != nil {
			return err
		}
		sh.out = pump(ctx, out)
		return nil
	})
	if err != nil {
		cancel()
		return nil, err
	}
	return sh, nil
}

// Read reads what the phone prints; io.EOF when the shell has ended.
func (sh *Shell) Read(p []byte) (int, error) { return sh.out.Read(p) }

// Write sends what a person types.
func (sh *Shell) Write(p []byte) (int, error) { return sh.in.Write(p) }

// Resize tells the phone the size of the terminal, in characters.
func (sh *Shell) Resize(cols, rows int) error {
	if err := sh.process.sess.WindowChange(max(rows, 1), max(cols, 1)); err != nil {
		return fmt.Errorf("tell the phone the terminal's size %dx%d: %w", cols, rows, err)
	}
	return nil
}

// Wait waits until the shell has ended; its output must be read meanwhile. The
// status that a person's last command left is no failure.
func (sh *Shell) Wait() error {
	_, err := sh.process.wait()
	err = sh.process.failure(err, nil)
	var exit *ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

// Close ends the shell.
func (sh *Shell) Close() error {
	sh.cancel()
	sh.out.Close()
	_, _ = sh.process.wait()
	return nil
}
