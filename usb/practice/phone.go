package practice

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"portolan/usb"
	"portolan/usb/practice/bootloader"
	"portolan/usb/practice/qemu"
)

// phone is the device itself. One goroutine (run, in power.go) switches it on
// and off; what it looks like from outside is behind mu.
type phone struct {
	cfg    Config
	loader *bootloader.Bootloader
	orders chan order // to run

	following sync.WaitGroup // goroutines that end with the machine

	mu       sync.Mutex
	mode     usb.Mode
	hint     string
	screen   string
	since    time.Time
	unplug   bool
	boots    int
	port     int
	machine  *qemu.Machine
	crossing map[io.Closer]bool // connections on the cable; true: fastboot
	watchers map[chan struct{}]struct{}
	closed   bool
}

func newPhone(cfg Config) (*phone, error) {
	if err := furnish(cfg); err != nil {
		return nil, err
	}
	p := &phone{
		cfg:      cfg,
		orders:   make(chan order),
		crossing: map[io.Closer]bool{},
		watchers: map[chan struct{}]struct{}{},
	}
	loader, err := bootloader.New(bootloader.Config{
		Vars:        vars(cfg.Serial),
		Partitions:  partitions(cfg.StateDir),
		MaxDownload: MaxDownload,
		Scratch:     cfg.StateDir,
		Unsparse:    cfg.Unsparse,
		CheckBoot: func(r io.ReaderAt, size int64) error {
			_, err := p.parse(io.NewSectionReader(r, 0, size), size)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	p.loader = loader
	p.show(usb.ModeFastboot, hintFastboot, screenFastboot(cfg.Serial))
	return p, nil
}

const (
	hintFastboot = "in its bootloader; it can be flashed"
	hintBooting  = "a kernel was started; its serial log tells how far it is"
	hintNetwork  = "its USB network answers at 172.16.42.1"
	hintOff      = "switched off; hold the buttons (portolan practice start) for its bootloader"
)

func screenFastboot(serial string) string {
	return "DINGHY BOOTLOADER\nFASTBOOT MODE\nserial " + serial + "\ndevice is UNLOCKED"
}

// show changes what the phone is doing.
func (p *phone) show(mode usb.Mode, hint, screen string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode != mode || p.hint != hint {
		p.cfg.Log(fmt.Sprintf("%s: %s", mode, hint))
	}
	if p.mode != mode {
		p.since = time.Now().UTC().Round(0)
	}
	p.mode, p.hint, p.screen = mode, hint, screen
	p.changed()
}

// changed wakes the watchers; mu is held.
func (p *phone) changed() {
	for c := range p.watchers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// watch gives a channel that is filled after changes, until stop.
func (p *phone) watch() (kick <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watchers[c] = struct{}{}
	return c, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.watchers, c)
	}
}

// Identifiers a phone of this kind has on a cable: Google's vendor with the
// product of Android bootloaders, and of postmarketOS' network gadget.
const (
	vendorGoogle    = 0x18d1
	productFastboot = 0x4ee0
	productNetwork  = 0xd001
)

func (p *phone) status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	product := uint16(productFastboot)
	if p.mode == usb.ModeNetwork || p.mode == usb.ModeBooting {
		product = productNetwork
	}
	st := Status{
		Device: usb.Device{
			ID: "practice/" + p.cfg.Serial, Source: "practice", Path: fmt.Sprintf("tcp:127.0.0.1:%d", p.port),
			VendorID: vendorGoogle, ProductID: product,
			Serial: p.cfg.Serial, Manufacturer: Manufacturer, Product: Product,
			Mode: p.mode, Permission: usb.PermissionOK, Practice: true,
			Hint: p.hint, Since: p.since,
		},
		Plugged:   !p.unplug,
		Screen:    p.screen,
		Fastboot:  fmt.Sprintf("tcp:127.0.0.1:%d", p.port),
		Port:      p.port,
		Mount:     p.cfg.Mount,
		StateDir:  p.cfg.StateDir,
		SerialLog: filepath.Join(p.cfg.StateDir, qemu.SerialFile),
		PID:       os.Getpid(),
		Boots:     p.boots,
	}
	if p.machine != nil {
		st.QEMU = p.machine.PID()
	}
	return st
}

// inBootloader says whether fastboot is there.
func (p *phone) inBootloader() bool {
	return p.mode == usb.ModeFastboot || p.mode == usb.ModeBootFailed
}

// cross notes a connection that goes over the cable. It is refused while the
// cable is out, and for fastboot while no bootloader runs.
func (p *phone) cross(c io.Closer, fastboot bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unplug || p.closed || fastboot && !p.inBootloader() {
		return false
	}
	p.crossing[c] = fastboot
	return true
}

func (p *phone) crossed(c io.Closer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.crossing, c)
}

// cut closes connections on the cable: the fastboot ones, the others, or both.
func (p *phone) cut(fastboot, network bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c, isFastboot := range p.crossing {
		if isFastboot && fastboot || !isFastboot && network {
			c.Close()
		}
	}
}

// plug puts the cable in or pulls it out. Whatever crosses it breaks.
func (p *phone) plug(ctx context.Context, in bool) error {
	p.mu.Lock()
	same := p.unplug == !in
	p.unplug = !in
	m := p.machine
	if !same {
		p.cfg.Log(map[bool]string{true: "plugged in", false: "unplugged"}[in])
		p.changed()
	}
	p.mu.Unlock()
	if same {
		return nil
	}
	if !in {
		p.cut(true, true)
	}
	if m == nil {
		return nil
	}
	if err := m.SetLink(ctx, in); err != nil {
		select {
		case <-m.Done(): // it switched itself off meanwhile: no link to set
			return nil
		default:
			return fmt.Errorf("setting the phone's network link: %w", err)
		}
	}
	return nil
}

// running gives the machine for uses that need a system on a plugged cable.
func (p *phone) running(cable bool) (*qemu.Machine, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cable && p.unplug {
		return nil, usb.ErrGone
	}
	if p.machine == nil {
		text := strings.ReplaceAll(p.screen, "\n", " / ")
		if text == "" {
			text = "nothing"
		}
		return nil, fmt.Errorf("%w: no system runs on it, it is in mode %s and its screen shows: %s", usb.ErrWrongMode, p.mode, text)
	}
	return p.machine, nil
}
