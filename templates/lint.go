package templates

import (
	"bytes"
	"crypto/sha512"
	"fmt"
	"path"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Finding is a broken rule of pmaports' own checks (.ci in pmaports), of the
// schema of deviceinfo or of Debian.
type Finding struct {
	Rule string // name of the rule, as "maintainer"
	File string
	Line int    // from 1; 0 for the whole file
	What string // what is wrong
	Fix  string // what to do
}

// String is one line, as compilers print it.
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s [%s]; %s", f.File, f.Line, f.What, f.Rule, f.Fix)
}

// RuleChecksum is the rule that a freshly generated kernel package breaks: the
// checksum of a file that must be fetched first.
const RuleChecksum = "checksum"

// Lint checks the files of a port: paths as Packages returns them, contents
// perhaps edited since. Findings are sorted by file and line.
func Lint(files []File) []Finding {
	l := &linter{byPath: map[string]File{}}
	for _, f := range files {
		l.byPath[f.Path] = f
	}
	for _, f := range files {
		l.anyFile(f)
		dir, base := path.Base(path.Dir(f.Path)), path.Base(f.Path)
		switch {
		case base == "APKBUILD" && strings.HasPrefix(dir, "device-"):
			l.deviceBuild(f)
		case base == "APKBUILD" && strings.HasPrefix(dir, "linux-"):
			l.kernelBuild(f)
		case base == "deviceinfo":
			l.deviceinfo(f)
		}
	}
	sort.SliceStable(l.found, func(i, j int) bool {
		a, b := l.found[i], l.found[j]
		return a.File < b.File || a.File == b.File && a.Line < b.Line
	})
	return l.found
}

type linter struct {
	byPath map[string]File
	found  []Finding
}

func (l *linter) add(f File, line int, rule, what, fix string) {
	l.found = append(l.found, Finding{rule, f.Path, line, what, fix})
}

// forbidden are texts that no file of a port may have.
var forbidden = []struct {
	rule, fix string
	text      *regexp.Regexp
}{
	{"changeme", "write what belongs there", regexp.MustCompile(`\(CHANGEME!?\)`)},
	{"maintainer", "write the variable maintainer=\"Name <address>\" instead", regexp.MustCompile(`^# (Maintainer|Contributor):`)},
	{"modprobe.d", "put options into modprobe.conf, which devicepkg_package installs below /usr/lib", regexp.MustCompile(`/etc/modprobe\.d`)},
	{"nonfree", "depend on the firmware package itself", regexp.MustCompile(`nonfree-firmware`)},
}

func (l *linter) anyFile(f File) {
	for i, line := range strings.Split(string(f.Data), "\n") {
		for _, rule := range forbidden {
			if found := rule.text.FindString(line); found != "" {
				l.add(f, i+1, rule.rule, "has "+strconv.Quote(found), rule.fix)
			}
		}
	}
	if isShell(f) {
		if _, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(bytes.NewReader(f.Data), f.Path); err != nil {
			l.add(f, 0, "shell", err.Error(), "correct the syntax")
		}
	}
}

// apkbuild checks what both kinds of APKBUILD have in common.
func (l *linter) apkbuild(f File) (map[string]variable, bool) {
	vars, err := readVariables(f.Path, f.Data, syntax.LangBash)
	if err != nil {
		l.add(f, 0, "shell", err.Error(), "correct the syntax")
		return nil, false
	}
	if name := path.Base(path.Dir(f.Path)); vars["pkgname"].Value != name {
		l.add(f, vars["pkgname"].Line, "pkgname", "pkgname is not the name of the folder", "pkgname="+name)
	}
	if strings.TrimSpace(vars["maintainer"].Value) == "" {
		l.add(f, vars["maintainer"].Line, "maintainer", "nobody maintains this package", `maintainer="Name <address>"`)
	}
	have := sums(vars["sha512sums"].Value)
	for _, entry := range strings.Fields(vars["source"].Value) {
		name, remote := sourceName(entry)
		local, ok := l.byPath[path.Join(path.Dir(f.Path), name)]
		switch {
		case !remote && !ok:
			l.add(f, vars["source"].Line, "source", "there is no file "+name, "add the file, or take it out of source")
		case have[name] == "":
			l.add(f, vars["sha512sums"].Line, RuleChecksum, "has no checksum of "+name, "run abuild checksum (or pmbootstrap checksum) on the package")
		case !remote && have[name] != fmt.Sprintf("%x", sha512.Sum512(local.Data)):
			l.add(f, vars["sha512sums"].Line, RuleChecksum, name+" is not what its checksum says", "run abuild checksum (or pmbootstrap checksum) on the package")
		}
	}
	return vars, true
}

