package templates

import (
	"context"
	"errors"
	"math"
	"os/exec"
	"path"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// attacks are texts that do harm where they are not quoted.
var attacks = []string{
	"", " ", "-e", "--help", "a\nb", "a\x00b", "\x1b[2J", "a\rb", "a\tb", `a"b`, `a\b`, "a`id`", "$(id)", "${IFS}", "a$b",
	"a;b", "a|b", "a>b", "a<b", "a#b", "a*b", "a?b", "[a]", "{a,b}", "a=b", "../../x", "a/../b", "a..", "\xff\xfe", "a\u202eb", "a\u2028b", "a\u00a0b", "é;id", strings.Repeat("a", 2000),
}

// TestAttackForms puts every attack into every field that has a form: all of
// them must be refused, whichever field it is.
func TestAttackForms(t *testing.T) {
	allowed := map[string][]string{
		"Codename":          {},
		"Kernel.Cmdline[0]": {"a;b", "a*b", "a=b", "a/../b", "a.."},
		"BootImage.DTB":     {"", "a.."},
		"Flash.Kernel":      {"", "a.."},
		"Flash.DTBO":        {"", "a.."},
		"Root":              {""},
		"Extra[0].Value":    {" ", "-e", "--help", "a;b", "a|b", "a>b", "a<b", "a#b", "a*b", "a?b", "[a]", "{a,b}", "a=b", "../../x", "a/../b", "a.."},
		"Touch[0].Device":   {" ", "-e", "--help", `a"b`, `a\b`, "a`id`", "$(id)", "${IFS}", "a$b", "a;b", "a|b", "a>b", "a<b", "a#b", "a*b", "a?b", "[a]", "{a,b}", "a=b", "../../x", "a/../b", "a..", "é;id"},
		"Maintainer.Name":   {"a/../b", "a.."},
		"Manufacturer":      {"a/../b", "a.."},
		"Name":              {},
		"Touch[0].Comment":  {"", "a/../b", "a.."},
		"Modules[0]":        {},
		"Vendor":            {},
		"User":              {},
		"Kernel.Suite":      {},
		"Kernel.Series":     {},
		"Kernel.Release":    {},
		"Kernel.Kind":       {},
		"Maintainer.Email":  {},
		"Extra[0].Name":     {},
		"Arch":              {},
		"Chassis":           {},
		"Flash.Method":      {},
	}
	set := map[string]func(m *Model, s string){
		"Vendor":            func(m *Model, s string) { m.Vendor = s },
		"Codename":          func(m *Model, s string) { m.Codename = s },
		"Name":              func(m *Model, s string) { m.Name = s },
		"Manufacturer":      func(m *Model, s string) { m.Manufacturer = s },
		"Arch":              func(m *Model, s string) { m.Arch = s },
		"Chassis":           func(m *Model, s string) { m.Chassis = s },
		"Flash.Method":      func(m *Model, s string) { m.Flash.Method = s },
		"Flash.Kernel":      func(m *Model, s string) { m.Flash.Kernel = s },
		"Flash.DTBO":        func(m *Model, s string) { m.Flash.DTBO = s },
		"BootImage.DTB":     func(m *Model, s string) { m.BootImage.DTB = s },
		"Kernel.Kind":       func(m *Model, s string) { m.Kernel.Kind = KernelKind(s) },
		"Kernel.Series":     func(m *Model, s string) { m.Kernel.Series = s },
		"Kernel.Release":    func(m *Model, s string) { m.Kernel.Release = s },
		"Kernel.Suite":      func(m *Model, s string) { m.Kernel.Suite = s },
		"Kernel.Cmdline[0]": func(m *Model, s string) { m.Kernel.Cmdline = []string{s} },
		"Modules[0]":        func(m *Model, s string) { m.Modules = []string{s} },
		"Extra[0].Name":     func(m *Model, s string) { m.Extra = []Variable{{s, "x"}} },
		"Extra[0].Value":    func(m *Model, s string) { m.Extra = []Variable{{"usb_idVendor", s}} },
		"Touch[0].Device":   func(m *Model, s string) { m.Touch[0].Device = s },
		"Touch[0].Comment":  func(m *Model, s string) { m.Touch[0].Comment = s },
		"Maintainer.Name":   func(m *Model, s string) { m.Maintainer.Name = s },
		"Maintainer.Email":  func(m *Model, s string) { m.Maintainer.Email = s },
		"User":              func(m *Model, s string) { m.User = s },
		"Root":              func(m *Model, s string) { m.Root = s },
	}
	for field, put := range set {
		for _, attack := range attacks {
			m := dinghy()
			m.Touch = []Touch{m.Touch[0]}
			put(&m, attack)
			if field == "Manufacturer" {
				m.Name = attack + " One"
			}
			var problems Problems
			files, err := Packages(m)
			refused := errors.As(err, &problems)
			may := false
			for _, a := range allowed[field] {
				may = may || a == attack
			}
			switch {
			case err != nil && !refused:
				t.Errorf("%s = %q got past validation and failed later: %v", field, attack, err)
			case refused && may:
				t.Errorf("%s = %q is refused: %v", field, attack, err)
			case !refused && !may:
				t.Errorf("%s = %q is taken", field, attack)
			case refused && len(problems.Field(field)) == 0:
				t.Errorf("%s = %q is refused for another field: %v", field, attack, err)
			case !refused:
				evaluate(t, m, files)
			}
		}
	}
}

// evaluate runs what a shell reads of the rendered files, and compares the
// values with the model's.
func evaluate(t *testing.T, m Model, files []File) {
	t.Helper()
	initramfs, err := Initramfs(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(files, initramfs...) {
		switch {
		case path.Base(f.Path) == "deviceinfo":
			vars := run(t, f, syntax.LangPOSIX)
			want := map[string]string{"deviceinfo_name": m.Name, "deviceinfo_manufacturer": m.Manufacturer, "deviceinfo_codename": m.ID(), "deviceinfo_dtb": m.BootImage.DTB}
			for _, e := range m.Extra {
				want["deviceinfo_"+e.Name] = e.Value
			}
			compare(t, f, vars, want)
		case f.Path == "postmarketos/device-"+m.ID()+"/APKBUILD":
			compare(t, f, run(t, f, syntax.LangBash), map[string]string{"pkgdesc": m.Name, "maintainer": m.Maintainer.String(), "arch": m.Arch})
		case f.Path == "etc/portolan.conf":
			compare(t, f, run(t, f, syntax.LangPOSIX), map[string]string{"DEVICE_NAME": m.Name, "DEVICE_MANUFACTURER": m.Manufacturer, "LOGIN_USER": m.User})
		case strings.HasSuffix(f.Path, ".rules"):
			for _, line := range strings.Split(strings.TrimSpace(string(f.Data)), "\n") {
				if !strings.HasPrefix(line, "#") && strings.Count(line, `"`) != 12 {
					t.Errorf("%s: quotes do not pair up: %s", f.Path, line)
				}
			}
		}
	}
}

// run runs a shell file with every command refused and returns its variables.
func run(t *testing.T, f File, lang syntax.LangVariant) map[string]string {
	t.Helper()
	file, err := syntax.NewParser(syntax.Variant(lang)).Parse(strings.NewReader(string(f.Data)), f.Path)
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(interp.ExecHandlerFunc) interp.ExecHandlerFunc {
		return func(_ context.Context, args []string) error {
			t.Errorf("%s runs %q", f.Path, args)
			return errors.New("refused")
		}
	}
	runner, err := interp.New(interp.ExecHandlers(refuse))
	if err != nil {
		t.Fatal(err)
	}
	if err := runner.Run(t.Context(), file); err != nil {
		t.Errorf("%s: %v", f.Path, err)
	}
	vars := map[string]string{}
	for name, v := range runner.Vars {
		vars[name] = v.String()
	}
	return vars
}

func compare(t *testing.T, f File, got, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s: %s is %q, not %q", f.Path, name, got[name], value)
		}
	}
}

