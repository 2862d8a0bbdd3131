// Package tuitest plays voyages to the UI without phones or builds: the cast
// and the events of a whole voyage, for goldens, story scripts and for looking
// at the panes while working on them.
package tuitest

import (
	"fmt"
	"strings"
	"time"

	"portolan/flashers"
	"portolan/usb"
	"portolan/wizard"
)

// Start is when every scripted voyage begins.
var Start = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// Phone is the practice phone in fastboot.
func Phone() usb.Device {
	return usb.Device{
		ID: "practice/PRACTICE0001", Source: "practice", Path: "127.0.0.1:5554", VendorID: 0x18d1, ProductID: 0x4ee0,
		Serial: "PRACTICE0001", Manufacturer: "Portolan", Product: "Portolan Dinghy", Mode: usb.ModeFastboot,
		Permission: usb.PermissionOK, Practice: true, Hint: "ready to be flashed", Since: Start.Add(-40 * time.Second),
	}
}

// Locked is a phone that this user may not open.
func Locked() usb.Device {
	return usb.Device{
		ID: "libusb/1-2", Source: "libusb", Path: "1-2", VendorID: 0x0fce, ProductID: 0x0dde, Serial: "CB5A1LVN0F",
		Manufacturer: "Sony", Product: "Xperia Z2", Mode: usb.ModeFastboot, Permission: usb.PermissionDenied,
		Hint: "a udev rule is missing: portolan doctor --fix writes it", Since: Start.Add(-5 * time.Second),
	}
}

// Questions are like those of the describe step.
func Questions() []wizard.Question {
	codename := func(s string) error {
		if s != strings.ToLower(s) || strings.ContainsAny(s, " _/") {
			return fmt.Errorf("%q is no codename: lower-case letters, digits and - only", s)
		}
		return nil
	}
	return []wizard.Question{
		{ID: "manufacturer", Section: "The phone", Title: "Manufacturer", Kind: wizard.KindText,
			Why: "It is part of the name that people see.", IfWrong: "The name looks odd; nothing breaks.",
			Suggestion: wizard.Value{Text: "Portolan", Source: wizard.SourceFastboot}},
		{ID: "name", Section: "The phone", Title: "Name", Kind: wizard.KindText,
			Why: "It is shown at boot, before the passphrase.", Suggestion: wizard.Value{Text: "Portolan Dinghy", Source: wizard.SourceFastboot}},
		{ID: "codename", Section: "The phone", Title: "Codename", Kind: wizard.KindText, Validate: codename,
			Why:        "Packages, files and the flash confirmation use it. It is what the vendor's kernel calls the phone.",
			IfWrong:    "Packages get another name than other ports of the same phone use; renaming later means flashing again.",
			Suggestion: wizard.Value{Text: "dinghy", Source: wizard.SourceFastboot}},
		{ID: "arch", Section: "The phone", Title: "Architecture", Kind: wizard.KindChoice,
			Why: "The kernel and every program are built for it.", IfWrong: "Nothing starts after the bootloader.",
			Choices:    []wizard.Choice{{Value: "aarch64", Help: "64 bit, most phones since 2015"}, {Value: "armv7", Help: "32 bit"}},
			Suggestion: wizard.Value{Text: "aarch64", Source: wizard.SourceBootImage}},
		{ID: "offset_kernel", Section: "Boot image", Title: "Kernel offset", Kind: wizard.KindText,
			Why: "The bootloader loads the kernel at base plus this.", IfWrong: "The phone shows its logo and restarts.",
			Suggestion: wizard.Value{Text: "0x00008000", Source: wizard.SourceBootImage}},
		{ID: "cmdline", Section: "Boot image", Title: "Kernel command line", Kind: wizard.KindText, Optional: true,
			Why:        "What the vendor passes to its kernel; some panels need it.",
			Suggestion: wizard.Value{Text: "console=ttyAMA0,115200 loglevel=4", Source: wizard.SourceBootImage}},
		{ID: "kernel", Section: "Kernel", Title: "Kernel", Kind: wizard.KindChoice,
			Why: "A first rehearsal is quick with the archive's kernel.",
			Choices: []wizard.Choice{{Value: "archive", Help: "Debian's own, nothing to compile"},
				{Value: "source", Help: "compiled here, about 13 minutes the first time"}},
			Suggestion: wizard.Value{Text: "archive", Source: wizard.SourceDefault}},
		{ID: "encrypt", Section: "System", Title: "Encrypt the root", Kind: wizard.KindBool,
			Why: "A lost phone keeps its data to itself.", Suggestion: wizard.Value{Text: "true", Source: wizard.SourceDefault}},
		{ID: "hostname", Section: "System", Title: "Hostname", Kind: wizard.KindText, Suggestion: wizard.Value{Text: "dinghy", Source: wizard.SourceDefault},
			Why: "The phone calls itself so in the network."},
	}
}

