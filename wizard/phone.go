package wizard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"portolan/usb"
)

// serial is the serial number of the phone that this voyage is about, or "".
func (v *Voyage) serial() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.device.Serial
}

// is tells whether a person who names id means d.
func is(d usb.Device, id string) bool { return d.ID == id || (d.Serial != "" && d.Serial == id) }

// obeyChoice lets go of the phone of an earlier run where a person has chosen
// another one since.
func (v *Voyage) obeyChoice() {
	v.mu.Lock()
	other := v.selected != "" && v.device.ID != "" && !is(v.device, v.selected)
	if other {
		v.device = usb.Device{}
	}
	v.mu.Unlock()
	if other {
		v.closeSessions("another phone was chosen")
	}
}

func (v *Voyage) selectDevice(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.selected = id
	close(v.choice)
	v.choice = make(chan struct{})
}

// phone returns the phone of this voyage as it is now: the one already taken,
// else the only one that may be meant, else the one a person chooses. It waits
// until there is one and says what it waits for. The phone is this run's alone
// until the run ends.
func (v *Voyage) phone(ctx context.Context, step StepID) (usb.Device, error) {
	d, err := v.whichPhone(ctx, step)
	if err == nil {
		err = v.holdPhone(d)
	}
	return d, err
}

func (v *Voyage) whichPhone(ctx context.Context, step StepID) (usb.Device, error) {
	v.mu.Lock()
	taken := v.device
	v.mu.Unlock()
	for _, d := range v.cfg.Watcher.Devices() {
		if taken.Serial != "" && d.Serial == taken.Serial && d.Source == taken.Source {
			return v.take(d), nil
		}
	}
	if v.cfg.Practice && v.cfg.PluginPractice != nil {
		v.note(ctx, step, "plugging in the practice phone")
		if err := v.cfg.PluginPractice(ctx); err != nil {
			return usb.Device{}, &PhoneError{Tried: "plug in the practice phone", Err: err, Next: "`portolan practice start` shows what is wrong"}
		}
	}
	wait := ctx
	if v.cfg.DetectTimeout > 0 {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeoutCause(ctx, v.cfg.DetectTimeout, errNoPhone)
		defer cancel()
	}
	d, err := v.findPhone(wait, step)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(wait), errNoPhone) {
		err = &PhoneError{Tried: fmt.Sprintf("waited %s for a phone", v.cfg.DetectTimeout), Err: usb.ErrNotFound,
			Next: "plug it in with a cable that carries data and start its bootloader, or rehearse with --practice"}
	}
	return d, err
}

// holdPhone takes the phone's lock, once a run.
func (v *Voyage) holdPhone(d usb.Device) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	name := d.Source + " " + d.Serial
	if v.held[name] != nil {
		return nil
	}
	lock, err := lockPhone(v.cfg.Phones, d)
	if err != nil || lock == nil {
		return err
	}
	if v.held == nil {
		v.held = map[string]*portLock{}
	}
	v.held[name] = lock
	return nil
}

// releasePhones lets go of the locks. v.mu is held.
func (v *Voyage) releasePhones() {
	for name, lock := range v.held {
		_ = lock.unlock() // the kernel lets go of it in any case
		delete(v.held, name)
	}
}

var errNoPhone = errors.New("no phone came")

func (v *Voyage) take(d usb.Device) usb.Device {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.device = d
	v.report.Phone = d
	return d
}

// findPhone watches until a phone can be taken.
func (v *Voyage) findPhone(ctx context.Context, step StepID) (usb.Device, error) {
	sub, cancel := context.WithCancel(ctx)
	defer cancel()
	changes := v.cfg.Watcher.Subscribe(sub)
	since := v.cfg.Now()
	said := ""
	for {
		v.mu.Lock()
		chosen := v.choice
		v.mu.Unlock()
		candidates, others := v.candidates(step)
		switch {
		case len(candidates) == 1:
			return v.take(candidates[0]), nil
		case len(candidates) > 1:
			d, err := v.choosePhone(ctx, step, candidates)
			if err == nil {
				return v.take(d), nil
			}
			if !errors.Is(err, usb.ErrNotFound) {
				return usb.Device{}, err
			}
		}
		w := v.waitForPhone(step, others)
		w.Since = since
		if text := w.Sees + strings.Join(w.Hints, ""); text != said {
			said = text
			v.emit(ctx, w)
		}
		select {
		case _, ok := <-changes:
			if !ok && ctx.Err() == nil {
				return usb.Device{}, &PhoneError{Tried: "wait for a phone", Err: errors.New("nobody watches for phones any more"), Next: "start Portolan again"}
			}
		case <-chosen:
		case <-ctx.Done():
		}
		if err := ctx.Err(); err != nil {
			return usb.Device{}, err
		}
	}
}

