package fastboot

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"portolan/flashers"
	"portolan/usb"
)

const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func vars() map[string]string {
	return map[string]string{
		"product": "dinghy", "unlocked": "yes", "max-download-size": "0x4000000", "battery-soc-ok": "yes", "battery-voltage": "4012",
		"partition-size:boot": "0x4000000", "partition-size:userdata": "0x80000000", "partition-size:bootloader": "0x400000",
	}
}

func images() []flashers.Image {
	return []flashers.Image{
		{Partition: "boot", Path: "out/boot.img", Size: 13 << 20, SHA256: sum},
		{Partition: "userdata", Path: "out/my root.img", Size: 2 << 30, SHA256: sum},
	}
}

func make1(t *testing.T, port flashers.Port, images []flashers.Image, d usb.Device, vars map[string]string) flashers.Plan {
	t.Helper()
	p, err := Flasher{}.Plan(port, images, d, flashers.Facts{Vars: vars})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func failed(p flashers.Plan) []string {
	var names []string
	for _, c := range p.Checks {
		if !c.OK {
			names = append(names, c.Name)
		}
	}
	return names
}

// TestRules: each rule alone refuses, and names itself.
func TestRules(t *testing.T) {
	type world struct {
		port   flashers.Port
		images []flashers.Image
		device usb.Device
		vars   map[string]string
	}
	for name, tc := range map[string]struct {
		change func(*world)
		want   []string
	}{
		"all is well":         {func(w *world) {}, nil},
		"implicit hex":        {func(w *world) { w.vars["partition-size:boot"] = "4000000" }, nil},
		"product in capitals": {func(w *world) { w.vars["product"] = "DINGHY" }, nil},
		"codename is enough":  {func(w *world) { w.port.Products = nil }, nil},
		"lock unknown":        {func(w *world) { delete(w.vars, "unlocked") }, nil},
		"battery unknown":     {func(w *world) { delete(w.vars, "battery-soc-ok"); delete(w.vars, "battery-voltage") }, nil},
		"other mode":          {func(w *world) { w.device.Mode = usb.ModeNetwork }, []string{"mode"}},
		"no permission":       {func(w *world) { w.device.Permission = usb.PermissionDenied }, []string{"permission"}},
		"other phone":         {func(w *world) { w.vars["product"] = "galleon" }, []string{"phone"}},
		"unknown phone":       {func(w *world) { delete(w.vars, "product") }, []string{"phone"}},
		"real phone":          {func(w *world) { w.device.Practice = false }, []string{"phone"}},
		"locked":              {func(w *world) { w.vars["unlocked"] = "no" }, []string{"bootloader lock"}},
		"battery says no":     {func(w *world) { w.vars["battery-soc-ok"] = "no" }, []string{"battery"}},
		"battery low":         {func(w *world) { w.vars["battery-voltage"] = "3312mV" }, []string{"battery"}},
		"no download size":    {func(w *world) { delete(w.vars, "max-download-size") }, []string{"download size"}},
		"too large":           {func(w *world) { w.images[0].Size = 64<<20 + 1 }, []string{"boot: fits"}},
		"no such partition":   {func(w *world) { w.images[0].Partition = "system" }, []string{"system: fits"}},
		"bootloader":          {func(w *world) { w.images[0].Partition = "bootloader"; w.images[0].Size = 1 }, []string{"bootloader: allowed"}},
		"never of the port":   {func(w *world) { w.port.Never = []string{"boot"} }, []string{"boot: allowed"}},
		"disk of the host":    {func(w *world) { w.images[0].Partition = "/dev/sda" }, []string{"/dev/sda: allowed", "/dev/sda: fits"}},
		"no hash":             {func(w *world) { w.images[1].SHA256 = "" }, []string{"userdata: file"}},
		"twice":               {func(w *world) { w.images[1] = w.images[0] }, []string{"boot: once"}},
		"boots too much":      {func(w *world) { w.images = w.images[1:]; w.images[0].Partition = "" }, []string{"boot image: fits"}},
	} {
		w := world{port, images(), dinghy, vars()}
		tc.change(&w)
		p := make1(t, w.port, w.images, w.device, w.vars)
		if d := cmp.Diff(tc.want, failed(p)); d != "" {
			t.Errorf("%s: failed checks (-want +got):\n%s", name, d)
		}
		if (p.Refusal() != nil) != (tc.want != nil) {
			t.Errorf("%s: refusal %v", name, p.Refusal())
		}
		if d := cmp.Diff(p, make1(t, w.port, w.images, w.device, maps.Clone(w.vars))); d != "" {
			t.Errorf("%s: planned twice, the plans differ:\n%s", name, d)
		}
	}
}

func TestProtectedPartitions(t *testing.T) {
	for _, name := range []string{"bootloader", "aboot", "abl", "abl_a", "XBL_b", "sbl1", "sbl1bak", "tz", "tz_backup", "modemst1", "modemst2", "fsg", "persist", "preloader", "lk", "nvram", "sboot", "partition", "efs", "PIT", "frp", "modem"} {
		if whyProtected(name) == "" {
			t.Errorf("%s may be written", name)
		}
	}
	for _, name := range []string{"boot", "boot_a", "recovery", "system", "userdata", "dtbo", "vbmeta", "vendor_boot", "cache", "super", "SYSTEM", "KERNEL"} {
		if why := whyProtected(name); why != "" {
			t.Errorf("%s may not be written: %s", name, why)
		}
	}
}

func TestSlots(t *testing.T) {
	v := vars()
	v["has-slot:boot"], v["current-slot"], v["partition-size:boot_b"] = "yes", "_b", "0x4000000"
	delete(v, "partition-size:boot")
	p := make1(t, port, images()[:1], dinghy, v)
	if p.Refusal() != nil || p.Actions[0].Image.Partition != "boot_b" || !strings.Contains(p.Actions[0].Command, " flash boot_b ") {
		t.Errorf("%v: %+v", p.Refusal(), p.Actions[0])
	}
	if !slices.ContainsFunc(p.Checks, func(c flashers.Check) bool { return c.Name == "slot" && strings.Contains(c.Detail, "slot b") }) {
		t.Errorf("the slot is not shown: %+v", p.Checks)
	}
}

func TestActions(t *testing.T) {
	p := make1(t, port, images(), dinghy, vars())
	var got []string
	for _, a := range p.Actions {
		got = append(got, a.Command)
		if a.Destructive != (a.Verb == "flash") {
			t.Errorf("%s: destructive %t", a.Verb, a.Destructive)
		}
	}
	want := []string{
		"fastboot -s PRACTICE0001 flash boot out/boot.img",
		"fastboot -s PRACTICE0001 flash userdata 'out/my root.img'",
		"fastboot -s PRACTICE0001 reboot",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	p, err := Flasher{StayInBootloader: true}.Plan(port, images(), dinghy, flashers.Facts{Vars: vars()})
	if err != nil || len(p.Actions) != 2 {
		t.Errorf("staying in the bootloader: %+v, %v", p.Actions, err)
	}
	if _, err := (Flasher{}).Plan(port, nil, dinghy, flashers.Facts{}); err == nil {
		t.Error("a plan without an image")
	}
}

// TestPrintedPlan compares with what a person saw and found right.
func TestPrintedPlan(t *testing.T) {
	imgs := images()
	imgs[1].Path = "/home/porter/ports/portolan-dinghy/out/a long folder/another/dinghy-root-encrypted.img"
	p := make1(t, port, append(imgs, flashers.Image{Partition: "bootloader", Path: "x", Size: 1, SHA256: sum}), dinghy, vars())
	got := p.String()
	for i, line := range strings.Split(got, "\n") {
		if utf8.RuneCountInString(line) > 80 && !strings.Contains(line, "/home/porter") {
			t.Errorf("line %d has more than 80 columns: %s", i+1, line)
		}
	}
	golden := filepath.Join("testdata", "plan.txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("UPDATE_GOLDEN=1 accepts this change (-want +got):\n%s", d)
	}
}
