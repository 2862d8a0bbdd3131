package usb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrRunning says that a Watcher was started twice.
var ErrRunning = errors.New("the device watcher was already started")

// Retries of a source that failed: doubled from the first to the last pause,
// and from the beginning again after a run that lasted longer than the last.
const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// Watcher joins the devices of all sources into one picture. It is safe for
// use by many goroutines; sources are never held up by slow readers.
type Watcher struct {
	sources []Source

	mu      sync.Mutex
	started bool
	serial  uint64           // rises with every plug-in, tells a replug from a change
	entries map[string]entry // by Device.ID
	health  []Health         // one a source
	readers map[*reader]struct{}
	done    chan struct{} // closed when Run has ended
}

// entry is one device that is plugged in.
type entry struct {
	device Device
	source int    // index in sources
	plug   uint64 // which plug-in this is
}

// Health says how a source is doing.
type Health struct {
	Source  string    `json:"source"`
	Running bool      `json:"running"`
	Err     error     `json:"-"`     // why it stopped last, nil if it never did
	Text    string    `json:"error"` // Err as text
	Retry   time.Time `json:"retry"` // when it is started again, zero while it runs
}

// NewWatcher returns a watcher over the sources. Run starts it.
func NewWatcher(sources ...Source) *Watcher {
	w := &Watcher{
		sources: sources,
		entries: make(map[string]entry),
		health:  make([]Health, len(sources)),
		readers: make(map[*reader]struct{}),
		done:    make(chan struct{}),
	}
	for i, s := range sources {
		w.health[i] = Health{Source: s.Name()}
	}
	return w
}

// Run runs every source until ctx ends and returns ctx's error. A source that
// fails loses its devices (nobody watches them any more), shows in Health and
// is started again after a pause; the others go on. Run works once.
func (w *Watcher) Run(ctx context.Context) error {
	w.mu.Lock()
	if w.started {
		w.mu.Unlock()
		return ErrRunning
	}
	w.started = true
	w.mu.Unlock()
	defer close(w.done)

	var wg sync.WaitGroup
	for i := range w.sources {
		wg.Go(func() { w.keep(ctx, i) })
	}
	<-ctx.Done()
	wg.Wait()
	return ctx.Err()
}

// keep runs one source and starts it again when it fails.
func (w *Watcher) keep(ctx context.Context, i int) {
	pause := firstRetry
	for ctx.Err() == nil {
		w.setHealth(i, Health{Running: true})
		start := time.Now()
		err := w.sources[i].Run(ctx, func(c Change) {
			if ctx.Err() == nil {
				w.take(i, c)
			}
		})
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("it ended by itself")
		}
		if time.Since(start) > lastRetry {
			pause = firstRetry
		}
		err = fmt.Errorf("watching for phones with %q stopped, trying again in %v: %w", w.sources[i].Name(), pause, err)
		w.setHealth(i, Health{Err: err, Text: err.Error(), Retry: time.Now().Add(pause)})
		w.drop(i)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, lastRetry)
	}
}

// take brings one report of a source into the picture. Sources may be sloppy:
// what was appeared, changed or gone is decided here.
func (w *Watcher) take(i int, c Change) {
	d := c.Device
	if d.Source == "" {
		d.Source = w.sources[i].Name()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	old, known := w.entries[d.ID]
	if known && old.source != i {
		// An ID belongs to the source that reported it first.
		return
	}
	switch {
	case c.Kind == Gone && !known:
		return
	case c.Kind == Gone:
		delete(w.entries, d.ID)
	default:
		if d.Since.IsZero() {
			d.Since = time.Now()
		}
		if known && old.device.Mode == d.Mode {
			d.Since = old.device.Since
		}
		if known && old.device == d {
			return
		}
		e := entry{device: d, source: i, plug: old.plug}
		if !known {
			w.serial++
			e.plug = w.serial
		}
		w.entries[d.ID] = e
	}
	w.wake(d.ID)
}

// drop takes away all devices of a source.
func (w *Watcher) drop(i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, e := range w.entries {
		if e.source == i {
			delete(w.entries, id)
			w.wake(id)
		}
	}
}

func (w *Watcher) setHealth(i int, h Health) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h.Source = w.health[i].Source
	if h.Running {
		h.Err, h.Text = w.health[i].Err, w.health[i].Text
	}
	w.health[i] = h
	w.wake("")
}

// Health tells how every source is doing, in the order given to NewWatcher.
func (w *Watcher) Health() []Health {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.health)
}

// Devices returns the devices that are plugged in, ordered by ID.
func (w *Watcher) Devices() []Device {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]Device, 0, len(w.entries))
	for _, e := range w.entries {
		list = append(list, e.device)
	}
	slices.SortFunc(list, func(a, b Device) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// Open gives a handle on a device by its ID. It fails with ErrNotFound if no
// source reports it now.
func (w *Watcher) Open(ctx context.Context, id string) (Handle, error) {
	w.mu.Lock()
	e, ok := w.entries[id]
	w.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("open phone %q: %w; plugged in now: %s", id, ErrNotFound, names(w.Devices()))
	}
	h, err := w.sources[e.source].Open(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("open phone %q: %w", id, err)
	}
	return h, nil
}

// Wait returns the first device that match accepts, of those plugged in now
// and those to come. When ctx ends it says what was plugged in instead.
func (w *Watcher) Wait(ctx context.Context, match func(Device) bool) (Device, error) {
	sub, cancel := context.WithCancel(ctx)
	defer cancel()
	for c := range w.Subscribe(sub) {
		if c.Kind != Gone && match(c.Device) {
			return c.Device, nil
		}
	}
	err := ctx.Err()
	if err == nil {
		err = errors.New("the device watcher has ended")
	}
	return Device{}, fmt.Errorf("waited for a phone, plugged in: %s: %w", names(w.Devices()), err)
}

func names(devices []Device) string {
	if len(devices) == 0 {
		return "none"
	}
	var text []string
	for _, d := range devices {
		text = append(text, d.String())
	}
	return strings.Join(text, "; ")
}
