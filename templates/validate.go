package templates

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The rules for texts that have a form. Each of them is free of blanks, quotes
// and shell characters, so that it may stand bare in Makefiles, in Debian's
// control files and in file names.
var (
	vendorForm    = regexp.MustCompile(`^[a-z0-9]{1,32}$`)
	codenameForm  = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,46}[a-z0-9])?$`)
	partitionForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,35}$`)
	moduleForm    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$`)
	parameterForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.,:;=/@%+*~-]{0,255}$`)
	seriesForm    = regexp.MustCompile(`^[1-9][0-9]?\.[0-9]{1,3}$`)
	suiteForm     = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	variableForm  = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]{0,63}$`)
	emailForm     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*@[A-Za-z0-9][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)*$`)
	userForm      = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,30}$`)
	rootForm      = regexp.MustCompile(`^((PARTLABEL|LABEL|UUID)=[A-Za-z0-9][A-Za-z0-9._-]{0,63}|/dev/[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*)$`)
	dtbForm       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9,._+-]*(/[A-Za-z0-9][A-Za-z0-9,._+-]*)*$`)
)

// maxCmdline is what a boot image of header version 0 to 2 holds: 512 bytes in
// cmdline and 1024 in extra_cmdline, one of them for the closing NUL
// (Android's bootimg.h).
const maxCmdline = 512 + 1024 - 1

// validator collects problems.
type validator struct{ problems Problems }

func (v *validator) add(field, value, what, allowed, example string) {
	if len(value) > 60 {
		value = value[:60]
	}
	v.problems = append(v.problems, Problem{field, fmt.Sprintf("%q", value), what, allowed, example})
}

// form checks a text against a regular expression.
func (v *validator) form(field, value string, form *regexp.Regexp, allowed, example string) bool {
	what := "has a character or a form that is not allowed"
	switch {
	case value == "":
		what = "is missing"
	case len(value) > 255:
		what = "is too long"
	case form.MatchString(value):
		return true
	}
	v.add(field, value, what, allowed, example)
	return false
}

// textMarks are the characters besides letters, digits and the blank that a
// text for people may have. None of them means anything within double quotes,
// to a shell or to the parsers that read deviceinfo line by line.
const textMarks = ".,:+-_/&'()!"

// text checks a text for people: a name, a comment.
func (v *validator) text(field, value, example string) bool {
	allowed := "1 to 80 characters: letters, digits, single blanks and " + textMarks + ", beginning with a letter or a digit"
	what := ""
	switch first, _ := utf8.DecodeRuneInString(value); {
	case value == "":
		what = "is missing"
	case !utf8.ValidString(value):
		what = "is not valid UTF-8"
	case utf8.RuneCountInString(value) > 80:
		what = "is too long"
	case !unicode.IsLetter(first) && !unicode.IsDigit(first):
		what = fmt.Sprintf("begins with %q", first)
	case strings.TrimSpace(value) != value || strings.Contains(value, "  "):
		what = "has needless blanks"
	default:
		for _, r := range value {
			if !unicode.In(r, unicode.Letter, unicode.Mark, unicode.Digit) && r != ' ' && !strings.ContainsRune(textMarks, r) {
				what = fmt.Sprintf("has the character %q", r)
				break
			}
		}
	}
	if what != "" {
		v.add(field, value, what, allowed, example)
	}
	return what == ""
}

func (v *validator) oneOf(field, value string, allowed []string, example string) {
	if !slices.Contains(allowed, value) {
		v.add(field, value, "is none of the known values", strings.Join(allowed, ", "), example)
	}
}

func (v *validator) number(field string, value, low, high int, example string) {
	if value < low || value > high {
		v.add(field, fmt.Sprint(value), "is out of range", fmt.Sprintf("%d to %d", low, high), example)
	}
}

