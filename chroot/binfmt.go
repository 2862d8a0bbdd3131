package chroot

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// interpreter is one registration with binfmt_misc (kernel, Documentation/admin-guide/binfmt-misc.rst).
type interpreter struct {
	Arch    string `json:"arch"` // as Debian names it
	Name    string `json:"name"` // as QEMU names it
	Program string `json:"program"`
	Machine uint16 `json:"machine"` // ELF e_machine
	Bits    int    `json:"bits"`
}

// emulated are the architectures that phones have, with QEMU's name for each.
var emulated = []struct {
	arch, qemu string
	machine    elf.Machine
	bits       int
}{
	{"arm64", "aarch64", elf.EM_AARCH64, 64},
	{"armhf", "arm", elf.EM_ARM, 32},
	{"amd64", "x86_64", elf.EM_X86_64, 64},
	{"riscv64", "riscv64", elf.EM_RISCV, 64},
}

// NativeArch is the architecture of this computer as Debian names it.
func NativeArch() string {
	switch runtime.GOARCH {
	case "arm":
		return "armhf"
	default:
		return runtime.GOARCH
	}
}

// findInterpreters looks for QEMU's user emulators that can be used in a
// chroot: statically linked ones. Debian names them qemu-*-static, others qemu-*.
func findInterpreters(dirs []string) []interpreter {
	var found []interpreter
	for _, e := range emulated {
		if e.arch == NativeArch() {
			continue
		}
	search:
		for _, dir := range dirs {
			for _, name := range []string{"qemu-" + e.qemu + "-static", "qemu-" + e.qemu} {
				file := filepath.Join(dir, name)
				if filepath.IsAbs(file) && isStatic(file) {
					found = append(found, interpreter{Arch: e.arch, Name: e.qemu, Program: file, Machine: uint16(e.machine), Bits: e.bits})
					break search
				}
			}
		}
	}
	return found
}

func interpreterDirs() []string {
	return append(filepath.SplitList(os.Getenv("PATH")), "/usr/bin", "/usr/local/bin")
}

func isStatic(file string) bool {
	f, err := elf.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return false
		}
	}
	return true
}

// registration is the line for binfmt_misc's register file. Flags: O pass the
// program as an open file, C credentials of the program, F open the interpreter
// now, so that it need not exist in the chroot. The mask lets any OS ABI pass
// and both executables and shared objects, as QEMU's scripts/qemu-binfmt-conf.sh does.
func (i interpreter) registration() string {
	class := byte(elf.ELFCLASS64)
	if i.Bits == 32 {
		class = byte(elf.ELFCLASS32)
	}
	magic := []byte{0x7f, 'E', 'L', 'F', class, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, byte(i.Machine), byte(i.Machine >> 8)}
	mask := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff}
	hex := func(b []byte) string {
		var s strings.Builder
		for _, c := range b {
			fmt.Fprintf(&s, `\x%02x`, c)
		}
		return s.String()
	}
	return fmt.Sprintf(":%s:M::%s:%s:%s:OCF", i.entry(), hex(magic), hex(mask), i.Program)
}

// entry is Debian's name for it, which tools look for.
func (i interpreter) entry() string { return "qemu-" + i.Name }

// errNoBinfmt says that foreign programs cannot run here.
var errNoBinfmt = errors.New("neither a private nor the host's binfmt_misc can run it")

// setupBinfmt registers the interpreters in a binfmt_misc of this user
// namespace (kernel 6.7). Where the kernel has none, the host's own
// registration must do; the host's table is never written.
func setupBinfmt(dir string, s spec) error {
	var private error
	if s.UserNS {
		private = privateBinfmt(dir, s.Binfmt)
	} else {
		private = errors.New("there is no user namespace")
	}
	if s.Arch == "" || s.Arch == NativeArch() {
		return nil
	}
	if private == nil {
		for _, i := range s.Binfmt {
			if i.Arch == s.Arch {
				return nil
			}
		}
		return fmt.Errorf("run %s programs: no static qemu-user program on this computer (install qemu-user-static): %w", s.Arch, errNoBinfmt)
	}
	// Only read. Root without user namespaces mounts the host's table to see it.
	if host := "/proc/sys/fs/binfmt_misc"; hostBinfmt(host, s.Arch) {
		return nil
	}
	if !s.UserNS && unix.Mount("binfmt_misc", dir, "binfmt_misc", unix.MS_RDONLY, "") == nil && hostBinfmt(dir, s.Arch) {
		return nil
	}
	return fmt.Errorf("run %s programs: private registration: %w; and the host has none with flag F (install qemu-user-static or qemu-user-binfmt and restart systemd-binfmt): %w", s.Arch, private, errNoBinfmt)
}

func privateBinfmt(dir string, list []interpreter) error {
	if err := unix.Mount("binfmt_misc", dir, "binfmt_misc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount binfmt_misc (kernel 6.7 or newer): %w", err)
	}
	for _, i := range list {
		if err := os.WriteFile(dir+"/register", []byte(i.registration()), 0); err != nil {
			return fmt.Errorf("register %s: %w", i.Program, err)
		}
	}
	return nil
}

// hostBinfmt reports whether an enabled entry with flag F handles arch.
func hostBinfmt(dir, arch string) bool {
	var machine uint16
	for _, e := range emulated {
		if e.arch == arch {
			machine = uint16(e.machine)
		}
	}
	want := fmt.Sprintf("%02x%02x", byte(machine), byte(machine>>8))
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err == nil && binfmtEntryRuns(string(text), want) {
			return true
		}
	}
	return false
}

// binfmtEntryRuns reads one entry of binfmt_misc; machine is e_machine as in the magic.
func binfmtEntryRuns(text, machine string) bool {
	var enabled, fixed, match bool
	for _, line := range strings.Split(text, "\n") {
		switch key, value, _ := strings.Cut(line, " "); key {
		case "enabled":
			enabled = true
		case "flags:":
			fixed = strings.Contains(value, "F")
		case "magic":
			match = len(value) == 40 && value[36:] == machine
		}
	}
	return enabled && fixed && match
}
