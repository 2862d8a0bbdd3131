package tuitest

import (
	"errors"
	"fmt"
	"time"

	"portolan/usb"
	"portolan/wizard"
)

// Scene is a part of the voyage: events to play and what follows them.
type Scene struct {
	Name   string
	Events []wizard.Event
	// Needs is the intent that the script waits for before it goes on; nil: it
	// does not wait.
	Needs func(wizard.Intent) bool
}

func answered(in wizard.Intent) bool { _, ok := in.(wizard.Answer); return ok }

func started(in wizard.Intent) bool { _, ok := in.(wizard.RunSteps); return ok }

func typed(in wizard.Intent) bool {
	i, ok := in.(wizard.SessionInput)
	return ok && len(i.Bytes) > 0 && i.Bytes[len(i.Bytes)-1] == '\r'
}

// Values are the answers of the scripted port.
func Values() map[string]wizard.Value {
	out := map[string]wizard.Value{"vendor": {Text: "portolan", Source: wizard.SourceFastboot}}
	for _, q := range Questions() {
		out[q.ID] = q.Suggestion
	}
	return out
}

// Voyage is the whole way, scene by scene.
func Voyage() []Scene {
	at := func(s int) time.Time { return Start.Add(time.Duration(s) * time.Second) }
	start := func(id wizard.StepID, s int) wizard.Event { return wizard.StepStarted{Step: id, At: at(s)} }
	done := func(id wizard.StepID, took int, summary string) wizard.Event {
		return wizard.StepFinished{Step: id, Took: time.Duration(took) * time.Second, Summary: summary}
	}
	phone := func(m usb.Mode, hint string) wizard.Event {
		d := Phone()
		d.Mode, d.Hint, d.Since = m, hint, at(300)
		return wizard.DeviceChanged{Change: usb.Change{Kind: usb.Changed, Device: d}}
	}
	return []Scene{
		{Name: "empty"},
		{Name: "plugged", Events: []wizard.Event{
			wizard.DeviceChanged{Change: usb.Change{Kind: usb.Appeared, Device: Phone()}},
			wizard.DeviceChanged{Change: usb.Change{Kind: usb.Appeared, Device: Locked()}},
			wizard.DeviceChanged{Change: usb.Change{Kind: usb.Gone, Device: Locked()}},
		}, Needs: started},
		{Name: "describe", Events: []wizard.Event{
			start(wizard.StepDetect, 0), done(wizard.StepDetect, 1, "Portolan Dinghy (practice), serial PRACTICE0001"),
			start(wizard.StepDescribe, 1),
			wizard.Ask{ID: "describe-1", Step: wizard.StepDescribe, Title: "About the phone", Questions: Questions()},
		}, Needs: answered},
		{Name: "build", Events: append([]wizard.Event{
			wizard.PortChanged{Port: wizard.Snapshot{Dir: "~/ports/dinghy", Values: Values()}},
			done(wizard.StepDescribe, 24, "9 answers"),
			start(wizard.StepGenerate, 25), done(wizard.StepGenerate, 0, "11 files in two trees"),
			start(wizard.StepBuild, 25)}, buildLog(220)...)},
		{Name: "passphrase", Events: []wizard.Event{
			done(wizard.StepBuild, 191, "2 packages, 27.0 MiB"), start(wizard.StepImage, 216),
			wizard.Progress{Step: wizard.StepImage, What: "packages unpacked", Done: 88, Total: 143, Left: 21 * time.Second},
			wizard.Ask{ID: "image-2", Step: wizard.StepImage, Title: "The passphrase of the phone's root filesystem", Secret: true},
		}, Needs: answered},
		{Name: "plan", Events: []wizard.Event{
			done(wizard.StepImage, 61, "boot.img 31.0 MiB, root 1.50 GiB, encrypted"), start(wizard.StepFlash, 280),
			wizard.PlanReady{Plan: Plan()},
			wizard.Ask{ID: "flash-3", Step: wizard.StepFlash, Title: "Type the codename to flash this phone", Questions: []wizard.Question{{
				ID: "confirm", Title: "Codename", Kind: wizard.KindText, IfWrong: "nothing is written",
				Why: "flashing overwrites everything in userdata of PRACTICE0001.",
				Validate: func(s string) error {
					if s != "dinghy" {
						return errors.New("that is not the port's codename")
					}
					return nil
				}}}},
		}, Needs: answered},
		{Name: "flashing", Events: []wizard.Event{
			wizard.Progress{Step: wizard.StepFlash, What: "bytes to boot", Done: 31 << 20, Total: 31 << 20},
			wizard.LogLine{Step: wizard.StepFlash, Kind: wizard.LineNote, Text: "boot: read back, sha256 is the plan's"},
			wizard.Progress{Step: wizard.StepFlash, What: "bytes to userdata", Done: 900 << 20, Total: 1536 << 20, Left: 12 * time.Second},
		}},
		{Name: "waiting", Events: []wizard.Event{
			done(wizard.StepFlash, 24, "412 MiB sent, 2 partitions verified"), start(wizard.StepAttach, 310),
			phone(usb.ModeBooting, "its kernel is starting"),
			wizard.Waiting{Step: wizard.StepAttach, For: "the phone's USB network", Sees: "the phone left fastboot 9 s ago", Since: at(312),
				Hints: []string{"wait: a first boot takes up to a minute", "look at the phone: a logo that stays means the kernel did not start", "hold power to restart it, then try again"}},
		}},
		{Name: "console", Events: []wizard.Event{
			phone(usb.ModeNetwork, "waits for its passphrase"),
			wizard.SessionOpened{Session: "telnet", Title: "telnet 172.16.42.1, before the root is mounted"},
			wizard.SessionData{Session: "telnet", Bytes: []byte("\x1b[1mPortolan Dinghy\x1b[m\r\n\r\nEnter passphrase for /dev/vdb: ")},
		}, Needs: typed},
		{Name: "unlocked", Events: []wizard.Event{
			wizard.SessionData{Session: "telnet", Bytes: []byte("\r\nYour root partition has been decrypted successfully!\r\nYou can connect to your device using SSH in a few seconds:\r\nssh user@172.16.42.1\r\n")},
			wizard.SessionClosed{Session: "telnet", Reason: "the phone goes on booting"},
			wizard.SessionOpened{Session: "ssh", Title: "ssh user@172.16.42.1"},
			wizard.SessionData{Session: "ssh", Bytes: []byte("user@dinghy:~$ uname -a\r\nLinux dinghy 6.1.0-28-arm64 #1 SMP Debian 6.1.119-1 aarch64 GNU/Linux\r\nuser@dinghy:~$ ")},
		}, Needs: typed},
		{Name: "touch", Events: []wizard.Event{
			done(wizard.StepAttach, 38, "Linux dinghy 6.1.0-28-arm64"), start(wizard.StepTouch, 360),
			wizard.TouchTarget{Index: 0, Count: 4, X: 0.1, Y: 0.1, Device: "QEMU Virtio Tablet"},
			wizard.TouchTapped{Index: 0, X: 0.9012, Y: 0.0991},
			wizard.TouchTarget{Index: 1, Count: 4, X: 0.9, Y: 0.1, Device: "QEMU Virtio Tablet"},
			wizard.TouchTapped{Index: 1, X: 0.8988, Y: 0.9003},
			wizard.TouchTarget{Index: 2, Count: 4, X: 0.9, Y: 0.9, Device: "QEMU Virtio Tablet"},
		}},
		{Name: "matrix", Events: []wizard.Event{
			wizard.TouchTapped{Index: 2, X: 0.1004, Y: 0.8997}, wizard.TouchTapped{Index: 3, X: 0.0996, Y: 0.1002},
			wizard.TouchResult{Device: "QEMU Virtio Tablet", Matrix: [6]float64{0, -1, 1, 1, 0, 0}, Name: "rotated 90°", Residual: 0.0008,
				Rule: `ACTION=="add|change", ENV{ID_INPUT_TOUCHSCREEN}=="1", ATTRS{name}=="QEMU Virtio Tablet", ENV{LIBINPUT_CALIBRATION_MATRIX}="0 -1 1 1 0 0"`},
		}},
		{Name: "report", Events: []wizard.Event{done(wizard.StepTouch, 44, "rotated 90°"), Report()}},
	}
}