// TestNames takes names that real phones and people have.
func TestNames(t *testing.T) {
	for _, name := range []string{"Bq Aquaris X5", "Fairphone 3+", "T-Mobile G1", "O'Brien & Söhne (2019)", "小米 红米 2", "LG V20/H990"} {
		m := dinghy()
		m.Manufacturer, m.Name, m.Maintainer.Name = name, name+" x", name
		files, err := Packages(m)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		evaluate(t, m, files)
	}
}

// TestQuote compares what a real shell makes of quoted texts.
func TestQuote(t *testing.T) {
	sh, err := exec.LookPath("dash")
	if err != nil {
		t.Skip("SKIP: no dash to judge the quoting: install package dash")
	}
	for _, text := range attacks {
		quoted, err := quote(text)
		if err != nil {
			if !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == '\u00a0' || r == '\u2028' || r == '\u202e' || r == '\ufffd' }) {
				t.Errorf("quote(%q): %v", text, err)
			}
			continue
		}
		out, err := exec.Command(sh, "-c", "printf %s "+quoted).Output()
		if text == "-e" || text == "--help" {
			out, err = exec.Command(sh, "-c", "printf %s "+quoted+" x").Output()
			out = []byte(strings.TrimSuffix(string(out), "x"))
		}
		if err != nil || string(out) != text {
			t.Errorf("%q quoted as %q is %q to a shell (%v)", text, quoted, out, err)
		}
	}
}

