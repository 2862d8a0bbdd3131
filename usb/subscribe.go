package usb

import (
	"context"
	"slices"
)

// reader is one subscription. Instead of a queue of changes it keeps the names
// of the devices that changed and what it last told of each, so that its size
// is bounded by the number of devices however slow the reading is.
type reader struct {
	dirty []string         // IDs to look at, oldest first, no doubles; guarded by Watcher.mu
	told  map[string]entry // what was last delivered; owned by the reader's goroutine
	bell  chan struct{}    // capacity 1
}

// wake tells every reader that a device changed. Watcher.mu is held. The empty
// ID stands for the health of the sources.
func (w *Watcher) wake(id string) {
	for r := range w.readers {
		r.mark(id)
	}
}

func (r *reader) mark(id string) {
	if !slices.Contains(r.dirty, id) {
		r.dirty = append(r.dirty, id)
	}
	select {
	case r.bell <- struct{}{}:
	default:
	}
}

// Subscribe delivers the devices that are plugged in as Appeared, then every
// change. A slow reader sees several changes of one device as one, but always
// sees a replug as Gone and Appeared. The channel is closed when ctx or Run ends.
func (w *Watcher) Subscribe(ctx context.Context) <-chan Change {
	r := w.enlist()
	out := make(chan Change)
	go func() {
		defer close(out)
		defer w.discharge(r)
		for {
			c, after, ok := w.next(r)
			var send chan<- Change
			if ok {
				send = out
			}
			select {
			case send <- c:
				if c.Kind == Gone {
					delete(r.told, c.Device.ID)
				} else {
					r.told[c.Device.ID] = after
				}
			case <-r.bell: // the picture changed, what is sent next may too
			case <-ctx.Done():
				return
			case <-w.done:
				return
			}
		}
	}()
	return out
}

// SubscribeHealth delivers the state of the sources now and after every
// change of it; a slow reader gets the latest. The channel is closed when ctx
// or Run ends.
func (w *Watcher) SubscribeHealth(ctx context.Context) <-chan []Health {
	r := w.enlist()
	out := make(chan []Health)
	go func() {
		defer close(out)
		defer w.discharge(r)
		send := (chan<- []Health)(out)
		for {
			now := w.Health()
			select {
			case send <- now:
				send = nil
			case <-r.bell:
				if w.cleanHealth(r) {
					send = out
				}
			case <-ctx.Done():
				return
			case <-w.done:
				return
			}
		}
	}()
	return out
}

func (w *Watcher) enlist() *reader {
	r := &reader{told: make(map[string]entry), bell: make(chan struct{}, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.entries {
		r.dirty = append(r.dirty, id)
	}
	slices.Sort(r.dirty)
	w.readers[r] = struct{}{}
	return r
}

func (w *Watcher) discharge(r *reader) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.readers, r)
}

// cleanHealth empties the reader's list and tells whether it named the health.
func (w *Watcher) cleanHealth(r *reader) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	named := slices.Contains(r.dirty, "")
	r.dirty = r.dirty[:0]
	return named
}

// next finds the change that the reader must hear now, and the entry it knows
// after it. A device leaves the list once there is nothing more to tell of it,
// and goes to its end before, so that a restless device hides no other.
func (w *Watcher) next(r *reader) (Change, entry, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(r.dirty) > 0 {
		id := r.dirty[0]
		old, told := r.told[id]
		now, here := w.entries[id]
		r.dirty = append(slices.Delete(r.dirty, 0, 1), id)
		switch {
		case told && (!here || now.plug != old.plug):
			return Change{Kind: Gone, Device: old.device}, entry{}, true
		case here && !told:
			return Change{Kind: Appeared, Device: now.device}, now, true
		case here && now.device != old.device:
			return Change{Kind: Changed, Device: now.device}, now, true
		}
		r.dirty = r.dirty[:len(r.dirty)-1]
	}
	return Change{}, entry{}, false
}
