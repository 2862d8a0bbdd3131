package flashers

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"portolan/usb"
)

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 13 << 20: "13 MiB", 12<<20 + 400<<10: "12.4 MiB", 1<<20 - 1: "1 MiB", 2 << 30: "2 GiB", 3 << 40: "3 TiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestShellLines(t *testing.T) {
	long := strings.Repeat("x", 60)
	for command, want := range map[string]string{
		"fastboot reboot":                          "fastboot reboot",
		"fastboot flash boot '" + long + "'":       "fastboot flash boot \\\n       '" + long + "'",
		"fastboot flash boot 'a b  c" + long + "'": "fastboot flash boot \\\n       'a b  c" + long + "'",
	} {
		if d := cmp.Diff(want, shellLines(command)); d != "" {
			t.Errorf("%s:\n%s", command, d)
		}
	}
}

// TestPlanNeverBreaksTheFrame: whatever strings a phone brings.
func TestPlanNeverBreaksTheFrame(t *testing.T) {
	long := strings.Repeat("word ", 40)
	p := Plan{
		Method: "fastboot", Device: usb.Device{Manufacturer: long, Product: long, Serial: "S", Practice: true}, Port: Port{Codename: "dinghy"},
		Checks:  []Check{{Name: "phone", Detail: long}, {Name: "a check with a long name of its own", Detail: long, OK: true}},
		Actions: []Action{{Verb: "flash", Destructive: true, Image: Image{Partition: strings.Repeat("p", 40), Path: strings.Repeat("ö", 300), Size: 1 << 40, SHA256: strings.Repeat("0", 64)}, Room: 1 << 40}, {Verb: "reboot"}},
	}
	for i, line := range strings.Split(p.String(), "\n") {
		if n := utf8.RuneCountInString(line); n > planWidth {
			t.Errorf("line %d has %d columns: %s", i+1, n, line)
		}
	}
	for _, want := range []string{"(practice)", "dinghy", "NO phone", "ok a check", "Refused"} {
		if !strings.Contains(p.String(), want) {
			t.Errorf("%q is missing:\n%s", want, p)
		}
	}
	if p.Checks[0].OK = true; strings.Contains(p.String(), "Refused") {
		t.Error("a plan without a failed check says that it is refused")
	}
}
