package session

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
)

// What Linux prints for QEMU's virtio-tablet and keyboard, and for a phone's
// touchscreen with several fingers.
const inputList = `I: Bus=0006 Vendor=0627 Product=0001 Version=0001
N: Name="QEMU Virtio Keyboard"
P: Phys=virtio0/input0
S: Sysfs=/devices/platform/virtio0/input/input0
U: Uniq=
H: Handlers=sysrq kbd event0 leds 
B: PROP=0
B: EV=120013
B: KEY=402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe
B: MSC=10
B: LED=7

I: Bus=0006 Vendor=0627 Product=0003 Version=0002
N: Name="QEMU Virtio Tablet"
P: Phys=virtio1/input0
H: Handlers=mouse0 event1 
B: PROP=0
B: EV=f
B: KEY=1f0000 0 0 0 0
B: REL=100
B: ABS=3

I: Bus=0018 Vendor=0000 Product=0000 Version=0000
N: Name="Elan Touchscreen"
H: Handlers=event2
B: PROP=2
B: EV=b
B: KEY=400 0 0 0 0 0
B: ABS=2658000 3
`

func devices(t *testing.T) (keyboard, tablet, panel InputDevice) {
	t.Helper()
	list, err := ParseInputDevices([]byte(strings.Replace(inputList, "ABS=2658000 3", "ABS=260800000000003", 1)), 64)
	if err != nil || len(list) != 3 {
		t.Fatalf("%d devices, %v", len(list), err)
	}
	return list[0], list[1], list[2]
}

func TestParseInputDevices(t *testing.T) {
	keyboard, tablet, panel := devices(t)
	if tablet.Name != "QEMU Virtio Tablet" || tablet.Event != "event1" || tablet.Vendor != 0x0627 || tablet.Product != 3 || tablet.Bus != 6 {
		t.Errorf("tablet: %+v", tablet)
	}
	if keyboard.Touch() || !tablet.Touch() || !panel.Touch() {
		t.Errorf("can be tapped: keyboard %v, tablet %v, panel %v", keyboard.Touch(), tablet.Touch(), panel.Touch())
	}
	if tablet.Multitouch() || !panel.Multitouch() || tablet.Direct() || !panel.Direct() {
		t.Error("the tablet is no panel, the panel is one for several fingers")
	}
	// The same on a phone with 32 bits.
	list, err := ParseInputDevices([]byte("N: Name=\"p\"\nH: Handlers=event0\nB: ABS=2608000 3\n"), 32)
	if err != nil || len(list) != 1 || !list[0].Multitouch() {
		t.Errorf("32 bits: %+v, %v", list, err)
	}
	for _, bad := range []string{"B: ABS=xyz\n", "B: KEY=" + strings.Repeat("1 ", 1000), strings.Repeat("x", maxInputList+1), strings.Repeat("N: Name=\"x\"\n\n", maxInputDevices+1)} {
		if list, err := ParseInputDevices([]byte(bad), 64); err == nil {
			t.Errorf("%.20q was taken as %d devices", bad, len(list))
		}
	}
}

// record is a struct input_event of a phone with 64 bits.
func record(kind, code uint16, value int32) []byte {
	b := make([]byte, 24)
	binary.LittleEndian.PutUint64(b, 1234)
	binary.LittleEndian.PutUint16(b[16:], kind)
	binary.LittleEndian.PutUint16(b[18:], code)
	binary.LittleEndian.PutUint32(b[20:], uint32(value))
	return b
}

type ev struct {
	kind, code uint16
	value      int32
}

func stream(events ...ev) (b []byte) {
	for _, e := range events {
		b = append(b, record(e.kind, e.code, e.value)...)
	}
	return b
}

func TestTaps(t *testing.T) {
	_, tablet, panel := devices(t)
	sync := ev{evSyn, synReport, 0}
	axes := Axes{X: Axis{Value: 50, Min: 0, Max: 100}, Y: Axis{Value: 20, Min: -100, Max: 100}}
	type xy struct{ x, y float64 }
	for _, c := range []struct {
		name   string
		device InputDevice
		events []ev
		want   []xy
	}{
		{"a tap on the tablet", tablet, []ev{{evAbs, absX, 25}, {evAbs, absY, 0}, sync, {evKey, btnLeft, 1}, sync, {evKey, btnLeft, 0}, sync}, []xy{{0.25, 0.5}}},
		{"moving and the other button are none", tablet, []ev{{evAbs, absX, 25}, sync, {evKey, 0x111, 1}, sync}, nil},
		{"where it was before", tablet, []ev{{evKey, btnLeft, 1}, {evAbs, absX, 100}, sync}, []xy{{1, 0.6}}},
		{"down and up in one report", tablet, []ev{{evKey, btnLeft, 1}, {evKey, btnLeft, 0}, sync}, []xy{{0.5, 0.6}}},
		{"key repeat", tablet, []ev{{evKey, btnTouch, 1}, sync, {evKey, btnTouch, 2}, sync}, []xy{{0.5, 0.6}}},
		{"beyond the range", tablet, []ev{{evAbs, absX, 999}, {evAbs, absY, -999}, {evKey, btnLeft, 1}, sync}, []xy{{1, 0}}},
		{"a finger on the panel", panel, []ev{{evAbs, absTrackingID, 7}, {evAbs, absMTX, 10}, {evAbs, absMTY, 100}, {evKey, btnTouch, 1}, {evAbs, absX, 10}, sync, {evAbs, absMTX, 11}, sync, {evAbs, absTrackingID, -1}, {evKey, btnTouch, 0}, sync}, []xy{{0.1, 1}}},
		{"the second finger is none", panel, []ev{{evAbs, absTrackingID, 7}, {evAbs, absMTX, 10}, {evAbs, absMTY, 0}, sync, {evAbs, absSlot, 1}, {evAbs, absTrackingID, 8}, {evAbs, absMTX, 90}, {evAbs, absMTY, 90}, sync}, []xy{{0.1, 0.5}}},
		{"a tap in another slot", panel, []ev{{evAbs, absSlot, 3}, {evAbs, absTrackingID, 8}, {evAbs, absMTX, 90}, {evAbs, absMTY, 0}, sync}, []xy{{0.9, 0.5}}},
		{"slots beyond the bound", panel, []ev{{evAbs, absSlot, 1 << 30}, {evAbs, absTrackingID, 8}, {evAbs, absMTX, 90}, sync, {evAbs, absSlot, -1}, {evAbs, absTrackingID, 8}, sync}, nil},
		{"what the kernel dropped", tablet, []ev{{evKey, btnLeft, 1}, {evSyn, synDropped, 0}, {evAbs, absX, 0}, sync, {evKey, btnLeft, 1}, sync}, []xy{{0.5, 0.6}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := stream(c.events...)
			whole, bytewise := NewTapParser(c.device, axes), NewTapParser(c.device, axes)
			taps := whole.Feed(b)
			var taps1 []Tap
			for i := range b {
				taps1 = append(taps1, bytewise.Feed(b[i:i+1])...)
			}
			var got []xy
			for _, tap := range taps {
				got = append(got, xy{tap.X, tap.Y})
			}
			if !slices.Equal(got, c.want) || !slices.Equal(taps, taps1) {
				t.Errorf("taps %v, byte by byte %v, want %v", taps, taps1, c.want)
			}
		})
	}
}

