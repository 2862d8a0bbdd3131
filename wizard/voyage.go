package wizard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"portolan/usb"
)

// Answerer answers what a step asks, for faces without a form.
type Answerer interface {
	// Answer returns a value for each of the ask's questions, or a secret for
	// an ask that wants one. The ask's Error says why the last answer was not taken.
	Answer(ctx context.Context, ask Ask) (values map[string]string, secret *Secret, err error)
}

// Config plugs a Voyage together. Dir, Watcher and Rooms are needed; the rest
// has defaults.
type Config struct {
	Dir    string // the port's folder
	Logs   string // folder for the logs of the runs; empty: none are kept
	Phones string // folder of the locks of phones, shared by all ports; empty: none are locked
	Keys   string // folder of the person's SSH key, made if need be; empty: out/keys of the port

	Watcher *usb.Watcher // run by the caller
	Rooms   Rooms

	// Emitter takes the events. Nil: read them from Voyage.Events.
	Emitter Emitter
	// Interactive: a form answers asks through the Answer intent, and a console
	// pane types into sessions. Otherwise Answerer is asked, and where that is
	// nil too, suggestions are taken and what has none is a *UsageError.
	Interactive bool
	Answerer    Answerer

	BootImage string // file with the boot image that the phone came with, taken into stock/

	Answers  *Answers          // from a file, taken before anybody is asked
	Override map[string]string // question id → value that this run insists on (--kernel source)
	Device   string            // id or serial of the phone to take
	Confirm  string            // the codename, when typed on the command line
	Practice bool              // take only the practice phone, plugged in if need be

	PluginPractice   func(context.Context) error
	UnplugPractice   func(context.Context) error
	Now              func() time.Time
	DetectTimeout    time.Duration // 0: wait for a phone until the context ends
	AttachTimeout    time.Duration // 0: 10 minutes
	steps            []Step        // tests put their own in
	afterJournalHook func()        // tests stop here, as a crash does
}

// ErrRunning says that steps are already running.
var ErrRunning = errors.New("the voyage is already under way; wait for it or cancel it")

// Voyage takes one port through its steps. Its methods are safe for use from
// many goroutines.
type Voyage struct {
	cfg   Config
	port  *Port
	queue *queue
	steps []Step

	life   context.Context // ends with Close
	end    context.CancelFunc
	owned  sync.WaitGroup // goroutines of intents
	closed sync.Once

	mu         sync.Mutex
	lock       *portLock
	journal    *Journal
	log        *runLog
	running    context.CancelFunc   // nil while nothing runs
	forced     bool                 // the step at hand was asked for by name
	device     usb.Device           // the phone that this voyage is about
	held       map[string]*portLock // the phones of the run at hand
	selected   string               // id a person chose
	askSeq     int
	asks       map[string]chan Answer
	choice     chan struct{} // closed and replaced when a phone is selected
	passphrase *Secret
	report     Report
	size       [2]int // of the console pane: columns, rows
	sessions   map[string]*console
	remote     Remote // the SSH connection of attach, kept for touch and the console
}

// New opens the port in cfg.Dir. Close ends it.
func New(cfg Config) (*Voyage, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.AttachTimeout == 0 {
		cfg.AttachTimeout = 10 * time.Minute
	}
	if cfg.Answers != nil && cfg.Device == "" {
		cfg.Device = cfg.Answers.Device
	}
	for id, text := range cfg.Override {
		q, ok := QuestionByID(id)
		if !ok {
			return nil, unknownKey("", 0, id)
		}
		if err := q.Check(text); err != nil {
			return nil, &UsageError{Key: id, Err: err}
		}
	}
	port, err := OpenPort(cfg.Dir)
	if err != nil {
		return nil, err
	}
	v := &Voyage{cfg: cfg, port: port, asks: map[string]chan Answer{}, choice: make(chan struct{}), sessions: map[string]*console{}}
	v.life, v.end = context.WithCancel(context.Background())
	if cfg.Emitter == nil {
		v.queue = newQueue()
	}
	v.steps = cfg.steps
	if v.steps == nil {
		v.steps = newSteps(v)
	}
	if cfg.Watcher != nil {
		v.owned.Go(v.passDevices)
	}
	return v, nil
}