// Validate returns all that is not allowed, as Problems, or nil.
func (m Model) Validate() error {
	v := &validator{}
	v.form("Vendor", m.Vendor, vendorForm, "1 to 32 of a-z and 0-9", "samsung")
	v.form("Codename", m.Codename, codenameForm, "1 to 48 of a-z, 0-9, dot, underscore and hyphen; letter or digit first and last", "klte")
	v.text("Manufacturer", m.Manufacturer, "Samsung")
	if v.text("Name", m.Name, "Samsung Galaxy S5") && !strings.HasPrefix(m.Name, m.Manufacturer) {
		v.add("Name", m.Name, "does not begin with the manufacturer", "the manufacturer, then the model", m.Manufacturer+" One")
	}
	v.number("Year", m.Year, 1978, 9998, "2014")
	v.oneOf("Arch", m.Arch, []string{"aarch64"}, "aarch64")
	v.oneOf("Chassis", m.Chassis, Chassis, "handset")
	v.number("ScreenWidth", m.ScreenWidth, 0, 16384, "1080")
	v.number("ScreenHeight", m.ScreenHeight, 0, 16384, "1920")
	if (m.ScreenWidth == 0) != (m.ScreenHeight == 0) {
		v.add("ScreenHeight", fmt.Sprint(m.ScreenHeight), "only one side of the screen is known", "both sides in pixels, or 0 and 0", "1920")
	}
	v.flash(m.Flash)
	v.bootImage(m.BootImage)
	v.kernel(m)
	seen := map[string]bool{}
	for i, name := range m.Modules {
		field := fmt.Sprintf("Modules[%d]", i)
		if v.form(field, name, moduleForm, "a module's name without .ko", "virtio_blk") && seen[name] {
			v.add(field, name, "is listed twice", "each module once", "virtio_blk")
		}
		seen[name] = true
	}
	v.extra(m)
	for i, touch := range m.Touch {
		v.touch(fmt.Sprintf("Touch[%d]", i), touch)
	}
	if v.text("Maintainer.Name", m.Maintainer.Name, "Jo Porter") && strings.Contains(m.Maintainer.Name, ",") {
		v.add("Maintainer.Name", m.Maintainer.Name, "has a comma, which separates people in Debian's control files", "a name without commas", "Jo Porter")
	}
	v.form("Maintainer.Email", m.Maintainer.Email, emailForm, "an address, user@host", "jo@example.org")
	v.form("User", m.User, userForm, "1 to 31 of a-z, 0-9, underscore and hyphen; letter or underscore first", "user")
	if m.Root != "" {
		v.form("Root", m.Root, rootForm, "PARTLABEL=, LABEL= or UUID= and a name, or a path below /dev", "PARTLABEL=userdata")
	}
	v.number("Revision", m.Revision, 0, 99999, "1")
	if len(v.problems) == 0 {
		return nil
	}
	return v.problems
}

func (v *validator) flash(f Flash) {
	v.oneOf("Flash.Method", f.Method, FlashMethods, "fastboot")
	partitions := []struct{ field, value, example string }{
		{"Flash.Kernel", f.Kernel, "boot"}, {"Flash.Rootfs", f.Rootfs, "userdata"},
		{"Flash.VBMeta", f.VBMeta, "vbmeta"}, {"Flash.DTBO", f.DTBO, "dtbo"},
	}
	for _, p := range partitions {
		if p.value != "" {
			v.form(p.field, p.value, partitionForm, "a partition's name: letters, digits, dot, underscore and hyphen", p.example)
		}
	}
}

func (v *validator) bootImage(b BootImage) {
	v.number("BootImage.HeaderVersion", b.HeaderVersion, 0, 4, "0")
	if b.Generate && (b.PageSize < 2048 || b.PageSize > 1<<17 || b.PageSize&(b.PageSize-1) != 0) {
		v.add("BootImage.PageSize", fmt.Sprint(b.PageSize), "is no page size of a boot image", "a power of two from 2048 to 131072", "2048")
	}
	if b.DTB != "" {
		v.form("BootImage.DTB", b.DTB, dtbForm, "a path without .dtb below the kernel's dts folder", "qcom/apq8016-sbc")
	}
	if !slices.Contains([]int{0, 512, 2048, 4096}, b.RootfsSector) {
		v.add("BootImage.RootfsSector", fmt.Sprint(b.RootfsSector), "is no sector size", "512, 2048, 4096, or 0 for the default", "4096")
	}
	if b.AppendDTB && b.DTB == "" {
		v.add("BootImage.AppendDTB", "true", "there is no device tree to append", "true only together with DTB", "false")
	}
}

