package wizard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"portolan/usb"
	"portolan/usb/session"
)

// attachStep waits for the phone's USB network, unlocks the disk over telnet
// and logs in over SSH.
type attachStep struct{ v *Voyage }

func (*attachStep) ID() StepID { return StepAttach }

// Inputs is empty: whether the phone is up has to be looked at every time.
func (*attachStep) Inputs(context.Context) (string, error) { return "", nil }

func (*attachStep) Fresh(context.Context, Entry) (bool, string) { return false, "" }

func (s *attachStep) Outputs() map[string]string {
	s.v.mu.Lock()
	defer s.v.mu.Unlock()
	return map[string]string{"serial": s.v.device.Serial, "uname": s.v.report.Uname}
}

func (s *attachStep) Run(ctx context.Context, _ Emitter) (string, error) {
	v := s.v
	remote, err := v.connect(ctx, StepAttach)
	if err != nil {
		return "", err
	}
	out, err := remote.Run(ctx, "uname -a", nil)
	if err != nil {
		return "", phoneTrouble("ask the phone for its name", err)
	}
	uname := Printable(firstLine(string(out.Stdout)))
	v.mu.Lock()
	v.report.Uname = uname
	unlocked := v.report.Unlocked
	v.mu.Unlock()
	v.note(ctx, StepAttach, "%s", uname)
	if v.cfg.Interactive {
		if err := v.openShell(ctx, remote); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s; SSH as %s: %s", unlocked, v.port.Get("user"), uname), nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSpace(line)
}

// connect returns an SSH connection to the phone: the one that is open, or a
// new one, unlocking the disk on the way.
func (v *Voyage) connect(ctx context.Context, step StepID) (Remote, error) {
	v.mu.Lock()
	open := v.remote
	v.mu.Unlock()
	if open != nil {
		if _, err := open.Run(ctx, "true", nil); err == nil {
			v.reportUnlocked("already unlocked")
			return open, nil
		}
		v.closeSessions("the phone does not answer on it any more")
	}
	d, err := v.phone(ctx, step)
	if err != nil {
		return nil, err
	}
	if err := v.leaveBootloader(ctx, step, d); err != nil {
		return nil, err
	}
	wait, cancel := context.WithTimeout(ctx, v.cfg.AttachTimeout)
	defer cancel()
	reached, port, err := v.reach(wait, step, d)
	if err != nil {
		return nil, attachTrouble(ctx, v.cfg.AttachTimeout, err)
	}
	if port == session.PortTelnet {
		if err := v.unlock(ctx, step, d, reached); err != nil {
			return nil, err
		}
		again, cancel := context.WithTimeout(ctx, v.cfg.AttachTimeout)
		defer cancel()
		v.note(ctx, step, "the root is open; waiting for SSH")
		reached, err = session.Wait(again, v.target(d, session.PortSSH), v.passWaiting(ctx, step))
		if err != nil {
			return nil, attachTrouble(ctx, v.cfg.AttachTimeout, err)
		}
	} else {
		v.reportUnlocked("already unlocked")
	}
	remote, err := v.login(ctx, d, reached, v.port.Get("user"))
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.remote = remote
	return remote, nil
}

// login logs in over a connection to port 22, which it owns from now on.
func (v *Voyage) login(ctx context.Context, d usb.Device, reached *session.Reached, user string) (Remote, error) {
	keys, err := v.loadKeys()
	if err != nil {
		return nil, errors.Join(err, reached.Conn.Close(), reached.Handle.Close())
	}
	ssh, err := session.DialSSH(ctx, reached.Conn, session.SSHConfig{User: user, Key: keys.User, HostKey: keys.Host.Public})
	if err != nil {
		return nil, errors.Join(phoneTrouble("log in to "+d.String(), err), reached.Handle.Close())
	}
	return &remoteSSH{SSH: ssh, handle: reached.Handle}, nil
}

// connectRoot returns a connection as root, which the images of Portolan allow
// with the port's key; the caller closes it. Where root may not log in, the
// user's connection serves, and commands go through sudo.
func (v *Voyage) connectRoot(ctx context.Context, step StepID) (remote Remote, release func(), err error) {
	plain, err := v.connect(ctx, step)
	if err != nil {
		return nil, nil, err
	}
	d, err := v.phone(ctx, step)
	if err != nil {
		return nil, nil, err
	}
	wait, cancel := context.WithTimeout(ctx, v.cfg.AttachTimeout)
	defer cancel()
	tell := v.passWaiting(ctx, step)
	reached, err := session.Wait(wait, v.target(d, session.PortSSH), func(w session.Waiting) {
		if len(w.Hints) > 0 { // the phone is up: a wait is worth a word only when it lasts
			tell(w)
		}
	})
	if err != nil {
		return nil, nil, attachTrouble(ctx, v.cfg.AttachTimeout, err)
	}
	root, err := v.login(ctx, d, reached, "root")
	var refused *session.AuthError
	if errors.As(err, &refused) {
		v.note(ctx, step, "root may not log in on this phone; going on as %s with sudo", v.port.Get("user"))
		return plain, func() {}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return root, func() { root.Close() }, nil
}

// reportUnlocked notes how the disk was opened; the first word of a run counts.
func (v *Voyage) reportUnlocked(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.report.Unlocked == "" {
		v.report.Unlocked = text
	}
}

// leaveBootloader boots a phone that waits in its bootloader.
func (v *Voyage) leaveBootloader(ctx context.Context, step StepID, d usb.Device) error {
	if d.Mode != usb.ModeFastboot {
		return nil
	}
	h, err := v.open(ctx, d)
	if err != nil {
		return err
	}
	defer h.Close()
	v.note(ctx, step, "the phone is in its bootloader; booting what is flashed")
	err = v.reboot(ctx, h)
	if err != nil && !errors.Is(err, usb.ErrWrongMode) { // it is on its way already
		return phoneTrouble("boot "+d.String(), err)
	}
	v.awaitLeft(ctx, d)
	return ctx.Err()
}

func (v *Voyage) target(d usb.Device, port int) session.Target {
	return session.Target{Watcher: v.cfg.Watcher, Device: d.ID, Port: port}
}

// passWaiting tells the readers what a wait on the phone sees.
func (v *Voyage) passWaiting(ctx context.Context, step StepID) func(session.Waiting) {
	return func(w session.Waiting) {
		v.emit(ctx, Waiting{Step: step, For: w.For, Sees: w.Sees, Hints: w.Hints, Since: w.Since})
	}
}

// reach waits for whichever answers: the passphrase prompt of a phone that has
// just booted, or SSH of one that is up already.
func (v *Voyage) reach(ctx context.Context, step StepID, d usb.Device) (*session.Reached, int, error) {
	ports := []int{session.PortTelnet, session.PortSSH}
	if v.port.Get("encryption") != "true" {
		ports = ports[1:]
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		reached *session.Reached
		port    int
		err     error
	}
	answers := make(chan answer, len(ports))
	for i, port := range ports {
		var observe func(session.Waiting)
		if i == 0 {
			observe = v.passWaiting(ctx, step)
		}
		go func() {
			r, err := session.Wait(ctx, v.target(d, port), observe)
			answers <- answer{r, port, err}
		}()
	}
	var first answer
	for range ports {
		a := <-answers
		switch {
		case first.reached == nil && (a.err == nil || first.err == nil):
			first = a
			cancel() // the other wait ends now, and its answer is read below
		case a.reached != nil:
			a.reached.Conn.Close()
			a.reached.Handle.Close()
		}
	}
	return first.reached, first.port, first.err
}

// attachTrouble says why the phone was not reached.
func attachTrouble(ctx context.Context, after any, err error) error {
	var boot *session.BootError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &boot):
		return &PhoneError{Tried: "wait for the phone to boot", Err: err, Next: "run the flash step again (--from flash)"}
	case errors.Is(err, context.DeadlineExceeded):
		return &PhoneError{Tried: fmt.Sprintf("waited %v for the phone", after), Err: err, Next: "follow the hints above, then run the attach step again"}
	}
	return phoneTrouble("wait for the phone", err)
}

