package templates

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"strings"
	"text/template"

	"mvdan.cc/sh/v3/syntax"
)

// functions are what templates put values through.
var functions = template.FuncMap{
	"sh":     quote,
	"dq":     doubleQuote,
	"hex":    func(n uint32) string { return fmt.Sprintf("0x%08x", n) },
	"matrix": Touch.matrix,
	"udev":   udevPattern,
}

// quote makes one word of s for a POSIX shell.
func quote(s string) (string, error) {
	word, err := syntax.Quote(s, syntax.LangPOSIX)
	if err != nil {
		return "", fmt.Errorf("quote %q for a shell: %w", s, err)
	}
	return word, nil
}

// doubleQuote puts s within double quotes, for files whose readers do not
// know the shell's other quotes (deviceinfo, APKBUILD metadata). What would
// need escaping is refused: pmbootstrap reads such files without unescaping.
func doubleQuote(s string) (string, error) {
	if i := strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune("\"\\$`", r) }); i >= 0 {
		return "", fmt.Errorf("%q cannot stand within double quotes: byte %d", s, i)
	}
	return `"` + s + `"`, nil
}

// udevPattern makes a glob pattern for a udev match of a device name. The
// characters that mean something in a pattern, and the quote, which ends the
// value, become "?", any one character (udev(7), "Keys which can be matched").
func udevPattern(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`*?[]|\"`, r) {
			return '?'
		}
		return r
	}, s)
}

// deviceinfoLine is pmaports' own rule for the lines of deviceinfo (.ci/testcases).
var deviceinfoLine = regexp.MustCompile(`^deviceinfo_[a-zA-Z0-9_]*=".*"(\s*# .*)?$`)

// checkSyntax parses a rendered file as what it is: APKBUILDs as bash, which
// Alpine's shell is close to, everything with a shell's first line as POSIX.
func checkSyntax(f File) error {
	lang := syntax.LangPOSIX
	switch name := path.Base(f.Path); {
	case name == "APKBUILD":
		lang = syntax.LangBash
	case name == "deviceinfo":
		for i, line := range strings.Split(strings.TrimSuffix(string(f.Data), "\n"), "\n") {
			if line != "" && !strings.HasPrefix(line, "#") && !deviceinfoLine.MatchString(line) {
				return fmt.Errorf("%s line %d does not have the form of deviceinfo: %q", f.Path, i+1, line)
			}
		}
	case isShell(f):
	default:
		return nil
	}
	parser := syntax.NewParser(syntax.Variant(lang))
	if _, err := parser.Parse(bytes.NewReader(f.Data), f.Path); err != nil {
		return fmt.Errorf("a rendered shell file does not parse: %w", err)
	}
	return nil
}

// isShell tells shell files by their first line: an interpreter, or what tells
// shellcheck the dialect of a file that is only included.
func isShell(f File) bool {
	line, _, _ := strings.Cut(string(f.Data), "\n")
	return line == "#!/bin/sh" || line == "#!/bin/busybox sh" || strings.HasPrefix(line, "# shellcheck shell=")
}
