package practice

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"portolan/usb"
)

// Source shows the practice phone of a state folder to a usb.Watcher. The
// phone need not run, nor the folder exist, when it begins.
type Source struct {
	StateDir string
}

var _ usb.Source = Source{}

// Name of the source, also the first part of its devices' ids.
func (Source) Name() string { return "practice" }

// retry is how long an absent phone takes to be noticed at most.
const retry = 200 * time.Millisecond

// Run follows the phone: started is plugged in, ended is pulled out.
func (s Source) Run(ctx context.Context, report func(usb.Change)) error {
	var shown *usb.Device
	gone := func() {
		if shown != nil {
			report(usb.Change{Kind: usb.Gone, Device: *shown})
			shown = nil
		}
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		err := Watch(ctx, s.StateDir, func(st Status) {
			d := st.Device
			switch {
			case !st.Plugged:
				gone()
			case shown == nil:
				shown = &d
				report(usb.Change{Kind: usb.Appeared, Device: d})
			case *shown != d:
				shown = &d
				report(usb.Change{Kind: usb.Changed, Device: d})
			}
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		gone()
		if !errors.Is(err, ErrNotRunning) && !errors.Is(err, usb.ErrGone) && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("watching the practice phone in %s: %w", s.StateDir, err)
		}
		timer.Reset(retry)
	}
}

// Open gives a handle on the phone, which also is a usb.Practice.
func (s Source) Open(ctx context.Context, id string) (usb.Handle, error) {
	st, err := GetStatus(ctx, s.StateDir)
	if errors.Is(err, ErrNotRunning) {
		return nil, fmt.Errorf("opening %s: %w: %w", id, usb.ErrNotFound, err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", id, err)
	}
	if !st.Plugged || st.Device.ID != id {
		return nil, fmt.Errorf("opening %s: %w", id, usb.ErrNotFound)
	}
	return &Handle{dir: s.StateDir}, nil
}