// candidates divides what is plugged in into phones that may be meant and those
// that may not, or cannot be opened. No other phone than the one that the
// voyage had is overwritten, unless a person chooses it.
func (v *Voyage) candidates(step StepID) (may, others []usb.Device) {
	v.mu.Lock()
	want, chosen, had := v.selected, v.selected, v.device
	v.mu.Unlock()
	if want == "" {
		want = v.cfg.Device
	}
	for _, d := range v.cfg.Watcher.Devices() {
		meant := want == "" || is(d, want)
		if step == StepFlash && had.Serial != "" && (d.Serial != had.Serial || d.Source != had.Source) && (chosen == "" || !is(d, chosen)) {
			meant = false
		}
		if v.cfg.Practice && !d.Practice {
			meant = false
		}
		if meant && d.Mode != usb.ModeOff && (d.Permission == usb.PermissionOK || d.Permission == "") {
			may = append(may, d)
		} else {
			others = append(others, d)
		}
	}
	return may, others
}

// choosePhone asks which of several phones is meant.
func (v *Voyage) choosePhone(ctx context.Context, step StepID, phones []usb.Device) (usb.Device, error) {
	q := Question{ID: "device", Section: sectionPhone, Title: "Which phone", Kind: KindChoice,
		Why: "Several phones are plugged in.", IfWrong: "Another phone would be read, and later overwritten."}
	for _, d := range phones {
		q.Choices = append(q.Choices, Choice{Value: d.ID, Help: d.String()})
	}
	q.Validate = oneOf(q.Choices)
	if !v.cfg.Interactive && v.cfg.Answerer == nil {
		var names []string
		for _, d := range phones {
			names = append(names, fmt.Sprintf("%s (%s)", d.ID, d))
		}
		return usb.Device{}, &UsageError{Key: "device", Text: "several phones are plugged in: " + strings.Join(names, "; ") + "; name one with --device, or unplug the others"}
	}
	values, err := v.ask(ctx, Ask{Step: step, Title: "Which phone?", Questions: []Question{q}}, nil)
	if err != nil {
		return usb.Device{}, err
	}
	for _, d := range v.cfg.Watcher.Devices() {
		if d.ID == values["device"] {
			return d, nil
		}
	}
	return usb.Device{}, usb.ErrNotFound
}

// waitForPhone says what is seen instead of a phone, and what helps.
func (v *Voyage) waitForPhone(step StepID, others []usb.Device) Waiting {
	w := Waiting{Step: step, For: "a phone on a USB cable", Sees: "no phone"}
	var sees []string
	for _, d := range others {
		sees = append(sees, d.String())
		switch {
		case d.Permission == usb.PermissionDenied:
			w.Hints = append(w.Hints, "you may not open "+d.Product+": a udev rule is missing; `portolan doctor` shows it")
		case d.Permission == usb.PermissionBusy:
			w.Hints = append(w.Hints, "another program holds "+d.Product+": close it (adb, a virtual machine, another Portolan)")
		case d.Mode == usb.ModeOff:
			w.Hints = append(w.Hints, "switch "+d.Product+" on, into its bootloader")
		case v.cfg.Practice && !d.Practice:
			w.Hints = append(w.Hints, "this is a rehearsal: real phones are left alone")
		default:
			w.Hints = append(w.Hints, "this phone is not the one that was chosen, or that this began with; choose it if it is meant")
		}
		if d.Hint != "" {
			w.Hints = append(w.Hints, d.Hint)
		}
	}
	for _, h := range v.cfg.Watcher.Health() {
		if h.Err != nil && !h.Running {
			w.Hints = append(w.Hints, h.Text)
		}
	}
	switch {
	case len(sees) > 0:
		w.Sees = strings.Join(sees, "; ")
	case v.cfg.Practice:
		w.Hints = append(w.Hints, "the practice phone is being plugged in; portolan practice status tells how it is")
	default:
		w.Hints = append(w.Hints,
			"use a cable that carries data, and a port of the computer itself",
			"switch the phone off, then on while holding its volume-down key: that starts most bootloaders",
			"no phone at hand? --practice rehearses on a virtual one")
	}
	return w
}