func TestParseAxes(t *testing.T) {
	a, err := parseAxes([]byte("0 5 0 32767 0 0 0\n1 6 0 32767 0 0 0\n"), false)
	if err != nil || a != (Axes{X: Axis{5, 0, 32767}, Y: Axis{6, 0, 32767}}) {
		t.Errorf("got %+v, %v", a, err)
	}
	a, err = parseAxes([]byte("0 0 0 1 0 0 0\n1 0 0 1 0 0 0\n53 0 0 719 0 0 0\n54 0 -5 1279 0 0 0\n"), true)
	if err != nil || a.X.Max != 719 || a.Y.Min != -5 {
		t.Errorf("several fingers: %+v, %v", a, err)
	}
	for _, bad := range []string{"", "0 0 0 10 0 0 0\n", "0 0 5 5 0 0 0\n1 0 0 1 0 0 0\n", "99 0 0 1 0 0 0\n", "-1 0 0 1 0 0 0\n", "0 0 0 99999999999 0 0 0\n1 0 0 1 0 0 0\n"} {
		if a, err := parseAxes([]byte(bad), false); err == nil {
			t.Errorf("%q was taken as %+v", bad, a)
		}
	}
}

func TestInputDevicesOverSSH(t *testing.T) {
	noLeaks(t)
	s := login(t)
	ctx := testContext(t)
	// The list of this computer, whatever it has; in a container it may be missing.
	list, err := s.InputDevices(ctx)
	var exit *ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Errorf("list: %v", err)
	}
	t.Logf("%d input devices here, %v", len(list), err)
	var unknown *AxesError
	if _, err := s.Axes(ctx, InputDevice{Name: "none", Event: "event99999"}); !errors.As(err, &unknown) || !strings.Contains(err.Error(), "event99999") {
		t.Errorf("axes of a device that is not there: %v", err)
	}
	if _, err := s.Axes(ctx, InputDevice{Name: "evil", Event: "event0; reboot"}); !errors.As(err, &unknown) {
		t.Errorf("an event name with a command in it: %v", err)
	}
	if taps, err := s.Taps(ctx, InputDevice{Name: "none", Event: "event99999"}, DefaultAxes); err == nil {
		taps.Close()
		t.Error("taps on a device that is not there")
	} else if !errors.As(err, &exit) {
		t.Errorf("taps on a device that is not there: %v", err)
	}
}

func FuzzTaps(f *testing.F) {
	f.Add(stream(ev{evAbs, absX, 5}, ev{evKey, btnLeft, 1}, ev{evSyn, synReport, 0}), false)
	f.Add(stream(ev{evAbs, absSlot, 9}, ev{evAbs, absTrackingID, 1}, ev{evAbs, absMTX, 5}, ev{evAbs, absMTY, 5}, ev{evSyn, synReport, 0}), true)
	f.Fuzz(func(t *testing.T, b []byte, multi bool) {
		var d InputDevice
		if multi {
			d.bits = map[string][]uint64{"ABS": {1<<absMTX | 1<<absMTY | 1<<absTrackingID}}
		}
		p := NewTapParser(d, DefaultAxes)
		for _, tap := range p.Feed(b) {
			if !(tap.X >= 0 && tap.X <= 1 && tap.Y >= 0 && tap.Y <= 1) {
				t.Errorf("a tap outside of the panel: %+v", tap)
			}
		}
		if len(p.part) >= p.size {
			t.Errorf("%d bytes are kept", len(p.part))
		}
	})
}

func FuzzInputDevices(f *testing.F) {
	f.Add([]byte(inputList), true)
	f.Add([]byte("B: =\nB: ABS=ffffffffffffffff\nI: Bus=99999\nH: Handlers=event1 event2"), false)
	f.Fuzz(func(t *testing.T, b []byte, wide bool) {
		long := 32
		if wide {
			long = 64
		}
		list, err := ParseInputDevices(b, long)
		if err != nil {
			return
		}
		for _, d := range list {
			_ = d.Touch()
			if d.Event != "" && !reEvent.MatchString(d.Event) {
				t.Errorf("event node %q", d.Event)
			}
		}
	})
}
