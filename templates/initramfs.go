package templates

import "slices"

// Initramfs renders the files to be put into the initramfs, paths relative to
// its root: init, the unlock dialogue, the DHCP server's configuration. They
// expect InitramfsPrograms and, as modules with modules.dep, modules.alias and
// modules.builtin, InitramfsModules beside them.
func Initramfs(m Model) ([]File, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	r := &renderer{model: m}
	r.addMode("init", "initramfs/init", 0o755)
	r.addMode("usr/bin/unlock", "initramfs/unlock", 0o755)
	r.addMode("usr/bin/debug-shell", "initramfs/debug-shell", 0o755)
	r.add("usr/lib/portolan/common.sh", "initramfs/common.sh")
	r.add("usr/lib/portolan/network.sh", "initramfs/network.sh")
	r.add("usr/lib/portolan/root.sh", "initramfs/root.sh")
	r.add("etc/udhcpd.conf", "initramfs/udhcpd.conf")
	r.add("etc/portolan.conf", "initramfs/portolan.conf.tmpl")
	r.add("etc/modules-initfs", "postmarketos/modules-initfs.tmpl")
	return r.files()
}

// InitramfsPrograms lists what the initramfs needs from the phone's root file
// system, absolute, each with the libraries it links to. libgcc_s is opened at
// run time by pthread_exit, which cryptsetup reaches with argon2 keyslots, so
// no linker lists it.
func InitramfsPrograms() []string {
	return []string{
		"/bin/busybox",
		"/sbin/cryptsetup",
		"/lib/aarch64-linux-gnu/libgcc_s.so.1",
	}
}

// InitramfsPackages lists the Debian packages that InitramfsPrograms are from.
func InitramfsPackages() []string { return []string{"busybox-static", "cryptsetup-bin", "libgcc-s1"} }

// InitramfsApplets lists the applets that busybox must have been built with.
// The scripts make links to all applets themselves (busybox --install).
func InitramfsApplets() []string {
	return []string{
		"cat", "dmesg", "echo", "findfs", "grep", "ip", "kill", "killall", "ln", "mkdir", "mkfifo",
		"modprobe", "mount", "printf", "rm", "rmdir", "sed", "setsid", "sh", "sleep", "stty", "switch_root",
		"tail", "telnetd", "tr", "udhcpd", "umount", "uname", "xxd",
	}
}

// rootModules are what the archive's kernel needs to unlock and mount a root
// partition and to bring up a USB gadget; in Debian 12's arm64 kernel all of
// them are modules. crc32c_generic is only a soft dependency of ext4, which
// busybox's modprobe does not follow.
var rootModules = []string{
	"dm_crypt", "xts", "ecb", "aes_ce_blk", "sha256_generic", "sha512_generic", "algif_skcipher", "algif_hash",
	"ext4", "crc32c_generic", "libcomposite", "usb_f_ncm", "usb_f_rndis",
}

// systemModules are what the booted system asks for by itself: systemd's
// automounts and the phone's partitions in other formats.
var systemModules = []string{"autofs4", "configfs", "vfat", "nls_ascii", "nls_cp437"}

// InitramfsModules lists the modules to be put into the initramfs with all
// that they depend on. Those that the kernel has built in count as there. With
// a kernel compiled from the template's configuration nothing but the port's
// own modules is needed: all the rest is built in.
func InitramfsModules(m Model) []string {
	if m.Kernel.Kind == KernelSource {
		return slices.Clone(m.Modules)
	}
	return union(m.Modules, rootModules)
}

// PracticeModules are the modules of the archive's arm64 kernel for QEMU's
// "virt" machine with virtio devices: disk, network, screen, touch.
func PracticeModules() []string {
	return []string{"virtio_pci", "virtio_mmio", "virtio_blk", "virtio_net", "virtio_rng", "virtio_gpu", "virtio_input", "evdev"}
}

func union(lists ...[]string) []string {
	var all []string
	for _, list := range lists {
		for _, name := range list {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}