// Failure is a build that does not compile.
func Failure() []wizard.Event {
	lines := buildLog(60)
	for _, l := range []wizard.LogLine{
		{Text: "drivers/input/touchscreen/dinghy_ts.c: In function 'dinghy_probe':"},
		{Text: "drivers/input/touchscreen/dinghy_ts.c:212:9: error: implicit declaration of function 'i2c_smbus_raed_byte' [-Werror=implicit-function-declaration]"},
		{Text: "  212 |   ret = i2c_smbus_raed_byte(client);"},
		{Text: "      |         ^~~~~~~~~~~~~~~~~~~"},
		{Text: "make[4]: *** [scripts/Makefile.build:250: drivers/input/touchscreen/dinghy_ts.o] Error 1"},
	} {
		l.Step = wizard.StepBuild
		lines = append(lines, l)
	}
	return append(append([]wizard.Event{wizard.StepStarted{Step: wizard.StepBuild, At: Start}}, lines...),
		wizard.StepFailed{Step: wizard.StepBuild, Took: 92 * time.Second, Log: "~/.cache/portolan/logs/build.log",
			Text: "compiling linux-portolan-dinghy: drivers/input/touchscreen/dinghy_ts.c does not compile; the first error is above; fix it and build again"})
}

func buildLog(n int) []wizard.Event {
	dirs := []string{"kernel/sched", "drivers/usb/gadget", "fs/ext4", "net/ipv4", "drivers/gpu/drm/msm", "mm", "arch/arm64/kernel"}
	out := []wizard.Event{wizard.LogLine{Step: wizard.StepBuild, Kind: wizard.LineCommand, Text: "make -j2 ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- Image.gz modules dtbs"}}
	for i := range n {
		out = append(out, wizard.LogLine{Step: wizard.StepBuild, At: Start, Text: fmt.Sprintf("  CC      %s/file_%03d.o", dirs[i%len(dirs)], i)})
		if i%40 == 39 {
			out = append(out, wizard.LogLine{Step: wizard.StepBuild, Kind: wizard.LineWarning, Text: "fs/ext4/inode.c:4421: warning: unused variable 'x' [-Wunused-variable]"})
		}
	}
	return append(out, wizard.Progress{Step: wizard.StepBuild, What: "kernel objects", Done: int64(n), Total: 1100, Left: 190 * time.Second})
}