func TestRanges(t *testing.T) {
	cases := []struct {
		field string
		spoil func(*Model)
	}{
		{"Year", func(m *Model) { m.Year = 1977 }},
		{"Year", func(m *Model) { m.Year = 9999 }},
		{"Name", func(m *Model) { m.Name = "Dinghy" }},
		{"ScreenHeight", func(m *Model) { m.ScreenHeight = 0 }},
		{"ScreenWidth", func(m *Model) { m.ScreenWidth = -1 }},
		{"BootImage.PageSize", func(m *Model) { m.BootImage.PageSize = 3000 }},
		{"BootImage.HeaderVersion", func(m *Model) { m.BootImage.HeaderVersion = 5 }},
		{"BootImage.RootfsSector", func(m *Model) { m.BootImage.RootfsSector = 1024 }},
		{"BootImage.AppendDTB", func(m *Model) { m.BootImage.AppendDTB = true }},
		{"Kernel.Release", func(m *Model) { m.Kernel.Release = "6.6.1" }},
		{"Kernel.Cmdline", func(m *Model) {
			for range 20 {
				m.Kernel.Cmdline = append(m.Kernel.Cmdline, strings.Repeat("a", 100))
			}
		}},
		{"Modules[1]", func(m *Model) { m.Modules = []string{"evdev", "evdev"} }},
		{"Extra[0].Name", func(m *Model) { m.Extra = []Variable{{"kernel_cmdline", "quiet"}} }},
		{"Extra[0].Name", func(m *Model) { m.Extra = []Variable{{"arch", "armv7"}} }},
		{"Touch[0].Matrix", func(m *Model) { m.Touch[0].Matrix = [6]float64{1, 0, 0, 1, 0, 0} }},
		{"Touch[0].Matrix", func(m *Model) { m.Touch[0].Matrix[2] = math.NaN() }},
		{"Touch[0].Matrix", func(m *Model) { m.Touch[0].Matrix[2] = math.Inf(1) }},
		{"Maintainer.Name", func(m *Model) { m.Maintainer.Name = "A, B" }},
		{"Revision", func(m *Model) { m.Revision = -1 }},
	}
	for _, c := range cases {
		m := dinghy()
		c.spoil(&m)
		var problems Problems
		if err := m.Validate(); !errors.As(err, &problems) || len(problems) != 1 || len(problems.Field(c.field)) != 1 {
			t.Errorf("%s: want one problem of this field, got: %v", c.field, err)
		}
	}
	all := Model{}
	var problems Problems
	if err := all.Validate(); !errors.As(err, &problems) || len(problems) < 12 {
		t.Errorf("an empty model has only these problems: %v", err)
	}
	for _, p := range problems {
		if p.What == "" || p.Allowed == "" || p.Example == "" {
			t.Errorf("a problem does not say what to do: %+v", p)
		}
	}
}
