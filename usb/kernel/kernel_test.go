package kernel

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"portolan/usb"
)

// bus is a made-up /sys and /dev. Tests ring its bell as a uevent would.
type bus struct {
	t        *testing.T
	sys, dev string
}

func newBus(t *testing.T) *bus {
	b := &bus{t: t, sys: t.TempDir(), dev: t.TempDir()}
	b.mkdir("bus/usb/devices")
	return b
}

func (b *bus) mkdir(name string) {
	b.t.Helper()
	if err := os.MkdirAll(filepath.Join(b.sys, name), 0o755); err != nil {
		b.t.Fatal(err)
	}
}

// plug puts a device on the bus as the kernel shows it: a folder below
// /sys/devices, with a link in /sys/bus/usb/devices. Interfaces are written
// "class/sub/protocol[=net interface]".
func (b *bus) plug(path, id, serial string, interfaces ...string) {
	b.t.Helper()
	vendor, product, _ := strings.Cut(id, ":")
	files := map[string]string{
		"idVendor": vendor, "idProduct": product, "bDeviceClass": "00", "busnum": "1", "devnum": "7",
		"serial": serial, "manufacturer": "Maker", "product": "Phone",
	}
	real := "devices/pci0/usb1/" + path
	for i, f := range interfaces {
		class, net, _ := strings.Cut(f, "=")
		part := strings.Split(class, "/")
		dir := filepath.Join(path+":1."+string(rune('0'+i))) + "/"
		files[dir+"bInterfaceClass"], files[dir+"bInterfaceSubClass"], files[dir+"bInterfaceProtocol"] = part[0], part[1], part[2]
		if net != "" {
			files[dir+"net/"+net+"/address"] = "02:00:00:00:00:01"
			b.mkdir(real + "/" + dir)
			os.Symlink("../../../bus/usb/drivers/cdc_ncm", filepath.Join(b.sys, real, dir, "driver"))
		}
	}
	for name, text := range files {
		b.mkdir(filepath.Dir(real + "/" + name))
		if err := os.WriteFile(filepath.Join(b.sys, real, name), []byte(text+"\n"), 0o444); err != nil {
			b.t.Fatal(err)
		}
	}
	link := filepath.Join(b.sys, "bus/usb/devices", path)
	os.Remove(link)
	if err := os.Symlink("../../../"+real, link); err != nil {
		b.t.Fatal(err)
	}
	node := filepath.Join(b.dev, "bus/usb/001/007")
	os.MkdirAll(filepath.Dir(node), 0o755)
	os.WriteFile(node, nil, 0o600)
}

func (b *bus) unplug(path string) {
	os.Remove(filepath.Join(b.sys, "bus/usb/devices", path))
	os.RemoveAll(filepath.Join(b.sys, "devices/pci0/usb1", path))
}

