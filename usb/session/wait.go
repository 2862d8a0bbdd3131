package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"portolan/usb"
)

// Stage is what a Wait is waiting for.
type Stage string

// The stages of reaching a port of the phone, in order.
const (
	StageMode  Stage = "mode"  // the phone starts Linux and brings its USB network
	StageLink  Stage = "link"  // the computer has a network interface for it
	StageLease Stage = "lease" // the computer gets an address from the phone
	StagePort  Stage = "port"  // the program on the phone answers
)

// Waiting says what is waited for, what is seen, and what a person can do.
type Waiting struct {
	Stage Stage
	For   string   // what must come next
	Sees  string   // what there is instead
	Hints []string // in the order in which to try them; empty at first
	Since time.Time
}

// Watcher is what a Wait needs of a *usb.Watcher.
type Watcher interface {
	Subscribe(ctx context.Context) <-chan usb.Change
	Open(ctx context.Context, id string) (usb.Handle, error)
}

// Target is a port of a phone.
type Target struct {
	Watcher Watcher
	Device  string     // usb.Device.ID
	Handle  usb.Handle // opened already; nil: the Watcher opens it
	Port    int
	// HintAfter is how long a stage may take before hints are given; 0 means
	// 15 seconds.
	HintAfter time.Duration
}

// Reached is a phone whose port answers.
type Reached struct {
	// Conn is the connection. The first bytes that the phone sent are still
	// to be read from it.
	Conn   net.Conn
	Handle usb.Handle // must stay open as long as Conn; may be Target.Handle
	Lease  usb.Lease
	Device usb.Device
}

// BootError says that the phone will not come up by itself.
type BootError struct{ Device usb.Device }

func (e *BootError) Error() string {
	text := fmt.Sprintf("%s: its bootloader refused to start the boot partition; flash a boot image that was made for this phone", e.Device)
	if e.Device.Hint != "" {
		text += " (" + e.Device.Hint + ")"
	}
	return text
}

const defaultHintAfter = 15 * time.Second

// Pauses between tries of a port that is closed, which nothing announces.
const (
	firstKnock = 100 * time.Millisecond
	lastKnock  = time.Second
)

// firstWord is how long a server may take to greet on an accepted connection
// before another is tried. Networks that forward connections (QEMU's, proxies)
// accept them before the phone does, so that only a greeting proves the port.
const firstWord = 20 * time.Second

// Wait waits until a port of the phone answers: telnet and SSH servers speak
// first. observe, if not nil, is told every stage, every change of what is
// seen, and the hints once a stage takes long; it is called from one goroutine
// at a time. A phone that is unplugged is waited for; Wait ends with Reached,
// with ctx, or with *BootError.
func Wait(ctx context.Context, t Target, observe func(Waiting)) (*Reached, error) {
	w := newWait(t, observe)
	sub, cancel := context.WithCancel(ctx)
	defer cancel()
	w.changes = t.Watcher.Subscribe(sub)
	defer w.timer.Stop()
	w.look(ctx)
	reached, err := w.run(ctx)
	if err != nil && w.handle != nil && w.handle != t.Handle {
		w.handle.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("wait for port %d of the phone %s: %w", t.Port, t.Device, err)
	}
	return reached, nil
}

// wait is one Wait under way.
type wait struct {
	Target
	observe func(Waiting)
	changes <-chan usb.Change
	handle  usb.Handle

	device  usb.Device
	present bool

	now   Waiting
	timer *time.Timer // when to give hints
}

// errMoved says that the phone changed while a stage ran.
var errMoved = errors.New("the phone is in another mode now")

func newWait(t Target, observe func(Waiting)) *wait {
	if t.HintAfter <= 0 {
		t.HintAfter = defaultHintAfter
	}
	if observe == nil {
		observe = func(Waiting) {}
	}
	w := &wait{Target: t, observe: observe, handle: t.Handle, timer: time.NewTimer(t.HintAfter)}
	return w
}

