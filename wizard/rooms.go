package wizard

import (
	"context"
	"io"
	"time"

	"portolan/flashers"
	"portolan/templates"
	"portolan/usb"
)

// Rooms are the borders to the rooms below. The package wizard/rooms plugs the
// real ones in; tests of the voyage's logic have others.
type Rooms struct {
	// Workshop makes packages and images.
	Workshop Workshop
	// Flasher finds a flash method by its name.
	Flasher func(method string) (flashers.Flasher, error)
	// Bootloader opens a phone that is in fastboot mode, to read from it.
	Bootloader func(ctx context.Context, h usb.Handle) (Bootloader, error)
	// Recipe identifies how the Workshop works; with another one packages and
	// images are made anew.
	Recipe string
	// StockImage reads a boot image; file is its path.
	StockImage func(file string) (Stock, error)
}

// Bootloader reads from a phone's bootloader.
type Bootloader interface {
	// Vars are the bootloader's variables (fastboot getvar all).
	Vars(ctx context.Context) (map[string]string, error)
	// Fetch writes the first size bytes of a partition to w. Bootloaders that
	// cannot do it have no variable max-fetch-size.
	Fetch(ctx context.Context, partition string, size int64, w io.Writer) error
	// Reboot leaves the bootloader and boots what is flashed.
	Reboot(ctx context.Context) error
	Close() error
}

// Stock is what a boot image tells of the phone it came with.
type Stock struct {
	Arch          string // "aarch64", or empty
	KernelVersion string // "Linux version …", or empty
	HeaderVersion int
	PageSize      int
	Cmdline       string
	Offsets       map[string]uint32 // base, kernel, ramdisk, second, tags, dtb
	Properties    map[string]string // Android's build properties of its ramdisk
}

// Work tells a step what a job of the Workshop is doing. Both may be nil.
type Work struct {
	Line     func(kind LineKind, text string)
	Progress func(what string, done, total int64, left time.Duration)
}

// PackageJob is one source package to be built.
type PackageJob struct {
	Source string // folder that holds debian/
	Arch   string // Debian's name
	Suite  string
	Out    string // folder for the packages
	Keep   string // name of a build folder that is kept for the next time; empty for none
	Work   Work
}

// ImageJob is what a phone is to run.
type ImageJob struct {
	Model         templates.Model
	Arch          string // Debian's name
	Suite         string
	Debs          []string // package files, installed by the phone's package manager
	Hostname      string
	User          string
	AuthorizedKey string
	HostKey       []byte // private, OpenSSH format
	Passphrase    []byte // of the LUKS volume; nil: not encrypted. Lent until Image returns
	Stock         string // the boot image that the phone came with; it may not be there
	Boot, Root    string // files to write, replaced only when they are whole
	Work          Work
}

// Workshop makes packages and images. Everything it writes appears whole or not
// at all, and all of it ends within a second of the context's end.
type Workshop interface {
	Package(ctx context.Context, job PackageJob) ([]ReportPackage, error)
	Image(ctx context.Context, job ImageJob) (boot, root ReportPackage, err error)
}

// debianArch names an architecture of the port as Debian does.
func debianArch(arch string) string {
	switch arch {
	case "aarch64":
		return "arm64"
	case "armv7":
		return "armhf"
	case "x86_64":
		return "amd64"
	}
	return arch
}