// maxTries is how often a passphrase is asked for where nobody can look at the
// phone's own prompt.
const maxTries = 3

// unlock opens the phone's root over telnet.
func (v *Voyage) unlock(ctx context.Context, step StepID, d usb.Device, reached *session.Reached) error {
	handle := reached.Handle
	defer handle.Close()
	cols, rows := v.consoleSize()
	t := session.NewTelnet(reached.Conn, cols, rows)
	defer func() { t.Close() }()
	show := v.show(SessionTelnet)
	keys := newTyping(show)
	defer keys.wipe()
	pane := v.openSession(SessionTelnet, "passphrase of "+d.Product, keys.input, t.Resize, nil)
	defer v.closeSession(pane, "the phone goes on booting")
	for try := 1; ; try++ {
		wait, cancel := context.WithTimeout(ctx, v.cfg.AttachTimeout)
		prompt, err := session.WaitPrompt(wait, t, show)
		cancel()
		if err != nil {
			return unlockTrouble(ctx, "wait for the phone's passphrase prompt", err)
		}
		secret, ours, err := v.unlockSecret(ctx, step, prompt, try, keys)
		if err != nil {
			return err
		}
		if v.cfg.Interactive {
			v.emit(ctx, Waiting{Step: step, For: "the phone to try the passphrase", Sees: "it works out the key, which takes some seconds by design", Since: v.cfg.Now()})
		}
		wait, cancel = context.WithTimeout(ctx, v.cfg.AttachTimeout)
		outcome, err := session.Unlock(wait, t, secret.Bytes(), show)
		cancel()
		if !ours {
			secret.Wipe()
		}
		if err != nil {
			return unlockTrouble(ctx, "unlock the phone", err)
		}
		if outcome.Result == session.Unlocked {
			v.reportUnlocked(fmt.Sprintf("%s unlocked over telnet, try %d", outcome.Device, try))
			return nil
		}
		if ours {
			v.dropPassphrase()
		}
		v.line(ctx, step, LineWarning, "wrong passphrase")
		if try == maxTries && !v.cfg.Interactive || v.mute() {
			return fmt.Errorf("unlock %s of %s: the phone refused the passphrase (%d of %d tries); nothing is changed on it: run the attach step again with the right one, or set a new one with `voyage --from image`", prompt, d, try, maxTries)
		}
		if outcome.Closed {
			t.Close()
			if t, err = v.redial(ctx, step, d, cols, rows); err != nil {
				return err
			}
		}
	}
}