// inMode waits until the voyage's phone is in one of the modes, saying what it
// sees and what helps. A phone that is pulled out may come back.
func (v *Voyage) inMode(ctx context.Context, step StepID, what string, hints []string, modes ...usb.Mode) (usb.Device, error) {
	sub, cancel := context.WithCancel(ctx)
	defer cancel()
	changes := v.cfg.Watcher.Subscribe(sub)
	v.mu.Lock()
	want := v.device
	v.mu.Unlock()
	since, said := v.cfg.Now(), ""
	for {
		sees := "the phone is not on the cable"
		for _, d := range v.cfg.Watcher.Devices() {
			if d.Source != want.Source || d.Serial != want.Serial {
				continue
			}
			for _, m := range modes {
				if d.Mode == m {
					return v.take(d), nil
				}
			}
			sees = d.String()
			if d.Hint != "" {
				sees += " (" + d.Hint + ")"
			}
		}
		if sees != said {
			said = sees
			v.emit(ctx, Waiting{Step: step, For: what, Sees: sees, Hints: hints, Since: since})
		}
		select {
		case _, ok := <-changes:
			if !ok && ctx.Err() == nil {
				return usb.Device{}, &PhoneError{Tried: "wait for " + what, Err: errors.New("nobody watches for phones any more"), Next: "start Portolan again"}
			}
		case <-ctx.Done():
			return usb.Device{}, fmt.Errorf("wait for %s, saw: %s: %w", what, sees, ctx.Err())
		}
	}
}

// leaveWithin is how long a bootloader may take from the order to boot until it
// is gone from the cable. Phones need one to three seconds.
const leaveWithin = 15 * time.Second

// awaitLeft waits until the watcher has seen the phone leave its bootloader, so
// that what it was before is not taken for what became of it. A phone that
// stays is left to the next wait, which says so.
func (v *Voyage) awaitLeft(ctx context.Context, before usb.Device) {
	ctx, cancel := context.WithTimeout(ctx, leaveWithin)
	defer cancel()
	for c := range v.cfg.Watcher.Subscribe(ctx) {
		d := c.Device
		if d.Source != before.Source || d.Serial != before.Serial {
			continue
		}
		if c.Kind == usb.Gone || d.Mode != before.Mode || d.Since.After(before.Since) {
			return
		}
	}
}

// open opens the voyage's phone.
func (v *Voyage) open(ctx context.Context, d usb.Device) (usb.Handle, error) {
	h, err := v.cfg.Watcher.Open(ctx, d.ID)
	if err != nil {
		return nil, phoneTrouble("open "+d.String(), err)
	}
	return h, nil
}

// phoneTrouble gives an error of the cable its cure.
func phoneTrouble(tried string, err error) error {
	if err == nil {
		return nil
	}
	var phone *PhoneError
	if errors.As(err, &phone) {
		return err
	}
	switch {
	case errors.Is(err, usb.ErrGone), errors.Is(err, usb.ErrNotFound):
		return &PhoneError{Tried: tried, Err: err, Next: "plug the phone in again and run this again; it continues with this step"}
	case errors.Is(err, usb.ErrWrongMode):
		return &PhoneError{Tried: tried, Err: err, Next: "bring the phone into its bootloader and run this again"}
	case errors.Is(err, usb.ErrDenied):
		return &HostError{Tried: tried, Lacks: "the permission to open the phone", Fix: "`portolan doctor` shows the udev rule that is missing", Err: err}
	}
	return fmt.Errorf("%s: %w", tried, err)
}
