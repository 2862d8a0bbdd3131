package qemu

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestArgs(t *testing.T) {
	s := Spec{Dir: "/nowhere", Marker: "mark-1", Cmdline: `console=ttyAMA0 a="b,c"`, Disk: "userdata.img",
		Host: netip.MustParseAddr("172.16.42.2"), Width: 720, Height: 1280, Memory: 1024}
	args := Args(s)
	text := strings.Join(args, "\n")
	for _, want := range []string{"guest=mark-1", "net=172.16.42.0/24,host=172.16.42.2", "restrict=on", "xres=720,yres=1280", "-no-reboot"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %q", want, args)
		}
	}
	if i := slices.Index(args, "-append"); i < 0 || args[i+1] != s.Cmdline {
		t.Errorf("the command line is not passed as it is: %q", args)
	}
	if strings.Contains(text, s.Dir) {
		t.Error("a path is on the command line")
	}
	if slices.Contains(args, "-initrd") {
		t.Error("a ramdisk that is not there")
	}
	if s.Ramdisk = true; !slices.Contains(Args(s), "-initrd") {
		t.Error("the ramdisk is missing")
	}
}

// usernet is what QEMU 7.2 printed while a connection was open.
const usernet = "Hub 0 (cable):\r\n" +
	"  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n" +
	"  TCP[ESTABLISHED]   22       127.0.0.1 45461     172.16.42.1  2323     0     0\r\n" +
	"  TCP[HOST_FORWARD]  21               * 45461     172.16.42.1  2323     0     0\r\n" +
	"  UDP[236 sec]       23     172.16.42.1    68     172.16.42.2    67     0     0\r\n"

func TestParseFlows(t *testing.T) {
	got := parseFlows(usernet)
	phone := netip.MustParseAddrPort("172.16.42.1:2323")
	want := []flow{
		{"ESTABLISHED", netip.MustParseAddrPort("127.0.0.1:45461"), phone},
		{listening, netip.MustParseAddrPort("0.0.0.0:45461"), phone},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

func FuzzParseFlows(f *testing.F) {
	f.Add(usernet)
	f.Fuzz(func(t *testing.T, text string) {
		for _, w := range parseFlows(text) {
			if !w.src.IsValid() || !w.dst.IsValid() {
				t.Errorf("%+v", w)
			}
		}
	})
}
