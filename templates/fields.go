package templates

import (
	"slices"
	"strings"
)

// KernelObjects is how many objects the template's kernel configuration
// compiles, as lines of make's output that KernelObject tells: the "of N" of a
// progress display. Counted with linux-source-6.1 6.1.192-2.
const KernelObjects = 1036

// KernelRelease is the kernel.org release whose Debian build the templates
// were last tried with: a value for Kernel.Release.
const KernelRelease = "6.1.176"

// KernelObject tells whether a line of the kernel's make output says that an
// object for the phone is compiled: "  CC      kernel/fork.o".
func KernelObject(line string) bool {
	return strings.HasPrefix(line, "  CC ") || strings.HasPrefix(line, "  AS ")
}

// KernelObjects is the constant for templates.
func (m Model) KernelObjects() int { return KernelObjects }

// KernelMajor is the folder of a release on kernel.org: "6" of "6.1.176".
func (m Model) KernelMajor() string {
	major, _, _ := strings.Cut(m.Kernel.Release, ".")
	return major
}

// Pkgrel is Alpine's package release, which counts from 0.
func (m Model) Pkgrel() int { return max(m.Revision, 1) - 1 }

// OptionalModules lists what the Debian kernel package takes over besides the
// port's own modules, as far as the archive's kernel has it.
func (m Model) OptionalModules() []string {
	var optional []string
	for _, name := range union(rootModules, systemModules) {
		if !slices.Contains(m.Modules, name) {
			optional = append(optional, name)
		}
	}
	return optional
}

// methodPrefix is how deviceinfo names the partitions of a flash method
// (deviceinfo_schema.toml of pmaports).
var methodPrefix = map[string]string{
	"fastboot":          "flash_fastboot_partition_",
	"fastboot-bootpart": "flash_fastboot_partition_",
	"heimdall-bootimg":  "flash_heimdall_partition_",
	"heimdall-isorec":   "flash_heimdall_partition_",
	"mtkclient":         "flash_mtkclient_partition_",
	"rkdeveloptool":     "flash_rk_partition_",
}

// Variables are the deviceinfo variables that name partitions. A method that
// knows no such variable, or not this partition, has none.
func (f Flash) Variables() []Variable {
	prefix := methodPrefix[f.Method]
	if prefix == "" {
		return nil
	}
	partitions := []Variable{{"kernel", f.Kernel}, {"rootfs", f.Rootfs}, {"vbmeta", f.VBMeta}, {"dtbo", f.DTBO}}
	var named []Variable
	for _, p := range partitions {
		missing := p.Name == "dtbo" && strings.HasPrefix(f.Method, "heimdall") ||
			(p.Name == "dtbo" || p.Name == "vbmeta") && f.Method == "rkdeveloptool"
		if p.Value != "" && !missing {
			named = append(named, Variable{prefix + p.Name, p.Value})
		}
	}
	return named
}

// obsolete are variables that pmaports no longer takes, with what to use
// instead (deviceinfo_schema.toml).
var obsolete = map[string]string{
	"kernel_cmdline":           "kernel-cmdline.conf (the kernel's parameters)",
	"kernel_cmdline_append":    "kernel-cmdline.conf (the kernel's parameters)",
	"modules_initfs":           "modules-initfs (the port's modules)",
	"nonfree":                  "nothing: it has no successor",
	"dev_keyboard":             "nothing: it has no successor",
	"keyboard":                 "nothing: it has no successor",
	"mesa_driver":              "nothing: it has no successor",
	"tmp_as_tmpfs_size":        "nothing: it has no successor",
	"flash_fastboot_vendor_id": "nothing: it has no successor",
	"bootimg_mtk_mkimage":      "bootimg_mtk_label_kernel and bootimg_mtk_label_ramdisk",
	"generate_gummiboot":       "nothing: it has no successor",
	"generate_systemd_boot":    "nothing: it has no successor",
	"weston_pixman_type":       "nothing: it has no successor",
	"framebuffer_landscape":    "nothing: it has no successor",
	"gpu_accelerated":          "drm",
	"usb_rndis_function":       "usb_network_function",
	"dtb_second":               "bootimg_dtb_second",
	"mtk_label_kernel":         "bootimg_mtk_label_kernel",
	"mtk_label_ramdisk":        "bootimg_mtk_label_ramdisk",
}
