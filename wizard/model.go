package wizard

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"portolan/templates"
)

// kernelReleases names, for each Debian release, the series of its
// linux-source package and the kernel.org release that the APKBUILD builds.
var kernelReleases = map[string]struct{ series, release string }{
	"bookworm": {"6.1", "6.1.176"},
}

// Model turns the values into what templates take. Values that are missing are
// zero; templates.Model.Validate says which of them are needed.
func (s Snapshot) Model() (templates.Model, error) {
	var bad []error
	num := func(id string) int {
		if s.Get(id) == "" {
			return 0
		}
		n, err := strconv.Atoi(s.Get(id))
		if err != nil {
			bad = append(bad, &UsageError{Key: id, Err: err})
		}
		return n
	}
	hex := func(id string) uint32 {
		if s.Get(id) == "" {
			return 0
		}
		n, err := strconv.ParseUint(s.Get(id), 0, 32)
		if err != nil {
			bad = append(bad, &UsageError{Key: id, Err: err})
		}
		return uint32(n)
	}
	kernel, ok := kernelReleases[s.Get("suite")]
	if !ok {
		bad = append(bad, &UsageError{Key: "suite", Text: fmt.Sprintf("%q will not do: bookworm", s.Get("suite"))})
	}
	m := templates.Model{
		Vendor: s.Get("vendor"), Codename: s.Get("codename"),
		Name: s.Get("name"), Manufacturer: s.Get("manufacturer"),
		Year: num("year"), Arch: s.Get("arch"), Chassis: s.Get("chassis"),
		ScreenWidth: num("screen_width"), ScreenHeight: num("screen_height"),
		ExternalStorage: s.Get("external_storage") == "true",
		Flash: templates.Flash{
			Method: s.Get("flash_method"), Kernel: s.Get("partition_kernel"), Rootfs: s.Get("partition_rootfs"), Sparse: true,
		},
		BootImage: templates.BootImage{
			Generate: true, HeaderVersion: num("header_version"), PageSize: num("flash_pagesize"),
			Base: hex("flash_offset_base"), KernelOffset: hex("flash_offset_kernel"), RamdiskOffset: hex("flash_offset_ramdisk"),
			SecondOffset: hex("flash_offset_second"), TagsOffset: hex("flash_offset_tags"), DTBOffset: hex("flash_offset_dtb"),
		},
		Kernel: templates.Kernel{
			Kind: templates.KernelKind(s.Get("kernel")), Series: kernel.series, Release: kernel.release,
			Suite: s.Get("suite"), Cmdline: strings.Fields(s.Get("kernel_cmdline")),
		},
		Modules:    strings.Fields(s.Get("modules_initfs")),
		Maintainer: templates.Person{Name: s.Get("maintainer_name"), Email: s.Get("maintainer_email")},
		User:       s.Get("user"),
		DebugShell: s.Get("debug_shell") == "true",
	}
	if s.Get("touchscreen") != "" && s.Get("touch_matrix") != "" {
		nums, err := parseMatrix(s.Get("touch_matrix"))
		if err != nil {
			bad = append(bad, &UsageError{Key: "touch_matrix", Err: err})
		}
		m.Touch = []templates.Touch{{Device: s.Get("touchscreen"), Matrix: nums}}
	}
	return m, errors.Join(bad...)
}

// validModel is Model for steps that render: everything must be right.
func (s Snapshot) validModel() (templates.Model, error) {
	m, err := s.Model()
	if err != nil {
		return m, err
	}
	if err := m.Validate(); err != nil {
		return m, &UsageError{File: PortFile, Text: "the packages cannot be made from these values", Err: err}
	}
	return m, nil
}

func parseMatrix(s string) ([6]float64, error) {
	var nums [6]float64
	words := strings.Fields(s)
	if len(words) != 6 {
		return nums, fmt.Errorf("%q will not do: six numbers", s)
	}
	for i, w := range words {
		f, err := strconv.ParseFloat(w, 64)
		if err != nil {
			return nums, fmt.Errorf("%q will not do: %q is not a number", s, w)
		}
		nums[i] = f
	}
	return nums, nil
}

// sound is a model that templates accept, to try single answers in.
func sound() templates.Model {
	return templates.Model{
		Vendor: "a", Codename: "a", Name: "A", Manufacturer: "A", Year: 2020, Arch: "aarch64", Chassis: "handset",
		ScreenWidth: 1, ScreenHeight: 1,
		Flash:      templates.Flash{Method: "fastboot", Kernel: "boot", Rootfs: "userdata"},
		BootImage:  templates.BootImage{Generate: true, PageSize: 2048},
		Kernel:     templates.Kernel{Kind: templates.KernelArchive, Series: "6.1", Release: "6.1.1", Suite: "bookworm"},
		Maintainer: templates.Person{Name: "A", Email: "a@example.org"},
		User:       "user",
	}
}

// fits makes a validation of one answer out of the templates' own rules: the
// answer is put into a sound model and must not be a problem of that field.
func fits(field string, set func(m *templates.Model, answer string)) func(string) error {
	return func(answer string) error {
		m := sound()
		set(&m, answer)
		var problems templates.Problems
		if err := m.Validate(); err == nil || !errors.As(err, &problems) {
			return err
		}
		for _, p := range problems.Field(field) {
			return fmt.Errorf("%s %s; allowed: %s; example: %s", p.Value, p.What, p.Allowed, p.Example)
		}
		return nil
	}
}
