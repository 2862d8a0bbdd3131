package wizard

import (
	"strings"

	"portolan/templates"
)

// model keeps the list below readable.
type model = templates.Model

// Sections of the questions, in order.
const (
	sectionPhone  = "The phone"
	sectionScreen = "Screen and touch"
	sectionFlash  = "Flashing"
	sectionBoot   = "Boot image"
	sectionKernel = "Kernel"
	sectionSystem = "The system on the phone"
	sectionYou    = "You"
)

var (
	archChoices = []Choice{
		{"aarch64", "64-bit ARM: nearly every phone since 2015"},
	}
	// chassisChoices are the values of deviceinfo_chassis (postmarketOS, deviceinfo_schema.toml).
	chassisChoices = []Choice{
		{"handset", "a phone"}, {"tablet", "a tablet"}, {"watch", "a watch"},
		{"convertible", "a tablet with a keyboard"}, {"laptop", "a laptop"}, {"embedded", "a board"},
	}
	methodChoices = []Choice{
		{"fastboot", "the bootloader of Google's phones and most others"},
	}
	kernelChoices = []Choice{
		{"archive", "Debian's own kernel, ready made: minutes"},
		{"source", "compiled here from Debian's kernel source: yours to change"},
	}
	suiteChoices = []Choice{{"bookworm", "Debian 12"}}
	uiChoices    = []Choice{{"none", "a text console and SSH"}}
	boolChoices  = []Choice{{"true", "yes"}, {"false", "no"}}
)

func suggest(text string) Value { return Value{Text: text, Source: SourceDefault} }

// hexOffset is an offset of the boot image header.
func hexOffset(id, title, why, text string) Question {
	return Question{ID: id, Section: sectionBoot, Title: title, Kind: KindText, Why: why,
		IfWrong:    "The bootloader puts a part of the boot image where it is overwritten: the phone hangs at its logo, or goes back to the bootloader.",
		Suggestion: suggest(text), Validate: matches(hexPattern, "a hexadecimal number like 0x00008000")}
}