func (l *linter) deviceBuild(f File) {
	vars, ok := l.apkbuild(f)
	if !ok {
		return
	}
	if !slices.Contains(strings.Fields(vars["options"].Value), "!archcheck") {
		l.add(f, vars["options"].Line, "archcheck", "options lack !archcheck", `options="!check !archcheck"`)
	}
	depends, kernels := strings.Fields(vars["depends"].Value), 0
	for _, name := range depends {
		if strings.HasPrefix(name, "linux-") && !strings.HasPrefix(name, "linux-firmware") {
			kernels++
		}
	}
	if !slices.Contains(depends, "postmarketos-base") {
		l.add(f, vars["depends"].Line, "depends", "depends lack postmarketos-base", "add it")
	}
	if kernels != 1 && !strings.Contains(vars["subpackages"].Value, "-kernel-") {
		l.add(f, vars["depends"].Line, "kernel", fmt.Sprintf("depends on %d kernels", kernels), "depend on exactly one linux-* package, or make a kernel subpackage of each")
	}
	info, ok := l.byPath[path.Join(path.Dir(f.Path), "deviceinfo")]
	if !ok {
		l.add(f, 0, "deviceinfo", "there is no deviceinfo beside it", "generate the port again")
		return
	}
	if device, err := readVariables(info.Path, info.Data, syntax.LangPOSIX); err == nil && device["deviceinfo_arch"].Value != vars["arch"].Value {
		l.add(f, vars["arch"].Line, "arch", "arch is not that of deviceinfo", "make them the same")
	}
}

// crossCompiler are packages that are added by themselves for pmb:cross-native.
var crossCompiler = regexp.MustCompile(`^(gcc[0-9]*|binutils|g\+\+)-(armv7|armhf|aarch64|x86|x86_64|riscv64)$`)

func (l *linter) kernelBuild(f File) {
	vars, ok := l.apkbuild(f)
	if !ok {
		return
	}
	if !slices.Contains(strings.Fields(vars["options"].Value), "pmb:cross-native") {
		l.add(f, vars["options"].Line, "cross-native", "options lack pmb:cross-native", "add it: the kernel is cross-compiled")
	}
	needs := strings.Fields(vars["makedepends"].Value)
	for _, name := range needs {
		if crossCompiler.MatchString(name) {
			l.add(f, vars["makedepends"].Line, "cross-compiler", "makedepends name "+name, "take it out: it comes with pmb:cross-native")
		}
	}
	text := string(f.Data)
	if regexp.MustCompile(`make z?install`).MatchString(text) && !slices.Contains(needs, "postmarketos-installkernel") {
		l.add(f, vars["makedepends"].Line, "installkernel", "make install without postmarketos-installkernel", "add it to makedepends")
	}
	if strings.Contains(vars["source"].Value, "kernel.org/") && !strings.Contains(text, "LLVM=1") {
		l.add(f, 0, "llvm", "a mainline kernel is built without LLVM=1", "add LLVM=1 to make")
	}
	if m := regexp.MustCompile(`INSTALL_MOD_PATH="?\$pkgdir"?(/?[a-z]*)`).FindStringSubmatch(text); m != nil && m[1] != "/usr" {
		l.add(f, 0, "usr-merge", "modules are not installed below /usr", `INSTALL_MOD_PATH="$pkgdir"/usr`)
	}
}

func (l *linter) deviceinfo(f File) {
	for i, line := range strings.Split(string(f.Data), "\n") {
		if line != "" && !strings.HasPrefix(line, "#") && !deviceinfoLine.MatchString(line) {
			l.add(f, i+1, "syntax", "is not a variable in double quotes on a line of its own", `deviceinfo_name="value"`)
		}
	}
	vars, err := readVariables(f.Path, f.Data, syntax.LangPOSIX)
	if err != nil {
		l.add(f, 0, "shell", err.Error(), "correct the syntax")
		return
	}
	get := func(name string) variable { return vars["deviceinfo_"+name] }
	for _, name := range []string{"format_version", "name", "manufacturer", "codename", "year", "arch"} {
		if get(name).Value == "" {
			l.add(f, get(name).Line, "mandatory", "deviceinfo_"+name+" is missing", "add it")
		}
	}
	for name, v := range vars {
		bare := strings.TrimPrefix(name, "deviceinfo_")
		if instead := obsolete[bare]; instead != "" {
			l.add(f, v.Line, "obsolete", name+" is no longer read", "use "+instead)
		}
	}
	name := get("name")
	if name.Value != "" && !strings.HasPrefix(name.Value, get("manufacturer").Value) && !strings.HasPrefix(name.Value, "Google") && !strings.HasPrefix(name.Value, "Jolla") {
		l.add(f, name.Line, "name", "the name does not begin with the manufacturer", "put the manufacturer first")
	}
	if year, err := strconv.Atoi(get("year").Value); err != nil || year < 1978 || year > 9998 {
		l.add(f, get("year").Line, "year", "the year is not one from 1978 to 9998", "write the year of release")
	}
	if dir := path.Base(path.Dir(f.Path)); dir != "device-"+get("codename").Value {
		l.add(f, get("codename").Line, "codename", "the codename is not that of the folder "+dir, "write vendor-codename as in the folder's name")
	}
	if c := get("chassis"); c.Line > 0 && !slices.Contains(Chassis, c.Value) && c.Value != "container" {
		l.add(f, c.Line, "chassis", strconv.Quote(c.Value)+" is no chassis", "one of "+strings.Join(Chassis, ", "))
	}
	if m := get("flash_method"); m.Line > 0 && !slices.Contains(FlashMethods, m.Value) {
		l.add(f, m.Line, "flash-method", strconv.Quote(m.Value)+" is no flash method", "one of "+strings.Join(FlashMethods, ", "))
	}
}