// newSteps lists the voyage in order.
func newSteps(v *Voyage) []Step {
	return []Step{
		&detectStep{v}, &describeStep{v}, &generateStep{v}, &buildStep{v},
		&imageStep{v: v}, &flashStep{v: v}, &attachStep{v}, &touchStep{v: v},
	}
}

// Events delivers what happens, when no Emitter was configured. It is closed by Close.
func (v *Voyage) Events() <-chan Event {
	if v.queue == nil {
		return nil
	}
	return v.queue.out
}

// Port returns a copy of what is known.
func (v *Voyage) Port() Snapshot { return v.port.Snapshot() }

// emit passes an event on. It waits for slow readers only while ctx lives.
func (v *Voyage) emit(ctx context.Context, e Event) {
	if l, ok := e.(LogLine); ok {
		v.mu.Lock()
		log := v.log
		v.mu.Unlock()
		log.write(l)
	}
	if v.cfg.Emitter != nil {
		v.cfg.Emitter.Emit(e)
		return
	}
	v.queue.put(ctx, e)
}

// passDevices tells the readers what the watcher sees.
func (v *Voyage) passDevices() {
	for c := range v.cfg.Watcher.Subscribe(v.life) {
		v.emit(v.life, DeviceChanged{Change: c})
	}
}

// Send takes an intent. It never waits for work; what comes of it is an event.
func (v *Voyage) Send(in Intent) error {
	switch in := in.(type) {
	case RunSteps:
		v.background(func(ctx context.Context) error { return v.Run(ctx, in) })
	case Cancel:
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.running != nil {
			v.running()
		}
	case Answer:
		return v.answer(in)
	case SetValue:
		return v.setValue(in)
	case SelectDevice:
		v.selectDevice(in.ID)
	case PluginPractice:
		return v.practice(v.cfg.PluginPractice, "plug in the practice phone")
	case UnplugPractice:
		return v.practice(v.cfg.UnplugPractice, "unplug the practice phone")
	case SessionInput:
		return v.sessionInput(in)
	case SessionResize:
		return v.sessionResize(in)
	default:
		return fmt.Errorf("the voyage does not know the intent %T", in)
	}
	return nil
}

// background runs work that belongs to the voyage and ends with it.
func (v *Voyage) background(work func(context.Context) error) {
	v.owned.Go(func() {
		err := work(v.life)
		var failed *stepError
		if err != nil && v.life.Err() == nil && !errors.As(err, &failed) {
			v.emit(v.life, LogLine{At: v.cfg.Now(), Kind: LineError, Text: err.Error()})
		}
	})
}

func (v *Voyage) practice(do func(context.Context) error, what string) error {
	if do == nil {
		return fmt.Errorf("%s: this voyage has none", what)
	}
	v.background(func(ctx context.Context) error {
		if err := do(ctx); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	})
	return nil
}

func (v *Voyage) setValue(in SetValue) error {
	q, ok := QuestionByID(in.ID)
	if !ok {
		return unknownKey("", 0, in.ID)
	}
	if err := q.Check(in.Text); err != nil {
		return &UsageError{Key: in.ID, Err: err}
	}
	if err := v.acquire(); err != nil {
		return err
	}
	if err := v.port.Update(map[string]Value{in.ID: {Text: in.Text, Source: SourceAsked}}); err != nil {
		return err
	}
	v.emit(v.life, PortChanged{Port: v.port.Snapshot()})
	return nil
}

// acquire takes the port's lock and opens its journal, once. They are held
// until Close, so that looking at a folder leaves nothing in it.
func (v *Voyage) acquire() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.lock != nil {
		return nil
	}
	lock, err := lockPort(v.port.Dir)
	if err != nil {
		return err
	}
	journal, err := OpenJournal(journalPath(v.port.Dir))
	if err != nil {
		return errors.Join(err, lock.unlock())
	}
	v.lock, v.journal = lock, journal
	return nil
}

// Close cancels what runs, waits for it, wipes the secrets and lets go of the port.
func (v *Voyage) Close() error {
	var err error
	v.closed.Do(func() {
		v.end()
		v.owned.Wait()
		v.closeSessions("Portolan ends")
		v.mu.Lock()
		defer v.mu.Unlock()
		v.passphrase.Wipe()
		v.releasePhones()
		if v.journal != nil {
			err = errors.Join(v.journal.Close(), v.lock.unlock())
		}
		if v.queue != nil {
			v.queue.close()
		}
	})
	return err
}