func (v *validator) kernel(m Model) {
	k := m.Kernel
	v.oneOf("Kernel.Kind", string(k.Kind), []string{string(KernelArchive), string(KernelSource)}, string(KernelArchive))
	if v.form("Kernel.Series", k.Series, seriesForm, "the first two numbers of a kernel version", "6.1") {
		release := regexp.MustCompile(`^` + regexp.QuoteMeta(k.Series) + `\.[0-9]{1,4}$`)
		v.form("Kernel.Release", k.Release, release, "a kernel.org release of series "+k.Series, k.Series+".100")
	}
	v.form("Kernel.Suite", k.Suite, suiteForm, "a Debian suite", "bookworm")
	for i, parameter := range k.Cmdline {
		v.form(fmt.Sprintf("Kernel.Cmdline[%d]", i), parameter, parameterForm,
			"one parameter without blanks and quotes: letters, digits and _.,:;=/@%+*~-", "console=ttyMSM0,115200n8")
	}
	if line := strings.Join(m.Cmdline(), " "); len(line) > maxCmdline {
		v.add("Kernel.Cmdline", line, "is too long for a boot image", fmt.Sprintf("%d bytes", maxCmdline), "console=tty0")
	}
}

// extraExclude are names that stand in deviceinfo already.
var extraExclude = regexp.MustCompile(`^(format_version|name|manufacturer|codename|year|arch|chassis|external_storage|screen_width|screen_height|dev_touchscreen.*|flash_method|flash_(offset|fastboot_partition|heimdall_partition|mtkclient_partition|rk_partition)_.*|flash_pagesize|flash_sparse|generate_bootimg|header_version|dtb|append_dtb|bootimg_append_seandroidenforce|rootfs_image_sector_size)$`)

func (v *validator) extra(m Model) {
	seen := map[string]bool{}
	for i, e := range m.Extra {
		field := fmt.Sprintf("Extra[%d]", i)
		if v.form(field+".Name", e.Name, variableForm, "a deviceinfo variable without its prefix", "usb_idVendor") {
			switch {
			case extraExclude.MatchString(e.Name):
				v.add(field+".Name", e.Name, "is written from a field of its own", "variables that the model has no field for", "usb_idVendor")
			case obsolete[e.Name] != "":
				v.add(field+".Name", e.Name, "is obsolete", obsolete[e.Name], "usb_idVendor")
			case seen[e.Name]:
				v.add(field+".Name", e.Name, "is listed twice", "each variable once", "usb_idVendor")
			}
			seen[e.Name] = true
		}
		if e.Value == "" || len(e.Value) > 200 || strings.ContainsFunc(e.Value, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune("\"\\$`", r) }) {
			v.add(field+".Value", e.Value, "cannot stand within double quotes as it is", "1 to 200 printable ASCII characters without \" \\ $ and `", "0x18d1")
		}
	}
}

func (v *validator) touch(field string, t Touch) {
	allowed := "what the kernel names the device: 1 to 79 bytes of printable UTF-8"
	if t.Device == "" || len(t.Device) > 79 || !utf8.ValidString(t.Device) || strings.ContainsFunc(t.Device, func(r rune) bool { return !unicode.IsPrint(r) }) {
		v.add(field+".Device", t.Device, "is not the name of an input device", allowed, "Goodix Capacitive TouchScreen")
	}
	for _, n := range t.Matrix {
		if math.IsNaN(n) || math.Abs(n) > 1000 {
			v.add(field+".Matrix", fmt.Sprint(t.Matrix), "has a number that no touchscreen needs", "six numbers from -1000 to 1000", "[0 -1 1 1 0 0]")
			break
		}
	}
	if a, b, d, e := t.Matrix[0], t.Matrix[1], t.Matrix[3], t.Matrix[4]; a*e-b*d == 0 {
		v.add(field+".Matrix", fmt.Sprint(t.Matrix), "maps the whole panel to one line", "a matrix that can be inverted", "[1 0 0 0 1 0]")
	}
	if t.Comment != "" && !strings.ContainsFunc(t.Comment, func(r rune) bool { return r == '°' }) {
		v.text(field+".Comment", t.Comment, "rotated by 90 degrees")
	} else if t.Comment != "" {
		v.text(field+".Comment", strings.ReplaceAll(t.Comment, "°", " degrees"), "rotated 90°")
	}
}
