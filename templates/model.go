// Package templates renders the packages of a port, and the initramfs that
// boots it, from embedded templates. It is pure: a Model goes in, files come
// out. Nothing unvalidated reaches a template, every text that reaches a shell
// is quoted, and every shell file is parsed again after rendering.
package templates

import (
	"io/fs"
	"sort"
	"strconv"
	"strings"
)

// File is one rendered file. Path is relative, with slashes.
type File struct {
	Path string
	Mode fs.FileMode
	Data []byte
}

// Model is everything the templates know of a port. Validate says what is
// allowed in each field; Packages and Initramfs refuse a Model that fails it.
type Model struct {
	Vendor       string // first half of the package names, as "samsung"
	Codename     string // second half, as "klte"
	Name         string // for people, starts with Manufacturer
	Manufacturer string
	Year         int    // of release
	Arch         string // Alpine's name; "aarch64" is the one with a kernel configuration
	Chassis      string // one of Chassis
	ScreenWidth  int    // pixels; 0 for no screen
	ScreenHeight int    // pixels; 0 for no screen

	ExternalStorage bool // there is a card slot

	Flash     Flash
	BootImage BootImage
	Kernel    Kernel

	Modules []string   // loaded in the initramfs, in order
	Extra   []Variable // further deviceinfo variables
	Touch   []Touch    // touchscreens that need a matrix

	Maintainer Person
	User       string // login name on the phone, shown after unlocking
	Root       string // value of portolan.root=; empty: the first LUKS volume, else the ext4 labelled "portolan-root"
	DebugShell bool   // adds portolan.debug-shell to the kernel command line
	Revision   int    // of both packages; 0 counts as 1
}

// Flash says how images reach the phone.
type Flash struct {
	Method string // one of FlashMethods
	Kernel string // partition of the boot image; empty: the method's own default
	Rootfs string // partition of the root filesystem; empty: the method's own default
	VBMeta string // partition, if the phone has one
	DTBO   string // partition, if the phone has one
	Sparse bool   // the root filesystem is sent as a sparse image
}

// BootImage is the header of the phone's boot image. Offsets are what
// mkbootimg calls *_offset, relative to Base.
type BootImage struct {
	Generate       bool
	HeaderVersion  int
	PageSize       int
	Base           uint32
	KernelOffset   uint32
	RamdiskOffset  uint32
	SecondOffset   uint32
	TagsOffset     uint32
	DTBOffset      uint32 // header version 2 and later
	DTB            string // device tree within the kernel's dts folder, without ".dtb"; empty for none
	AppendDTB      bool   // the device tree is appended to the kernel
	RootfsSector   int    // sector size of the root image; 0 for the default of 512
	SEAndroidMagic bool   // Samsung's SEANDROIDENFORCE trailer
}

// KernelKind says where the Debian kernel package takes its kernel from.
type KernelKind string

// Kinds of kernel.
const (
	KernelArchive KernelKind = "archive" // the Debian archive's own linux-image
	KernelSource  KernelKind = "source"  // compiled from Debian's linux-source
)

// Kernel says which kernel is packaged.
type Kernel struct {
	Kind    KernelKind
	Series  string   // "6.1": names Debian's linux-source-6.1
	Release string   // "6.1.176": the kernel.org release that the APKBUILD builds
	Suite   string   // Debian suite, as "bookworm"
	Cmdline []string // parameters, one each
}

// Variable is a further line of deviceinfo, without the "deviceinfo_" prefix.
type Variable struct{ Name, Value string }

// Person is a maintainer.
type Person struct{ Name, Email string }

// String is the form of RFC 5322 that APKBUILDs and Debian's control files use.
func (p Person) String() string { return p.Name + " <" + p.Email + ">" }

// Touch is the calibration of one touchscreen.
type Touch struct {
	Device  string     // evdev name
	Matrix  [6]float64 // libinput's order, row by row, in fractions of the panel
	Comment string     // "rotated 90°"; may be empty
}

// Chassis lists the values of deviceinfo_chassis that a port may have
// (deviceinfo_schema.toml of pmaports).
var Chassis = []string{"handset", "tablet", "convertible", "laptop", "desktop", "server", "watch", "embedded", "vm"}

// FlashMethods lists the values of deviceinfo_flash_method that a program
// exists for (deviceinfo_schema.toml of pmaports; "0xffff" has none).
var FlashMethods = []string{"fastboot", "fastboot-bootpart", "heimdall-bootimg", "heimdall-isorec", "mtkclient", "rkdeveloptool", "uuu", "none"}

// ID is vendor and codename as in the names of packages and folders.
func (m Model) ID() string { return m.Vendor + "-" + m.Codename }

// DebianID is ID where Debian's package names allow no underscore (Debian
// policy 5.6.1).
func (m Model) DebianID() string { return strings.ReplaceAll(m.ID(), "_", "-") }

// DevicePackage is the name of the device package in the Debian tree.
func (m Model) DevicePackage() string { return "device-" + m.DebianID() }

// KernelPackage is the name of the kernel package in the Debian tree.
func (m Model) KernelPackage() string { return "linux-" + m.DebianID() }

// KernelImage is where the Debian kernel package puts the gzip-compressed
// kernel, absolute within the root filesystem.
func (m Model) KernelImage() string { return "/boot/vmlinuz-" + m.ID() }

// Cmdline is the kernel command line: the port's parameters and Portolan's own.
func (m Model) Cmdline() []string {
	line := append([]string(nil), m.Kernel.Cmdline...)
	if m.Root != "" {
		line = append(line, "portolan.root="+m.Root)
	}
	if m.DebugShell {
		line = append(line, "portolan.debug-shell")
	}
	return line
}

// revision is Revision as it is printed.
func (m Model) revision() string { return strconv.Itoa(max(m.Revision, 1)) }

// matrix prints the six numbers as udev rules carry them.
func (t Touch) matrix() string {
	fields := make([]string, len(t.Matrix))
	for i, v := range t.Matrix {
		if v == 0 {
			v = 0 // no "-0"
		}
		fields[i] = strconv.FormatFloat(v, 'g', 7, 64)
	}
	return strings.Join(fields, " ")
}

func sortFiles(files []File) []File {
	sort.Slice(files, func(i, j int) bool { return files[i].Path < files[j].Path })
	return files
}
