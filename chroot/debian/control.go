package debian

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Bounds of a control file (debian/control, apt sources, apt lists' stanzas).
const (
	maxControlFile = 4 << 20
	maxParagraphs  = 4096
	maxFields      = 256
)

// paragraph is one paragraph of deb822(5): field names in lower case; the lines
// of a folded value are joined by newlines, their leading blanks kept off.
type paragraph map[string]string

// parseParagraphs reads deb822(5): paragraphs of "Field: value" lines divided by
// blank lines, values continued on indented lines, comments starting with #.
func parseParagraphs(data []byte) ([]paragraph, error) {
	if len(data) > maxControlFile {
		return nil, fmt.Errorf("control data of %d bytes is over the limit of %d", len(data), maxControlFile)
	}
	var list []paragraph
	current, field := paragraph{}, ""
	flush := func() {
		if len(current) > 0 {
			list = append(list, current)
		}
		current, field = paragraph{}, ""
	}
	number := 0
	for line := range bytes.Lines(data) {
		number++
		text := strings.TrimRight(string(line), "\r\n")
		switch {
		case strings.TrimSpace(text) == "":
			flush()
			if len(list) > maxParagraphs {
				return nil, fmt.Errorf("control data has more than %d paragraphs", maxParagraphs)
			}
		case text[0] == '#':
		case text[0] == ' ' || text[0] == '\t':
			if field == "" {
				return nil, fmt.Errorf("line %d: a continuation line without a field before it", number)
			}
			current[field] += "\n" + strings.TrimSpace(text)
		default:
			name, value, ok := strings.Cut(text, ":")
			if !ok || name == "" || strings.ContainsAny(name, " \t") {
				return nil, fmt.Errorf("line %d: %q is not a field: NAME: VALUE was expected", number, clip(text, 80))
			}
			field = strings.ToLower(name)
			if _, twice := current[field]; twice {
				return nil, fmt.Errorf("line %d: field %s is given twice", number, clip(name, 80))
			}
			if len(current) >= maxFields {
				return nil, fmt.Errorf("line %d: more than %d fields in one paragraph", number, maxFields)
			}
			current[field] = strings.TrimSpace(value)
		}
	}
	flush()
	return list, nil
}

// Control is what Portolan needs of a debian/control file.
type Control struct {
	Source       string
	Packages     []string // names of the binary packages
	BuildDepends []Dependency
}

// Dependency is one group of alternatives ("a | b") of a dependency field; the
// first alternative that fits the build architecture is what gets installed, as
// sbuild does it.
type Dependency struct {
	Name      string // of the package
	Qualifier string // "native", "any", an architecture, or empty
}

// String is how apt names it on its command line. For a package built for
// another architecture :native means the build machine's, which is apt's default.
func (d Dependency) String() string {
	if d.Qualifier == "" || d.Qualifier == "native" || d.Qualifier == "any" {
		return d.Name
	}
	return d.Name + ":" + d.Qualifier
}

// packageName is Debian policy 5.6.1.
var packageName = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]{1,127}$`)

// archName is what stands in an Architecture field or after a colon.
var archName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,31}$`)

// ParseControl reads a debian/control file for a build on the architecture
// native (Debian policy 5.2 and 7.1): Build-Depends, -Arch and -Indep together,
// restrictions in [brackets] honoured, those for build profiles (<!nocheck>)
// read as if no profile were active.
func ParseControl(data []byte, native string) (*Control, error) {
	paragraphs, err := parseParagraphs(data)
	if err != nil {
		return nil, fmt.Errorf("read debian/control: %w", err)
	}
	if len(paragraphs) < 2 || paragraphs[0]["source"] == "" {
		return nil, errors.New("read debian/control: the first paragraph needs a Source field and a Package paragraph must follow")
	}
	c := &Control{Source: paragraphs[0]["source"]}
	if !packageName.MatchString(c.Source) {
		return nil, fmt.Errorf("read debian/control: source name %q is not a valid Debian package name", clip(c.Source, 80))
	}
	for _, p := range paragraphs[1:] {
		if !packageName.MatchString(p["package"]) {
			return nil, fmt.Errorf("read debian/control: package name %q is not a valid Debian package name", clip(p["package"], 80))
		}
		c.Packages = append(c.Packages, p["package"])
	}
	for _, f := range []string{"build-depends", "build-depends-arch", "build-depends-indep"} {
		deps, err := parseDepends(paragraphs[0][f], native)
		if err != nil {
			return nil, fmt.Errorf("read debian/control: field %s: %w", f, err)
		}
		c.BuildDepends = append(c.BuildDepends, deps...)
	}
	return c, nil
}

func parseDepends(field, native string) ([]Dependency, error) {
	var list []Dependency
	for group := range strings.SplitSeq(field, ",") {
		if strings.TrimSpace(group) == "" {
			continue
		}
		for alternative := range strings.SplitSeq(group, "|") {
			d, fits, err := parseAlternative(alternative, native)
			if err != nil {
				return nil, err
			}
			if fits {
				list = append(list, d)
				break
			}
		}
	}
	return list, nil
}

// parseAlternative reads "name:qualifier (>= version) [arch …] <profile …>".
func parseAlternative(s, native string) (d Dependency, fits bool, err error) {
	text := strings.TrimSpace(s)
	end := strings.IndexAny(text, " \t\n([<")
	if end < 0 {
		end = len(text)
	}
	name, rest := text[:end], text[end:]
	d.Name, d.Qualifier, _ = strings.Cut(name, ":")
	if !packageName.MatchString(d.Name) || (d.Qualifier != "" && !archName.MatchString(d.Qualifier)) {
		return d, false, fmt.Errorf("%q does not start with a package name", clip(text, 80))
	}
	fits = true
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		closing, ok := map[byte]string{'(': ")", '[': "]", '<': ">"}[rest[0]]
		if !ok {
			return d, false, fmt.Errorf("%q: unexpected %q", clip(text, 80), clip(rest, 20))
		}
		// A version relation holds < and > itself, so brackets are taken whole.
		inner, after, found := strings.Cut(rest[1:], closing)
		if !found {
			return d, false, fmt.Errorf("%q: %q is not closed", clip(text, 80), rest[:1])
		}
		switch rest[0] {
		case '[':
			fits = fits && archFits(strings.Fields(inner), native)
		case '<': // <!profile> holds without profiles, <profile> does not
			for _, p := range strings.Fields(inner) {
				fits = fits && strings.HasPrefix(p, "!")
			}
		}
		rest = after
	}
	return d, fits, nil
}

// archFits is Debian policy 7.1 with the wildcards of 11.1 for Linux.
func archFits(list []string, native string) bool {
	match := func(a string) bool {
		return a == native || a == "any" || a == "linux-any" || a == "any-"+native
	}
	negative := false
	for _, a := range list {
		if not, ok := strings.CutPrefix(a, "!"); ok {
			negative = true
			if match(not) {
				return false
			}
		} else if match(a) {
			return true
		}
	}
	return negative
}

// clip shortens outside text for a message.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
