package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Result of sending a passphrase.
type Result string

// Results.
const (
	Unlocked        Result = "unlocked"
	WrongPassphrase Result = "wrong passphrase"
)

// Outcome is what the phone answered to a passphrase.
type Outcome struct {
	Result Result
	Device string // whose passphrase was asked for, as the phone names it, e.g. "/dev/vda"
	User   string // who may log in over SSH, if the phone said so
	Host   string // where, if the phone said so
	// Closed says that the phone hung up. After a wrong passphrase the caller
	// must connect again; otherwise the prompt is back on the same connection.
	Closed bool
}

// Errors that callers decide by, wrapped with what the phone printed.
var (
	ErrNoPrompt = errors.New("the phone did not ask for a passphrase")
	ErrNotLUKS  = errors.New("what answers is not the passphrase prompt of an encrypted root")
	// ErrUnlockFailed is for a program on the phone that failed, not for a
	// passphrase that was wrong.
	ErrUnlockFailed = errors.New("the phone could not open its encrypted root")
	ErrClosed       = errors.New("the phone closed the connection")
	ErrTimeout      = errors.New("the phone did not answer in time")
	ErrUntyped      = errors.New("the passphrase cannot be typed on a terminal")
)

// maxPassphrase is what cryptsetup reads from a terminal, in bytes
// (LUKS2 DEFAULT_PASSPHRASE_SIZE_MAX is 512).
const maxPassphrase = 512

// settle is how long the prompt stands before the passphrase is sent.
// cryptsetup prints its prompt first and then switches the echo off with
// TCSAFLUSH, which throws away what was typed too early.
const settle = 200 * time.Millisecond

// lastWords is how long the phone may take from "decrypted successfully" to
// the SSH address that follows it.
const lastWords = 5 * time.Second

// promptState is kept with a connection, so that a retry finds the prompt that
// the last try ended with.
type promptState struct {
	dialogue dialogue
}

// WaitPrompt reads until the phone asks for the passphrase of its root and
// returns the device it names. observe, if not nil, gets everything the phone
// prints, for a terminal. It fails with ErrNoPrompt when ctx ends first, with
// ErrNotLUKS when a shell or login prompt answers, with ErrClosed.
func WaitPrompt(ctx context.Context, t *Telnet, observe func([]byte)) (device string, err error) {
	release := interruptible(ctx, t)
	defer release()
	d := &t.prompt.dialogue
	out := redactor{show: observe}
	buf := make([]byte, 4096)
	for {
		if device, ok := d.prompt(); ok {
			return device, nil
		}
		if d.notLUKS {
			return "", fmt.Errorf("wait for the LUKS prompt: %w; it printed: %q; is the root encrypted, and is this the phone's unlock port?", ErrNotLUKS, d.seen(nil))
		}
		n, err := t.Read(buf)
		out.write(buf[:n])
		d.feed(buf[:n])
		if err != nil && n == 0 {
			return "", dialogueError("wait for the LUKS prompt", cause(ctx, err), ErrNoPrompt, d.seen(nil))
		}
	}
}

// Unlock waits for the LUKS prompt, types the passphrase and reads the answer.
// observe, if not nil, gets what the phone prints, with the passphrase hidden
// should the phone echo it. The passphrase belongs to the caller, who wipes it;
// the copies made here are wiped. Opening takes 20 to 30 seconds on slow
// phones: give ctx that long. After WrongPassphrase it may be called again.
func Unlock(ctx context.Context, t *Telnet, passphrase []byte, observe func([]byte)) (Outcome, error) {
	if err := typeable(passphrase); err != nil {
		return Outcome{}, err
	}
	device, err := WaitPrompt(ctx, t, observe)
	if err != nil {
		return Outcome{}, err
	}
	release := interruptible(ctx, t)
	defer release()
	d := &t.prompt.dialogue
	secret := bytes.Clone(passphrase)
	out := redactor{secret: secret, show: observe}
	defer func() {
		out.flush()
		clear(secret)
		if _, again := d.prompt(); !again {
			d.wipe()
		}
	}()

	pause := time.NewTimer(settle)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
		return Outcome{}, fmt.Errorf("unlock %s of the phone, nothing was sent: %w", device, ctx.Err())
	}
	d.sent()
	typed := append(make([]byte, 0, len(secret)+1), secret...)
	typed = append(typed, '\r')
	_, err = t.Write(typed)
	clear(typed)
	if err != nil {
		return Outcome{}, dialogueError("send the passphrase for "+device, cause(ctx, err), ErrTimeout, d.seen(secret))
	}
	return readVerdict(ctx, t, device, secret, &out)
}

// readVerdict reads until the phone said what it thinks of the passphrase.
func readVerdict(ctx context.Context, t *Telnet, device string, secret []byte, out *redactor) (Outcome, error) {
	d := &t.prompt.dialogue
	o := Outcome{Device: device}
	buf := make([]byte, 4096)
	defer clear(buf)
	hurried := false
	for {
		n, err := t.Read(buf)
		out.write(buf[:n])
		d.feed(buf[:n])
		o.User, o.Host, o.Closed = d.user, d.host, err != nil && n == 0 && ctx.Err() == nil
		_, asksAgain := d.prompt()
		failed := err != nil && n == 0
		switch {
		case d.opened && (d.user != "" || failed):
			o.Result = Unlocked
			return o, nil
		case d.opened && !hurried:
			// Only the line with the SSH address is still to come.
			last, cancel := context.WithTimeout(ctx, lastWords)
			defer cancel()
			defer interruptible(last, t)()
			hurried = true
		case d.opened:
		case d.notLUKS:
			return Outcome{}, fmt.Errorf("unlock %s of the phone: %w; it printed: %q", device, ErrNotLUKS, d.seen(secret))
		case d.broken && (asksAgain || failed):
			return Outcome{}, fmt.Errorf("unlock %s of the phone: %w; it printed: %q; the passphrase may be right all the same", device, ErrUnlockFailed, d.seen(secret))
		case asksAgain, d.wrong && failed && o.Closed:
			o.Result = WrongPassphrase
			return o, nil
		}
		if failed {
			return Outcome{}, dialogueError("wait for the answer to the passphrase for "+device, cause(ctx, err), ErrTimeout, d.seen(secret))
		}
	}
}

// dialogueError names what broke a dialogue off. late is the error that stands
// for a context that ran out of time.
func dialogueError(what string, err, late error, saw string) error {
	if saw == "" {
		saw = "(nothing)"
	}
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", what, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w (%w); it printed: %q; look at the phone's screen or serial log, then try again", what, late, err, saw)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s: %w; it printed: %q; wait for its prompt and try again", what, ErrClosed, saw)
	default:
		return fmt.Errorf("%s: %w (%w); it printed: %q; wait for its prompt and try again", what, ErrClosed, err, saw)
	}
}

// typeable tells whether a terminal passes the passphrase on as it is. The
// error names no byte of it.
func typeable(p []byte) error {
	switch {
	case len(p) == 0:
		return fmt.Errorf("%w: it is empty", ErrUntyped)
	case len(p) > maxPassphrase:
		return fmt.Errorf("%w: it has %d bytes, cryptsetup reads at most %d", ErrUntyped, len(p), maxPassphrase)
	}
	for _, b := range p {
		if b < 0x20 || b == 0x7f {
			return fmt.Errorf("%w: it holds a control character; set another passphrase in the image step", ErrUntyped)
		}
	}
	return nil
}