// Preview renders a deviceinfo and an APKBUILD from answers, as generate does.
func Preview(v map[string]string) ([]wizard.GeneratedFile, error) {
	info := fmt.Sprintf(`# Reference: <https://postmarketos.org/deviceinfo>
deviceinfo_format_version="0"
deviceinfo_name=%q
deviceinfo_manufacturer=%q
deviceinfo_codename="portolan-%s"
deviceinfo_arch=%q

# Bootloader related
deviceinfo_flash_method="fastboot"
deviceinfo_generate_bootimg="true"
deviceinfo_flash_offset_kernel=%q
deviceinfo_kernel_cmdline=%q
`, v["name"], v["manufacturer"], v["codename"], v["arch"], v["offset_kernel"], v["cmdline"])
	apk := fmt.Sprintf(`# Maintainer: You <you@example.org>
pkgname=device-portolan-%s
pkgdesc=%q
pkgver=1
pkgrel=0
url="https://postmarketos.org"
license="MIT"
arch=%q
options="!check !archcheck"
depends="postmarketos-base linux-portolan-%s"
source="deviceinfo"

build() {
	devicepkg_build $startdir $pkgname
}
`, v["codename"], v["name"], v["arch"], v["codename"])
	dir := "postmarketos/device-portolan-" + v["codename"]
	return []wizard.GeneratedFile{
		{Path: dir + "/APKBUILD", State: "new", Text: apk},
		{Path: dir + "/deviceinfo", State: "new", Text: info},
	}, nil
}

// Plan is what would be flashed to the practice phone.
func Plan() flashers.Plan {
	boot := flashers.Image{Partition: "boot", Path: "out/images/boot.img", Size: 31 << 20, SHA256: strings.Repeat("5f1c", 16)}
	root := flashers.Image{Partition: "userdata", Path: "out/images/root.img", Size: 1536 << 20, SHA256: strings.Repeat("a90e", 16)}
	return flashers.Plan{
		Method: "fastboot", Device: Phone(),
		Port: flashers.Port{Codename: "dinghy", Products: []string{"dinghy"}, Never: []string{"bootloader"}, Practice: true},
		Checks: []flashers.Check{
			{Name: "phone", Detail: "its bootloader says dinghy, the port is for dinghy", OK: true},
			{Name: "bootloader", Detail: "unlocked", OK: true},
			{Name: "size", Detail: "boot takes 31.0 of 64.0 MiB, userdata 1.50 of 2.00 GiB", OK: true},
			{Name: "battery", Detail: "87 %", OK: true},
		},
		Actions: []flashers.Action{
			{Verb: "flash", Image: boot, Destructive: true, Command: "fastboot -s tcp:127.0.0.1:5554 flash boot out/images/boot.img"},
			{Verb: "flash", Image: root, Destructive: true, Command: "fastboot -s tcp:127.0.0.1:5554 flash userdata out/images/root.img"},
			{Verb: "reboot", Command: "fastboot -s tcp:127.0.0.1:5554 reboot"},
		},
	}
}

// Report is how the scripted voyage ends.
func Report() wizard.Report {
	hash := strings.Repeat("0123456789abcdef", 4)
	r := wizard.Report{
		Phone: Phone(), Flashed: 412 << 20, Unlocked: "LUKS2, at the first attempt",
		Uname: "Linux dinghy 6.1.0-28-arm64 #1 SMP Debian 6.1.119-1 (2024-11-22) aarch64 GNU/Linux",
		Touch: `ENV{LIBINPUT_CALIBRATION_MATRIX}="0 -1 1 1 0 0"`,
		Packages: []wizard.ReportPackage{
			{Name: "device-portolan-dinghy", Path: "out/packages/device-portolan-dinghy_1_arm64.deb", SHA256: hash, Size: 9 << 10},
			{Name: "linux-portolan-dinghy", Path: "out/packages/linux-portolan-dinghy_1_arm64.deb", SHA256: hash, Size: 27 << 20},
		},
		Image: wizard.ReportPackage{Name: "boot.img", Path: "out/images/boot.img", SHA256: hash, Size: 31 << 20},
		Next:  "Compile a kernel of your own and boot it on the same phone.",
	}
	for i, id := range wizard.StepIDs {
		r.Steps = append(r.Steps, wizard.ReportStep{Step: id, Took: time.Duration(i*7+1) * time.Second, Done: "done"})
	}
	return r
}
