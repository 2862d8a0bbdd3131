package wizard

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"

	"portolan/templates"
	"portolan/usb"
	"portolan/usb/session"
	"portolan/wizard/calibration"
)

// touchStep finds out how the touchscreen is mounted and brings the rule for it
// into the device package and onto the phone.
type touchStep struct {
	v *Voyage
}

func (*touchStep) ID() StepID    { return StepTouch }
func (*touchStep) settles() bool { return true }

func (s *touchStep) Inputs(context.Context) (string, error) {
	d := newDigest("touch 1")
	d.add("phone", s.v.serial())
	d.add("rule", s.v.port.Get("touchscreen"), s.v.port.Get("touch_matrix"))
	return d.sum(), nil
}

func (s *touchStep) Fresh(context.Context, Entry) (bool, string) {
	if s.v.port.Get("touch_matrix") == "" {
		return false, "the touchscreen was not measured"
	}
	s.v.reportTouch()
	return true, fmt.Sprintf("%s is %s", s.v.port.Get("touchscreen"), matrixName(s.v.port.Get("touch_matrix")))
}

func (s *touchStep) Outputs() map[string]string {
	return map[string]string{
		"serial": s.v.serial(), "touchscreen": s.v.port.Get("touchscreen"), "matrix": s.v.port.Get("touch_matrix"),
	}
}

func matrixName(text string) string {
	m, err := parseMatrix(text)
	if err != nil {
		return "calibration"
	}
	return calibration.Name(m)
}

// touchRule is the line of the udev rule for the port's touchscreen, or "".
func (v *Voyage) touchRule() string {
	m, err := v.port.Snapshot().validModel()
	if err != nil || len(m.Touch) == 0 {
		return ""
	}
	files, err := templates.Packages(m)
	if err != nil {
		return ""
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Path, ".rules") {
			continue
		}
		for line := range strings.Lines(string(f.Data)) {
			if strings.Contains(line, "LIBINPUT_CALIBRATION_MATRIX") {
				return strings.TrimSpace(line)
			}
		}
	}
	return ""
}

func (v *Voyage) reportTouch() string {
	rule := v.touchRule()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Touch = rule
	return rule
}

func (s *touchStep) Run(ctx context.Context, emit Emitter) (string, error) {
	v := s.v
	remote, release, err := v.connectRoot(ctx, StepTouch)
	if err != nil {
		return "", err
	}
	defer release()
	device, err := v.touchDevice(ctx, remote)
	if err != nil {
		return "", err
	}
	result, err := v.measure(ctx, remote, device)
	if err != nil {
		return "", err
	}
	carry, err := v.carriers(ctx)
	if err != nil {
		return "", err
	}
	values := map[string]Value{"touchscreen": {Text: device.Name, Source: SourceTouch}, "touch_matrix": {Text: result.Matrix.String(), Source: SourceTouch}}
	if err := v.port.Update(values); err != nil {
		return "", err
	}
	v.emit(ctx, PortChanged{Port: v.port.Snapshot()})
	emit.Emit(TouchResult{Device: device.Name, Matrix: result.Matrix, Name: result.Name, Residual: result.Residual, Rule: v.reportTouch()})
	if _, err := v.generate(ctx, StepTouch, emit); err != nil {
		return "", err
	}
	if _, err := v.build(ctx, StepTouch); err != nil {
		return "", err
	}
	if err := v.sideload(ctx, remote, device, result.Matrix); err != nil {
		return "", err
	}
	if err := carry.write(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is %s (%s), %.1f %% of the screen off; the rule is in the device package and on the phone",
		device.Name, result.Name, result.Matrix, result.Residual*100), nil
}

// touchDevice finds the touchscreen among the phone's input devices.
func (v *Voyage) touchDevice(ctx context.Context, remote Remote) (session.InputDevice, error) {
	devices, err := remote.InputDevices(ctx)
	if err != nil {
		return session.InputDevice{}, phoneTrouble("look for a touchscreen", err)
	}
	var touch []session.InputDevice
	var names []string
	for _, d := range devices {
		names = append(names, fmt.Sprintf("%q", d.Name))
		if d.Touch() {
			touch = append(touch, d)
		}
	}
	want := v.port.Get("touchscreen")
	for _, d := range touch {
		if d.Name == want {
			return d, nil
		}
	}
	for _, d := range touch {
		if d.Direct() {
			return d, nil
		}
	}
	if len(touch) == 0 {
		return session.InputDevice{}, fmt.Errorf("look for a touchscreen: the phone's kernel knows only %s; its driver is missing: add it to the kernel's configuration or to modules_initfs, and build again", strings.Join(names, ", "))
	}
	return touch[0], nil
}

const (
	// touchRounds is how often taps that make no sense are asked for again.
	touchRounds = 3
	// tapAgain is when the practice phone's finger tries again: its first tap
	// may have come before the reading began. It does so aside by a part of the
	// screen, because the kernel tells only coordinates that have changed.
	tapAgain, aside = 1500 * time.Millisecond, 0.004
	// apart is how far two taps on different targets lie apart at least, as a
	// part of the panel. What is nearer is the same tap seen twice.
	apart = 0.1
)

