package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"portolan/usb"
)

// Name is the name of the source.
const Name = "kernel"

// Times of watching. An enumerating phone causes dozens of events within some
// milliseconds; 150 ms from the first of them to the screen is the budget.
const (
	quiet      = 20 * time.Millisecond  // without an event, before sysfs is read
	longest    = 80 * time.Millisecond  // after the first event, however restless
	slowRescan = 2 * time.Second        // where no events can be heard
	recheck    = 500 * time.Millisecond // of a device that may not be opened yet
	rechecks   = 6                      // of those; udev is done long before
)

// Options of a Source. The zero value watches this computer.
type Options struct {
	Sys string // instead of /sys
	Dev string // instead of /dev
	// Log, if not nil, gets a line when the watching is not as it should be.
	Log func(line string)
}

// Source reports phones on the USB bus. It is a usb.Source.
type Source struct {
	opt    Options
	listen func() (*listener, error)
	access func(path string) error
}

var _ usb.Source = (*Source)(nil)

// New returns a source.
func New(opt Options) *Source {
	if opt.Sys == "" {
		opt.Sys = "/sys"
	}
	if opt.Dev == "" {
		opt.Dev = "/dev"
	}
	if opt.Log == nil {
		opt.Log = func(string) {}
	}
	return &Source{
		opt: opt, listen: listenUevents,
		access: func(path string) error { return unix.Access(path, unix.R_OK|unix.W_OK) },
	}
}

// Name is "kernel".
func (s *Source) Name() string { return Name }

// Run reports the phones on the bus and every change of them. Where the kernel
// gives no events it reads the bus every two seconds, and says so in the log. A
// computer without a USB bus has no phones, which is no error.
func (s *Source) Run(ctx context.Context, report func(usb.Change)) error {
	// Hear first, read then, so that nothing falls between.
	l, err := s.listen()
	if err != nil {
		s.opt.Log(fmt.Sprintf("the kernel's device events cannot be heard (%v): looking for phones every %v instead", err, slowRescan))
		return s.poll(ctx, report)
	}
	wake, failed := make(chan struct{}, 1), make(chan error, 1)
	go func() { failed <- hear(l, wake) }()
	defer func() {
		l.close()
		<-failed //nolint:errcheck // it ends with the context
	}()

	known := map[string]usb.Device{}
	tries, err := 0, s.rescan(known, report)
	if err != nil {
		return err
	}
	for {
		var again <-chan time.Time
		if tries < rechecks && anyDenied(known) {
			again = time.After(recheck)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-failed:
			failed <- nil
			return fmt.Errorf("hear the kernel's device events: %w", err)
		case <-again:
			tries++
		case <-wake:
			tries = 0
			if !settled(ctx, wake) {
				return ctx.Err()
			}
		}
		if err := s.rescan(known, report); err != nil {
			return err
		}
	}
}

// hear rings wake for every event that matters, until the listener is closed.
func hear(l *listener, wake chan<- struct{}) error {
	for {
		msg, lost, err := l.next()
		if err != nil {
			return err
		}
		if !lost {
			e, err := parseUevent(msg)
			if err != nil || !e.relevant() {
				continue
			}
		}
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// settled waits until the events pause; false if ctx ended meanwhile.
func settled(ctx context.Context, wake <-chan struct{}) bool {
	end := time.NewTimer(longest)
	defer end.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-end.C:
			return true
		case <-time.After(quiet):
			return true
		case <-wake:
		}
	}
}

// poll reads the bus again and again.
func (s *Source) poll(ctx context.Context, report func(usb.Change)) error {
	known := map[string]usb.Device{}
	tick := time.NewTicker(slowRescan)
	defer tick.Stop()
	for {
		if err := s.rescan(known, report); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func anyDenied(known map[string]usb.Device) bool {
	for _, d := range known {
		if d.Permission == usb.PermissionDenied {
			return true
		}
	}
	return false
}

// rescan reads the bus and reports how it differs from what is known.
func (s *Source) rescan(known map[string]usb.Device, report func(usb.Change)) error {
	list, err := scan(s.opt.Sys)
	if err != nil {
		return err
	}
	here := map[string]bool{}
	for _, desc := range list {
		d, ok := s.device(desc)
		if !ok {
			continue
		}
		here[d.ID] = true
		old, was := known[d.ID]
		if was && old == d {
			continue
		}
		known[d.ID] = d
		kind := usb.Appeared
		if was {
			kind = usb.Changed
		}
		report(usb.Change{Kind: kind, Device: d})
	}
	for id, d := range known {
		if !here[id] {
			delete(known, id)
			report(usb.Change{Kind: usb.Gone, Device: d})
		}
	}
	return nil
}

// device judges one device; false if it is no phone.
//
// The ID is the port that the phone is plugged into: a phone keeps it when it
// restarts into another mode, where serial and product number may change, and
// two phones of one kind, or with one serial, never share it.
func (s *Source) device(desc Descriptor) (usb.Device, bool) {
	mode, hint, ok := Classify(desc)
	if !ok {
		return usb.Device{}, false
	}
	d := usb.Device{
		ID: "usb/" + desc.Path, Source: Name, Path: desc.Path,
		VendorID: desc.Vendor, ProductID: desc.ProductID,
		Serial: desc.Serial, Manufacturer: desc.Manufacturer, Product: desc.Product,
		Mode: mode, Permission: usb.PermissionOK, Hint: hint,
	}
	node := filepath.Join(s.opt.Dev, fmt.Sprintf("bus/usb/%03d/%03d", desc.Bus, desc.Number))
	// The network of a phone that runs Linux takes no access to its node.
	if err := s.access(node); err != nil && mode != usb.ModeNetwork {
		d.Permission = usb.PermissionDenied
		d.Hint = hintDenied(node, desc, err)
	}
	return d, true
}

// hintDenied tells how to get access to a phone, which is not the same as the
// phone being absent.
func hintDenied(node string, desc Descriptor, err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("the phone is there, its device node %s is not: in a container, pass /dev/bus/usb through", node)
	}
	return fmt.Sprintf(`the phone is there, but you may not open %s: put the line SUBSYSTEM=="usb", ATTR{idVendor}=="%04x", MODE="0660", TAG+="uaccess" into /etc/udev/rules.d/51-portolan.rules, run sudo udevadm control --reload, then replug it`,
		node, desc.Vendor)
}