func (w *wait) run(ctx context.Context) (*Reached, error) {
	for {
		if err := w.mode(ctx); err != nil {
			return nil, err
		}
		reached, err := w.reach(ctx)
		switch {
		case err == nil:
			return reached, nil
		case ctx.Err() != nil:
			return nil, w.late(ctx)
		case errors.Is(err, errMoved):
			continue
		case errors.Is(err, usb.ErrGone), errors.Is(err, usb.ErrNotFound):
			// The handle is of an earlier plug-in, or the watcher is about to tell.
			w.drop()
		case errors.Is(err, usb.ErrWrongMode):
		default:
			return nil, err
		}
		if err := w.rest(ctx, stale); err != nil && !errors.Is(err, errMoved) {
			return nil, w.late(ctx)
		}
	}
}

// stale is the pause after the handle and the watcher told different stories.
const stale = 250 * time.Millisecond

// rest lets time pass, unless the phone changes.
func (w *wait) rest(ctx context.Context, pause time.Duration) error {
	return w.during(ctx, func(ctx context.Context) error {
		select {
		case <-time.After(pause):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// firstLook is how long the watcher may take to tell what is plugged in.
const firstLook = 100 * time.Millisecond

// look takes in what is plugged in already, so that a phone that is there is
// not first said to be missing.
func (w *wait) look(ctx context.Context) {
	enough := time.NewTimer(firstLook)
	defer enough.Stop()
	for !w.present {
		select {
		case c, ok := <-w.changes:
			if !ok {
				return
			}
			w.take(c)
		case <-enough.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// ready tells whether the watcher sees the phone with its network.
func (w *wait) ready() bool { return w.present && w.device.Mode == usb.ModeNetwork }

// late explains an ended context with the stage that was not passed.
func (w *wait) late(ctx context.Context) error {
	return fmt.Errorf("%w while waiting for %s; seen: %s", ctx.Err(), w.now.For, w.now.Sees)
}

// drop gives up a handle that is of no more use.
func (w *wait) drop() {
	if w.handle != nil && w.handle != w.Target.Handle {
		w.handle.Close()
	}
	w.handle = nil
}

// mode waits until the watcher sees the phone with its USB network.
func (w *wait) mode(ctx context.Context) error {
	for {
		if w.present && w.device.Mode == usb.ModeBootFailed {
			return &BootError{Device: w.device}
		}
		if w.ready() {
			return nil
		}
		w.say(StageMode, "the phone to start Linux and bring its USB network", seesMode(w.device, w.present))
		select {
		case c, ok := <-w.changes:
			if !ok {
				if ctx.Err() != nil {
					return w.late(ctx)
				}
				return errors.New("nothing watches for phones any more")
			}
			w.take(c)
		case <-w.timer.C:
			w.hint()
		}
	}
}

// take notes a change of the phone and tells whether it is another one now.
func (w *wait) take(c usb.Change) (moved bool) {
	if c.Device.ID != w.Device {
		return false
	}
	before, was := w.device.Mode, w.present
	w.device, w.present = c.Device, c.Kind != usb.Gone
	return was != w.present || before != w.device.Mode
}

// during runs one call that waits for the phone, gives hints meanwhile, and
// cuts it short when the phone changes.
func (w *wait) during(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- call(ctx) }()
	changes, moved := w.changes, false
	for {
		select {
		case err := <-result:
			if moved && err != nil {
				return errMoved
			}
			return err
		case c, ok := <-changes:
			if !ok {
				changes = nil
			} else if w.take(c) {
				moved = true
				cancel()
			}
		case <-w.timer.C:
			w.hint()
		}
	}
}

// say tells what is waited for, once, and starts the time until hints are due.
func (w *wait) say(stage Stage, what, sees string) {
	if w.now.Stage != stage {
		w.now = Waiting{Stage: stage, Since: time.Now()}
		w.timer.Reset(w.HintAfter)
	} else if w.now.For == what && w.now.Sees == sees {
		return
	}
	w.now.For, w.now.Sees = what, sees
	if len(w.now.Hints) > 0 {
		w.now.Hints = hintsFor(w.now.Stage, w.device, w.present, w.Port)
	}
	w.tell()
}

func (w *wait) hint() {
	w.now.Hints = hintsFor(w.now.Stage, w.device, w.present, w.Port)
	w.tell()
}

func (w *wait) tell() {
	now := w.now
	now.Hints = slices.Clone(now.Hints)
	w.observe(now)
}