func (b *bus) source() *Source {
	return New(Options{Sys: b.sys, Dev: b.dev, Log: func(l string) { b.t.Log(l) }})
}

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		name, id, serial string
		interfaces       []string
		mode             usb.Mode
	}{
		{"fastboot", "18d1:d00d", "S1", []string{"ff/42/03"}, usb.ModeFastboot},
		{"fastboot under the gadget's number", "18d1:d001", "S1", []string{"ff/42/03"}, usb.ModeFastboot},
		{"adb beside mtp", "18d1:4ee2", "S1", []string{"06/01/01", "ff/42/01"}, usb.ModeAndroid},
		{"postmarketOS, other number", "0525:a4a2", "postmarketOS", []string{"02/0d/00", "0a/00/01"}, usb.ModeNetwork},
		{"portolan", "18d1:d001", "portolan", []string{"02/0d/00=usb0"}, usb.ModeNetwork},
		{"legacy rndis without strings", "18d1:d001", "", []string{"e0/01/03"}, usb.ModeNetwork},
		{"gadget number without a network", "18d1:d001", "", []string{"08/06/50"}, ""},
		{"samsung", "04e8:685d", "", []string{"02/02/01", "0a/00/00"}, usb.ModeDownload},
		{"edl", "05c6:9008", "", []string{"ff/ff/ff"}, usb.ModeEDL},
		{"preloader", "0e8d:2000", "", []string{"02/02/01"}, usb.ModePreloader},
		{"brom", "0e8d:0003", "", []string{"02/02/00"}, usb.ModeBROM},
		{"a keyboard", "046d:c31c", "", []string{"03/01/01"}, ""},
		{"an ethernet adapter", "0b95:1790", "0001", []string{"02/06/00=eth1"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBus(t)
			b.plug("1-2.3", c.id, c.serial, c.interfaces...)
			list, err := scan(b.sys)
			if err != nil || len(list) != 1 {
				t.Fatalf("scanned %v, %v", list, err)
			}
			d, ok := b.source().device(list[0])
			if ok != (c.mode != "") || d.Mode != c.mode {
				t.Fatalf("mode %q, want %q", d.Mode, c.mode)
			}
			if !ok {
				return
			}
			if d.ID != "usb/1-2.3" || d.Path != "1-2.3" || d.Serial != c.serial || d.Manufacturer != "Maker" || d.Hint == "" || d.Permission != usb.PermissionOK {
				t.Errorf("got %+v", d)
			}
		})
	}
	for _, r := range rules {
		if r.source == "" || r.hint == "" {
			t.Errorf("the rule for %s says not where it is from or what to do", r.mode)
		}
	}
}

func TestScanMistrustsTheBus(t *testing.T) {
	b := newBus(t)
	b.plug("1-1", "18d1:d00d", "a\x1b[31m\x00\xff\nb"+strings.Repeat("x", 5000), "ff/42/03")
	b.plug("1-2", "zzzz:d00d", "broken", "ff/42/03")
	b.mkdir("bus/usb/devices/usb1")
	b.mkdir("bus/usb/devices/1-0:1.0")
	b.mkdir("bus/usb/devices/.. evil")
	os.Symlink("/nonexistent", filepath.Join(b.sys, "bus/usb/devices/1-3"))
	list, err := scan(b.sys)
	if err != nil || len(list) != 1 {
		t.Fatalf("scanned %d devices, %v", len(list), err)
	}
	if s := list[0].Serial; len(s) > maxText || strings.ContainsAny(s, "\x1b\x00\n") || !strings.HasPrefix(s, "a[31m?b") {
		t.Errorf("serial %q", s)
	}
}

func TestPermission(t *testing.T) {
	b := newBus(t)
	b.plug("1-1", "18d1:d00d", "S1", "ff/42/03")
	list, _ := scan(b.sys)
	s := b.source()
	s.access = func(string) error { return fs.ErrPermission }
	d, _ := s.device(list[0])
	if d.Permission != usb.PermissionDenied || !strings.Contains(d.Hint, `ATTR{idVendor}=="18d1"`) || !strings.Contains(d.Hint, "/bus/usb/001/007") {
		t.Errorf("without permission: %+v", d)
	}
	s.access = func(string) error { return fs.ErrNotExist }
	if d, _ := s.device(list[0]); d.Permission != usb.PermissionDenied || !strings.Contains(d.Hint, "container") {
		t.Errorf("without a node: %+v", d)
	}
}

// watch runs a source whose uevents the test rings; the returned function waits
// for the next change.
func watch(t *testing.T, s *Source) (next func() usb.Change) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	changes := make(chan usb.Change)
	ended := make(chan error)
	go func() {
		ended <- s.Run(ctx, func(c usb.Change) {
			select {
			case changes <- c:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	})
	return func() usb.Change {
		t.Helper()
		select {
		case c := <-changes:
			return c
		case err := <-ended:
			t.Fatalf("Run ended with %v", err)
		case <-time.After(30 * time.Second):
			t.Fatal("no change came")
		}
		return usb.Change{}
	}
}

// rung makes the source hear the messages written to the returned pipe instead
// of the kernel's.
func rung(t *testing.T, s *Source) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.listen = func() (*listener, error) { return &listener{file: r, buf: make([]byte, maxUevent)}, nil }
	t.Cleanup(func() { w.Close() })
	return w
}