// measure reads taps on the targets until they give a matrix.
func (v *Voyage) measure(ctx context.Context, remote Remote, device session.InputDevice) (calibration.Result, error) {
	axes, err := remote.Axes(ctx, device)
	var unknown *session.AxesError
	if errors.As(err, &unknown) && v.practicePhone() {
		axes = session.DefaultAxes
	} else if err != nil {
		return calibration.Result{}, phoneTrouble("read the touchscreen", err)
	}
	for round := 1; ; round++ {
		samples, err := v.tapAll(ctx, remote, device, axes)
		if err != nil {
			return calibration.Result{}, err
		}
		result, err := calibration.Solve(samples)
		if err == nil {
			return result, nil
		}
		if round == touchRounds || v.practicePhone() {
			return calibration.Result{}, fmt.Errorf("calibrate %s: %w", device.Name, err)
		}
		v.line(ctx, StepTouch, LineWarning, err.Error())
	}
}

func (v *Voyage) practicePhone() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.device.Practice
}

// tapAll reads one tap on each target.
func (v *Voyage) tapAll(ctx context.Context, remote Remote, device session.InputDevice, axes session.Axes) ([]calibration.Sample, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := remote.Taps(ctx, device, axes)
	if err != nil {
		return nil, phoneTrouble("read the touchscreen", err)
	}
	taps, ended := make(chan session.Tap), make(chan error, 1)
	go func() {
		for {
			tap, err := stream.Next()
			if err != nil {
				ended <- err
				return
			}
			select {
			case taps <- tap:
			case <-ctx.Done():
				ended <- ctx.Err()
				return
			}
		}
	}()
	defer func() {
		cancel()
		stream.Close()
		<-ended //nolint:errcheck // it ends with the context
	}()
	finger, release, err := v.finger(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	var samples []calibration.Sample
	for i, target := range calibration.Targets {
		v.emit(ctx, TouchTarget{Index: i, Count: len(calibration.Targets), X: target.X, Y: target.Y, Device: device.Name})
		sample, err := oneTap(ctx, taps, ended, samples, target, finger)
		if err != nil {
			return nil, phoneTrouble("read the touchscreen", err)
		}
		v.emit(ctx, TouchTapped{Index: i, X: sample.Panel.X, Y: sample.Panel.Y})
		samples = append(samples, sample)
	}
	return samples, nil
}

// finger returns what taps a target: the practice phone's own finger, or
// nothing, where a person taps.
func (v *Voyage) finger(ctx context.Context) (tap func(calibration.Point) error, release func(), err error) {
	v.mu.Lock()
	d := v.device
	v.mu.Unlock()
	none := func(calibration.Point) error { return nil }
	if !d.Practice {
		return none, func() {}, nil
	}
	h, err := v.open(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	p, ok := h.(usb.Practice)
	if !ok {
		return none, func() { h.Close() }, nil
	}
	return func(t calibration.Point) error { return p.Tap(ctx, t.X, t.Y) }, func() { h.Close() }, nil
}

// oneTap waits for a tap on the target that is not one of those already read.
func oneTap(ctx context.Context, taps <-chan session.Tap, ended chan error, before []calibration.Sample, target calibration.Point, finger func(calibration.Point) error) (calibration.Sample, error) {
	sample := calibration.Sample{Screen: target}
	again := time.NewTimer(0)
	defer again.Stop()
	for tried := 0; ; {
		select {
		case tap := <-taps:
			sample.Panel = calibration.Point{X: tap.X, Y: tap.Y}
			if n := len(before); n > 0 && distant(sample.Panel, before[n-1].Panel) < apart {
				continue
			}
			return sample, nil
		case err := <-ended:
			ended <- err // the caller's clean-up reads it
			return sample, err
		case <-again.C:
			off := aside * float64(tried%5)
			if err := finger(calibration.Point{X: target.X + off, Y: target.Y + off}); err != nil {
				return sample, err
			}
			tried++
			again.Reset(tapAgain)
		case <-ctx.Done():
			return sample, ctx.Err()
		}
	}
}

func distant(a, b calibration.Point) float64 { return math.Hypot(a.X-b.X, a.Y-b.Y) }

// devicePackage is the built device package.
func (v *Voyage) devicePackage() (ReportPackage, error) {
	packages, err := v.packages()
	if err != nil {
		return ReportPackage{}, err
	}
	name := "device-" + v.port.Get("vendor") + "-" + v.port.Get("codename")
	out := v.port.Path("out", "packages", name)
	for _, p := range packages {
		if filepath.Dir(p.Path) == out {
			return p, nil
		}
	}
	return ReportPackage{}, fmt.Errorf("find the device package: the build step made none in %s; run it again", out)
}