// Questions is the one list behind the form, the plain prompts, the answers
// file and port.toml. Order is the order in which they are asked and written.
var Questions = []Question{
	{ID: "manufacturer", Section: sectionPhone, Title: "Manufacturer", Kind: KindText,
		Validate: fits("Manufacturer", func(m *model, a string) { m.Manufacturer, m.Name = a, a }),
		Why:      "It is shown as the phone's name, and over USB.",
		IfWrong:  "Only the name shown is wrong."},
	{ID: "name", Section: sectionPhone, Title: "Name of the phone", Kind: KindText,
		Validate: fits("Name", func(m *model, a string) { m.Manufacturer, m.Name = a, a }),
		Why:      "People look for their phone by this name. It begins with the manufacturer's.",
		IfWrong:  "Only the name shown is wrong."},
	{ID: "vendor", Section: sectionPhone, Title: "Vendor, as one word", Kind: KindText,
		Validate: fits("Vendor", func(m *model, a string) { m.Vendor = a }),
		Why:      "The packages are called device-VENDOR-CODENAME and linux-VENDOR-CODENAME.",
		IfWrong:  "The packages have to be renamed before others can use them.",
		Suggest:  func(get func(string) string) string { return word(get("manufacturer")) }},
	{ID: "codename", Section: sectionPhone, Title: "Codename", Kind: KindText,
		Validate: fits("Codename", func(m *model, a string) { m.Codename = a }),
		Why:      "The short name that its makers gave the phone; package names hold it, and you type it before the phone is overwritten.",
		IfWrong:  "Another phone's packages could be built, and the check before flashing compares with the wrong name.",
		Suggest:  func(get func(string) string) string { return strings.ToLower(firstWord(get("fastboot_product"))) }},
	{ID: "year", Section: sectionPhone, Title: "Year of release", Kind: KindNumber, Validate: number(1978, 9998),
		Why:     "deviceinfo has it, and lists of phones are sorted by it.",
		IfWrong: "Only lists show a wrong year."},
	{ID: "arch", Section: sectionPhone, Title: "Processor architecture", Kind: KindChoice, Choices: archChoices, Validate: oneOf(archChoices),
		Why:        "Kernel and packages are built for it.",
		IfWrong:    "Nothing that is built runs on the phone.",
		Suggestion: suggest("aarch64")},
	{ID: "chassis", Section: sectionPhone, Title: "Kind of device", Kind: KindChoice, Choices: chassisChoices, Validate: oneOf(chassisChoices),
		Why:        "User interfaces fit themselves to it.",
		IfWrong:    "A user interface may choose the wrong layout.",
		Suggestion: suggest("handset")},
	{ID: "external_storage", Section: sectionPhone, Title: "Slot for a memory card", Kind: KindBool, Choices: boolChoices, Validate: boolean,
		Why:        "A system can also be installed on a card.",
		IfWrong:    "Installing on a card is offered in vain, or not offered.",
		Suggestion: suggest("false")},

	{ID: "screen_width", Section: sectionScreen, Title: "Screen width in pixels", Kind: KindNumber, Validate: number(1, 16384),
		Why:     "User interfaces and the calibration of the touchscreen need it.",
		IfWrong: "Things are drawn too big or too small."},
	{ID: "screen_height", Section: sectionScreen, Title: "Screen height in pixels", Kind: KindNumber, Validate: number(1, 16384),
		Why:     "User interfaces and the calibration of the touchscreen need it.",
		IfWrong: "Things are drawn too big or too small."},
	{ID: "touchscreen", Section: sectionScreen, Title: "Name of the touchscreen", Kind: KindText, Optional: true,
		Validate: fits("Touch[0].Device", func(m *model, a string) {
			m.Touch = []templates.Touch{{Device: a, Matrix: [6]float64{1, 0, 0, 0, 1, 0}}}
		}),
		Why:     "The kernel's name of the input device; the rule for its rotation is matched by it. Leave it empty: the touch step reads it from the phone.",
		IfWrong: "The touchscreen stays uncalibrated until the touch step runs."},
	{ID: "touch_matrix", Section: sectionScreen, Title: "Calibration matrix of the touchscreen", Kind: KindText, Optional: true, Validate: matrix,
		Why:     "Six numbers as libinput takes them, from screen to panel turned and scaled. Leave it empty: the touch step measures it.",
		IfWrong: "Taps land somewhere else than under the finger."},

	{ID: "flash_method", Section: sectionFlash, Title: "How the phone is flashed", Kind: KindChoice, Choices: methodChoices, Validate: oneOf(methodChoices),
		Why:        "Each kind of bootloader has its own language.",
		IfWrong:    "The phone does not answer, and nothing is written.",
		Suggestion: suggest("fastboot")},
	{ID: "fastboot_product", Section: sectionFlash, Title: "What the bootloader calls the phone", Kind: KindList, Optional: true, Validate: each(matches(productPattern, "no blanks")),
		Why:     "Before flashing, the bootloader is asked for its product name, and another phone is refused. Several names are separated by blanks.",
		IfWrong: "The right phone is refused, or a wrong one is not."},
	{ID: "partition_kernel", Section: sectionFlash, Title: "Partition for the boot image", Kind: KindText, Validate: fits("Flash.Kernel", func(m *model, a string) { m.Flash.Kernel = a }),
		Why:        "The boot image with kernel and initramfs is written there.",
		IfWrong:    "Another part of the phone is overwritten.",
		Suggestion: suggest("boot")},
	{ID: "partition_rootfs", Section: sectionFlash, Title: "Partition for the system", Kind: KindText, Validate: fits("Flash.Rootfs", func(m *model, a string) { m.Flash.Rootfs = a }),
		Why:        "The root filesystem is written there, and everything on it is lost.",
		IfWrong:    "Another part of the phone is overwritten.",
		Suggestion: suggest("userdata")},

	{ID: "header_version", Section: sectionBoot, Title: "Version of the boot image header", Kind: KindChoice,
		Choices:    []Choice{{"0", "up to Android 8"}, {"1", "Android 9"}, {"2", "Android 10"}},
		Validate:   oneOf([]Choice{{"0", ""}, {"1", ""}, {"2", ""}}),
		Why:        "Bootloaders read the version that the phone came with.",
		IfWrong:    "The bootloader refuses the boot image.",
		Suggestion: suggest("0")},
	{ID: "flash_pagesize", Section: sectionBoot, Title: "Page size of the boot image", Kind: KindNumber, Validate: powerOfTwo(2048, 16384),
		Why:        "The parts of a boot image start at multiples of it.",
		IfWrong:    "The bootloader finds garbage instead of a kernel.",
		Suggestion: suggest("2048")},
	hexOffset("flash_offset_base", "Base address", "The other offsets count from it.", "0x10000000"),
	hexOffset("flash_offset_kernel", "Offset of the kernel", "The bootloader loads the kernel at base + this.", "0x00008000"),
	hexOffset("flash_offset_ramdisk", "Offset of the ramdisk", "The bootloader loads the initramfs at base + this.", "0x01000000"),
	hexOffset("flash_offset_second", "Offset of the second stage", "Hardly any phone uses it, but the header has it.", "0x00f00000"),
	hexOffset("flash_offset_tags", "Offset of the kernel tags", "The bootloader hands its parameters over at base + this.", "0x00000100"),
	func() Question {
		q := hexOffset("flash_offset_dtb", "Offset of the device tree", "The bootloader loads the device tree at base + this.", "0x01f00000")
		q.Applies = func(get func(string) string) bool { return get("header_version") == "2" }
		return q
	}(),

	{ID: "kernel", Section: sectionKernel, Title: "Which kernel", Kind: KindChoice, Choices: kernelChoices, Validate: oneOf(kernelChoices),
		Why:        "The first rehearsal is quick with the archive's kernel; a port needs one that you compile.",
		IfWrong:    "Nothing is lost: change it, and only build, image and flash run again.",
		Suggestion: suggest("archive")},
	{ID: "kernel_cmdline", Section: sectionKernel, Title: "Kernel parameters", Kind: KindText, Optional: true,
		Validate: fits("Kernel.Cmdline", func(m *model, a string) { m.Kernel.Cmdline = strings.Fields(a) }),
		Why:      "The kernel is started with them; the stock ones often hold the console and hardware quirks.",
		IfWrong:  "The kernel stays silent or does not find its hardware."},
	{ID: "modules_initfs", Section: sectionKernel, Title: "Modules for the initramfs", Kind: KindList, Optional: true, Validate: fits("Modules", func(m *model, a string) { m.Modules = strings.Fields(a) }),
		Why:     "Drivers of the disk and the USB network must be there before the root filesystem is.",
		IfWrong: "The phone boots but does not show up on USB, or does not find its root."},
	{ID: "debug_shell", Section: sectionKernel, Title: "Debug shell while booting", Kind: KindBool, Choices: boolChoices, Validate: boolean,
		Why:        "A root shell without a password on the USB network until the root is mounted: the way in when booting fails.",
		IfWrong:    "With it, whoever holds the cable is root before the disk is unlocked; without it, a failed boot is harder to look into.",
		Suggestion: suggest("false")},

	{ID: "suite", Section: sectionSystem, Title: "Debian release", Kind: KindChoice, Choices: suiteChoices, Validate: oneOf(suiteChoices),
		Why:        "Packages of the system come from it.",
		IfWrong:    "The archive does not have it, and the build says so.",
		Suggestion: suggest("bookworm")},
	{ID: "hostname", Section: sectionSystem, Title: "Host name", Kind: KindText, Validate: matches(hostnamePattern, "lower-case letters, digits and dashes, at most 63"),
		Why:     "The phone calls itself so in networks.",
		IfWrong: "Only the name is wrong.",
		Suggest: func(get func(string) string) string { return get("codename") }},
	{ID: "user", Section: sectionSystem, Title: "User name", Kind: KindText, Validate: fits("User", func(m *model, a string) { m.User = a }),
		Why:        "You log in with it over SSH, with a key.",
		IfWrong:    "Only the name is wrong.",
		Suggestion: suggest("user")},
	{ID: "ui", Section: sectionSystem, Title: "User interface", Kind: KindChoice, Choices: uiChoices, Validate: oneOf(uiChoices),
		Why:        "What the phone shows once it has booted.",
		IfWrong:    "Another one can be installed later.",
		Suggestion: suggest("none")},
	{ID: "encryption", Section: sectionSystem, Title: "Encrypt the system", Kind: KindBool, Choices: boolChoices, Validate: boolean,
		Why:        "A lost phone then tells nothing. The passphrase is asked over USB at every boot.",
		IfWrong:    "Without it, whoever finds the phone reads everything on it.",
		Suggestion: suggest("true")},

	{ID: "maintainer_name", Section: sectionYou, Title: "Your name", Kind: KindText,
		Validate: fits("Maintainer.Name", func(m *model, a string) { m.Maintainer.Name = a }),
		Why:      "Packages name who looks after them.",
		IfWrong:  "Others do not know whom to ask."},
	{ID: "maintainer_email", Section: sectionYou, Title: "Your e-mail address", Kind: KindText,
		Validate: fits("Maintainer.Email", func(m *model, a string) { m.Maintainer.Email = a }),
		Why:      "Packages name how to reach who looks after them.",
		IfWrong:  "Others cannot reach you."},
}

// QuestionByID finds a question.
func QuestionByID(id string) (Question, bool) {
	for _, q := range Questions {
		if q.ID == id {
			return q, true
		}
	}
	return Question{}, false
}

func questionIDs() []string {
	ids := make([]string, len(Questions))
	for i, q := range Questions {
		ids[i] = q.ID
	}
	return ids
}

// word makes one lower-case word of a name.
func word(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(s))
}

func firstWord(s string) string {
	if f := strings.Fields(s); len(f) > 0 {
		return f[0]
	}
	return ""
}
