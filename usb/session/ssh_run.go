package session

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/ssh"
)

// maxOutput bounds what Run keeps of each of stdout and stderr, in bytes. What
// prints more belongs into Stream.
const maxOutput = 8 << 20

// maxStderr bounds what an error quotes of a command's stderr, in bytes.
const maxStderr = 4 << 10

// Output is what a command on the phone left.
type Output struct {
	Stdout, Stderr []byte
	Exit           int // status; -1 if a signal ended it
}

// ExitError says that a command ran on the phone and failed.
type ExitError struct {
	Command string
	Exit    int    // exit status; -1 if a signal ended it or the phone did not say
	Signal  string // name without SIG, or empty
	Stderr  string // its end
}

func (e *ExitError) Error() string {
	how := fmt.Sprintf("ended with exit status %d", e.Exit)
	switch {
	case e.Signal != "":
		how = "was ended by signal " + e.Signal
	case e.Exit < 0:
		how = "ended without an exit status; is the phone still on the cable?"
	}
	text := fmt.Sprintf("%s on the phone %s", e.Command, how)
	if e.Stderr != "" {
		text += ": " + e.Stderr
	}
	return text
}

// ErrOutput says that a command printed more than Run keeps.
var ErrOutput = errors.New("the command printed too much")

// Run runs a shell command on the phone and waits for its end, or until ctx
// ends, which kills it. A status other than 0 is an *ExitError, with Output
// filled all the same. stdin may be nil; it should end by itself.
func (s *SSH) Run(ctx context.Context, command string, stdin io.Reader) (Output, error) {
	stdout, stderr := &bounded{max: maxOutput}, &bounded{max: maxOutput}
	what := fmt.Sprintf("%q", command)
	pid := newPIDFilter(stdout)
	p, err := s.launch(ctx, what, pid, func(sess *ssh.Session) error {
		sess.Stdout, sess.Stderr = pid, stderr
		return feeder(withPID(command), stdin)(sess)
	})
	if err != nil {
		return Output{}, err
	}
	clean, err := p.wait()
	if !clean {
		// The buffers may still be written to.
		return Output{Exit: -1}, p.failure(err, nil)
	}
	o := Output{Stdout: stdout.buf, Stderr: stderr.buf}
	err = p.failure(err, o.Stderr)
	var exit *ExitError
	switch {
	case errors.As(err, &exit):
		o.Exit = exit.Exit
	case err != nil:
		o.Exit = -1
	case stdout.over || stderr.over:
		err = fmt.Errorf("run %s on the phone: %w: only the first %d bytes were kept", what, ErrOutput, maxOutput)
	}
	return o, err
}
