package practice

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"

	"portolan/usb"
)

// request is one line that a client writes to the control socket.
type request struct {
	Do   string  `json:"do"` // one of the do… constants
	X    float64 `json:"x,omitempty"`
	Y    float64 `json:"y,omitempty"`
	Port int     `json:"port,omitempty"`
	On   bool    `json:"on,omitempty"`
}

const (
	doStatus     = "status"
	doWatch      = "watch" // one answer a change, until the client hangs up
	doTap        = "tap"
	doScreenshot = "screenshot"
	doPlug       = "plug" // On: in or out
	doPower      = "power"
	doBootloader = "bootloader"
	doLease      = "lease"
	doDial       = "dial" // after the answer the connection is the TCP connection
	doStop       = "stop"
)

// answer is one line back.
type answer struct {
	Error  string     `json:"error,omitempty"`
	Kind   string     `json:"kind,omitempty"` // which typed error, see kinds
	Status *Status    `json:"status,omitempty"`
	Lease  *usb.Lease `json:"lease,omitempty"`
	PNG    []byte     `json:"png,omitempty"`
}

// kinds are the errors that callers decide by and that travel by name.
var kinds = map[string]error{
	"gone":       usb.ErrGone,
	"wrong-mode": usb.ErrWrongMode,
	"busy":       usb.ErrBusy,
	"not-found":  usb.ErrNotFound,
}

// remoteError is an error of the phone's process, typed again.
type remoteError struct {
	text string
	kind error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.kind }

func (a answer) err() error {
	if a.Error == "" {
		return nil
	}
	return &remoteError{text: a.Error, kind: kinds[a.Kind]}
}

func answerError(err error) answer {
	a := answer{Error: err.Error()}
	for name, kind := range kinds {
		if errors.Is(err, kind) {
			a.Kind = name
		}
	}
	return a
}

// maxLine bounds a line on the control socket; a screenshot is the longest.
const maxLine = 32 << 20

// call sends one request. The connection and its reader are returned for
// requests that go on.
func call(ctx context.Context, dir string, req request) (answer, net.Conn, *bufio.Reader, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return answer{}, nil, nil, err
	}
	conn, err := dialControl(ctx, dir)
	if err != nil {
		return answer{}, nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	line, err := json.Marshal(req)
	if err == nil {
		_, err = conn.Write(append(line, '\n'))
	}
	r := bufio.NewReader(conn)
	var a answer
	if err == nil {
		a, err = readAnswer(r)
	}
	if err == nil {
		err = a.err()
	}
	if !stop() && ctx.Err() != nil {
		err = fmt.Errorf("asking the practice phone for %s: %w", req.Do, context.Cause(ctx))
	}
	if err != nil {
		conn.Close()
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("the practice phone ended while it was asked for %s: %w", req.Do, usb.ErrGone)
		}
		return answer{}, nil, nil, err
	}
	return a, conn, r, nil
}

func readAnswer(r *bufio.Reader) (answer, error) {
	var a answer
	line, err := readLine(r, maxLine)
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(line, &a)
}

// readLine reads up to a newline, no more than limit bytes.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > limit {
			return nil, fmt.Errorf("a line of more than %d bytes", limit)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// ask is a call that is over with its answer.
func ask(ctx context.Context, dir string, req request) (answer, error) {
	a, conn, _, err := call(ctx, dir, req)
	if err == nil {
		conn.Close()
	}
	return a, err
}

// GetStatus asks the phone of a state folder how it is.
func GetStatus(ctx context.Context, dir string) (Status, error) {
	a, err := ask(ctx, dir, request{Do: doStatus})
	if err != nil {
		return Status{}, err
	}
	if a.Status == nil {
		return Status{}, errors.New("the practice phone gave no status; is it of another version?")
	}
	return *a.Status, nil
}

// Watch calls fn with the status now and after each change, until ctx ends or
// the phone does (then the error wraps usb.ErrGone).
func Watch(ctx context.Context, dir string, fn func(Status)) error {
	a, conn, r, err := call(ctx, dir, request{Do: doWatch})
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	for {
		if a.Status != nil {
			fn(*a.Status)
		}
		if a, err = readAnswer(r); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("the practice phone ended: %w", usb.ErrGone)
		}
	}
}

// Tap touches the screen, see usb.Practice.
func Tap(ctx context.Context, dir string, x, y float64) error {
	_, err := ask(ctx, dir, request{Do: doTap, X: x, Y: y})
	return err
}

// Screenshot photographs the screen; the answer is a PNG file.
func Screenshot(ctx context.Context, dir string) ([]byte, error) {
	a, err := ask(ctx, dir, request{Do: doScreenshot})
	return a.PNG, err
}

// Plug puts the cable in, or with in false pulls it out.
func Plug(ctx context.Context, dir string, in bool) error {
	_, err := ask(ctx, dir, request{Do: doPlug, On: in})
	return err
}

// Power switches the phone on, booting its boot partition (again, if it was
// on), or off.
func Power(ctx context.Context, dir string, on bool) error {
	_, err := ask(ctx, dir, request{Do: doPower, On: on})
	return err
}

// ToBootloader holds the buttons: off, and on again into the bootloader.
func ToBootloader(ctx context.Context, dir string) error {
	_, err := ask(ctx, dir, request{Do: doBootloader})
	return err
}