const uevent = "add@/devices/pci0/usb1/1-1\x00ACTION=add\x00DEVPATH=/devices/pci0/usb1/1-1\x00SUBSYSTEM=usb\x00"

func TestPlugModesAndUnplug(t *testing.T) {
	b := newBus(t)
	b.plug("1-1", "18d1:4ee7", "S1", "ff/42/01")
	s := b.source()
	bell := rung(t, s)
	next := watch(t, s)
	want := func(kind usb.ChangeKind, id string, mode usb.Mode) {
		t.Helper()
		if c := next(); c.Kind != kind || c.Device.ID != id || c.Device.Mode != mode {
			t.Fatalf("got %s of %s in mode %s; want %s of %s in %s", c.Kind, c.Device.ID, c.Device.Mode, kind, id, mode)
		}
	}
	want(usb.Appeared, "usb/1-1", usb.ModeAndroid)

	// Another mode, another product number and serial: the same phone.
	b.unplug("1-1")
	b.plug("1-1", "18d1:d00d", "S1-fastboot", "ff/42/03")
	bell.WriteString(uevent)
	want(usb.Changed, "usb/1-1", usb.ModeFastboot)

	// A second one of the kind, with the same serial.
	b.plug("1-2", "18d1:d00d", "S1-fastboot", "ff/42/03")
	bell.WriteString(uevent)
	want(usb.Appeared, "usb/1-2", usb.ModeFastboot)

	b.unplug("1-1")
	bell.WriteString(uevent)
	want(usb.Gone, "usb/1-1", usb.ModeFastboot)
}

func TestNoBusNoEvents(t *testing.T) {
	var mu sync.Mutex
	var said []string
	s := New(Options{Sys: t.TempDir(), Log: func(l string) { mu.Lock(); said = append(said, l); mu.Unlock() }})
	s.listen = func() (*listener, error) { return nil, errors.New("not permitted") }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx, func(c usb.Change) { t.Errorf("a phone on no bus: %+v", c) }) }()
	for told := false; !told; time.Sleep(time.Millisecond) {
		mu.Lock()
		told = len(said) > 0
		mu.Unlock()
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if len(said) != 1 || !strings.Contains(said[0], "every 2s") {
		t.Errorf("said %q", said)
	}
}

// The real kernel of this machine, with or without a USB bus.
func TestThisComputer(t *testing.T) {
	if l, err := listenUevents(); err != nil {
		t.Logf("no uevents here: %v", err)
	} else {
		l.close()
		if _, _, err := l.next(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("a closed listener: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := New(Options{}).Run(ctx, func(c usb.Change) { t.Logf("%s %v", c.Kind, c.Device) }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run ended with %v", err)
	}
}

func FuzzUevent(f *testing.F) {
	f.Add([]byte(uevent))
	f.Add([]byte("libudev\x00\xfe\xed\xca\xfe\x28\x00\x00\x00\x28\x00\x00\x00\x1c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00ACTION=add\x00DEVPATH=/devices/x"))
	f.Add([]byte("libudev\x00\xfe\xed\xca\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, msg []byte) {
		e, err := parseUevent(msg)
		if err == nil && (e.Action == "" || e.Device == "" || len(e.Device) > len(msg)) {
			t.Errorf("%q was taken as %+v", msg, e)
		}
	})
}

func TestParseUevent(t *testing.T) {
	e, err := parseUevent([]byte(uevent))
	if err != nil || e != (Event{Action: "add", Device: "/devices/pci0/usb1/1-1", Subsystem: "usb"}) || !e.relevant() {
		t.Errorf("got %+v, %v", e, err)
	}
	for _, bad := range []string{"", "add@/x", "libudev\x00short", strings.Repeat("x", maxUevent+1), "add@/x\x00ACTION=add\x00"} {
		if e, err := parseUevent([]byte(bad)); err == nil {
			t.Errorf("%.20q was taken as %+v", bad, e)
		}
	}
}