// unlockTrouble makes what the phone left open its own error, not ours.
func unlockTrouble(ctx context.Context, tried string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, session.ErrNoPrompt) || errors.Is(err, session.ErrTimeout) || errors.Is(err, session.ErrClosed) {
		return &PhoneError{Tried: tried, Err: err, Next: "look at the phone's screen, then run the attach step again"}
	}
	return phoneTrouble(tried, err)
}

// mute tells that nobody can be asked.
func (v *Voyage) mute() bool { return !v.cfg.Interactive && v.cfg.Answerer == nil }

// redial connects to the prompt again after the phone hung up.
func (v *Voyage) redial(ctx context.Context, step StepID, d usb.Device, cols, rows int) (*session.Telnet, error) {
	wait, cancel := context.WithTimeout(ctx, v.cfg.AttachTimeout)
	defer cancel()
	reached, err := session.Wait(wait, v.target(d, session.PortTelnet), v.passWaiting(ctx, step))
	if err != nil {
		return session.NewTelnet(closedConn{}, cols, rows), attachTrouble(ctx, v.cfg.AttachTimeout, err)
	}
	return session.NewTelnet(&handledConn{Conn: reached.Conn, handle: reached.Handle}, cols, rows), nil
}

// unlockSecret gets the passphrase to try. ours says that the voyage keeps it.
func (v *Voyage) unlockSecret(ctx context.Context, step StepID, prompt string, try int, keys *typing) (secret *Secret, ours bool, err error) {
	held, err := v.heldPassphrase()
	if err != nil {
		return nil, false, err
	}
	if v.cfg.Interactive { // as at every boot: the person types, the phone's prompt is rehearsed
		hint := "type it into the console; only dots are shown"
		if !held.Empty() {
			hint += "; enter alone sends the one that you typed for the image"
		}
		keys.ask(held)
		v.emit(ctx, Waiting{Step: step, For: "the passphrase of " + prompt, Sees: "the phone's prompt", Hints: []string{hint}, Since: v.cfg.Now()})
		select {
		case s := <-keys.done:
			return s, false, nil
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
	if held != nil && try == 1 {
		return held, true, nil
	}
	a := Ask{Step: step, Title: "Enter passphrase for " + prompt}
	if try > 1 {
		a.Error = "the phone says: no key available with this passphrase"
	}
	s, err := v.askSecret(ctx, a)
	return s, false, err
}

// openShell opens a login shell for the console pane. It lives until the phone
// or the voyage ends it.
func (v *Voyage) openShell(ctx context.Context, remote Remote) error {
	cols, rows := v.consoleSize()
	shell, err := remote.Shell(v.life, cols, rows)
	if err != nil {
		return phoneTrouble("open a shell on the phone", err)
	}
	pane := v.openSession(SessionSSH, v.port.Get("user")+"@"+usb.PhoneAddr.String(), func(b []byte) error {
		_, err := shell.Write(b)
		return err
	}, shell.Resize, func() { shell.Close() })
	v.owned.Go(func() {
		err := v.copyOut(SessionSSH, shell)
		reason := "the shell has ended"
		if !errors.Is(err, io.EOF) {
			reason = err.Error()
		}
		v.closeSession(pane, reason)
	})
	return ctx.Err()
}
