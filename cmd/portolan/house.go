package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"portolan/usb"
	"portolan/usb/kernel"
	"portolan/usb/practice"
	"portolan/wizard"
	"portolan/wizard/rooms"
)

// house is everything plugged together for one run.
type house struct {
	o       *options
	work    string
	port    string
	state   string // the practice phone's folder
	watcher *usb.Watcher
	rooms   *rooms.Set

	plugging sync.Mutex        // a person and the detect step may plug in at once
	phone    *practice.Running // the practice phone, if this run started it
}

// realPhones are the sources for phones on real cables.
func realPhones() []usb.Source { return []usb.Source{kernel.New(kernel.Options{})} }

// watcher joins all sources; the caller runs it.
func (o *options) watcher() (*usb.Watcher, error) {
	sources, err := o.usbSources()
	if err != nil {
		return nil, err
	}
	return usb.NewWatcher(sources...), nil
}

// openHouse finds the folders and plugs the rooms together. Nothing is started.
func (o *options) openHouse(context.Context) (*house, error) {
	work, err := o.workDir()
	if err != nil {
		return nil, err
	}
	port, err := o.portDir()
	if err != nil {
		return nil, err
	}
	watcher, err := o.watcher()
	if err != nil {
		return nil, err
	}
	set := rooms.New(rooms.Config{Work: work, Jobs: o.jobs, Offline: o.offline, Mirror: o.mirror})
	return &house{o: o, work: work, port: port, state: filepath.Join(work, "practice"), watcher: watcher, rooms: set}, nil
}

// voyageConfig is what every face needs; faces add their own.
func (h *house) voyageConfig() (wizard.Config, error) {
	keys, err := configDir()
	if err != nil {
		return wizard.Config{}, err
	}
	return wizard.Config{
		Dir:            h.port,
		Logs:           filepath.Join(h.work, "logs"),
		Phones:         filepath.Join(h.work, "phones"),
		Keys:           keys,
		Watcher:        h.watcher,
		Rooms:          h.rooms.Rooms(),
		Practice:       h.o.practice,
		PluginPractice: h.pluginPractice,
		UnplugPractice: func(ctx context.Context) error { return practice.Plug(ctx, h.state, false) },
	}, nil
}

// pluginPractice starts the practice phone if none runs, and plugs it in. A
// phone that this run started ends with it.
func (h *house) pluginPractice(ctx context.Context) error {
	h.plugging.Lock()
	defer h.plugging.Unlock()
	if _, err := practice.GetStatus(ctx, h.state); errors.Is(err, practice.ErrNotRunning) {
		h.phone, err = startPractice(ctx, practice.Settings{StateDir: h.state, Mount: rehearsalMount}, true)
		if err != nil {
			return err
		}
	}
	return practice.Plug(ctx, h.state, true)
}

// startPractice starts the practice phone as a process of its own. With
// lifeline it ends when this process does.
func startPractice(ctx context.Context, s practice.Settings, lifeline bool) (*practice.Running, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find Portolan's own program file: %w", err)
	}
	run, err := practice.Start(ctx, s, practice.StartOptions{Command: []string{self, "practice", "serve"}, Lifeline: lifeline})
	var missing *practice.MissingError
	if errors.As(err, &missing) {
		return nil, &wizard.HostError{Tried: "start the practice phone", Lacks: missing.Program, Fix: "install it: apt install " + missing.Package}
	}
	return run, err
}

// run runs a voyage with its watcher, and lets go of everything afterwards.
func (h *house) run(ctx context.Context, cfg wizard.Config, use func(context.Context, *wizard.Voyage) error) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	watching := make(chan error, 1)
	go func() { watching <- h.watcher.Run(ctx) }()
	defer func() {
		cancel()
		<-watching //nolint:errcheck // it ends with the context
		err = errors.Join(err, h.close())
	}()
	v, err := wizard.New(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	return use(ctx, v)
}

// close lets go of the engine and of a practice phone that this run started.
func (h *house) close() error {
	err := h.rooms.Close()
	if h.phone != nil {
		if stopErr := h.phone.Close(); stopErr != nil {
			err = errors.Join(err, fmt.Errorf("stop the practice phone: %w", stopErr))
		}
	}
	return err
}
