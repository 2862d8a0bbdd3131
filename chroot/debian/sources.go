package debian

import (
	"bufio"
	"bytes"
	"fmt"
	"net/url"
	"strings"
)

// Bounds of an apt sources file; what is longer is not a sources file.
const (
	maxSourcesFile = 1 << 20
	maxSources     = 4096
)

// Source is one archive that apt is configured to read: the cross product of
// its suites and components is left unexpanded.
type Source struct {
	URI        string   // with scheme, without trailing slash
	Suites     []string // as written: "bookworm", "bookworm-security", "stable"
	Components []string // as written: "main", "contrib"
	SignedBy   string   // path, fingerprint or embedded key; empty when none is named
}

// ParseSources reads an apt sources file: the one-line style of *.list
// (sources.list(5), "ONE-LINE-STYLE FORMAT") or the deb822 style of *.sources.
// Only enabled entries of type deb are returned; entries that make no sense are
// passed over, as apt's own file may hold styles newer than this parser.
func ParseSources(data []byte, deb822 bool) ([]Source, error) {
	if len(data) > maxSourcesFile {
		return nil, fmt.Errorf("apt sources of %d bytes are over the limit of %d", len(data), maxSourcesFile)
	}
	var list []Source
	if deb822 {
		paragraphs, err := parseParagraphs(data)
		if err != nil {
			return nil, err
		}
		for _, p := range paragraphs {
			list = append(list, deb822Sources(p)...)
			if len(list) > maxSources {
				return nil, fmt.Errorf("apt sources name more than %d archives", maxSources)
			}
		}
		return list, nil
	}
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Buffer(nil, maxSourcesFile+1)
	for sc.Scan() {
		if s, ok := oneLine(sc.Text()); ok {
			list = append(list, s)
		}
		if len(list) > maxSources {
			return nil, fmt.Errorf("apt sources name more than %d archives", maxSources)
		}
	}
	return list, sc.Err()
}

// deb822Sources expands one paragraph of sources.list(5), "DEB822-STYLE FORMAT".
func deb822Sources(p paragraph) []Source {
	enabled := strings.ToLower(strings.TrimSpace(p["enabled"]))
	if enabled == "no" || enabled == "false" || enabled == "0" || enabled == "off" {
		return nil
	}
	deb := false
	for _, t := range strings.Fields(p["types"]) {
		deb = deb || t == "deb"
	}
	if !deb {
		return nil
	}
	var list []Source
	for _, uri := range strings.Fields(p["uris"]) {
		clean, ok := cleanURI(uri)
		if !ok || len(list) >= 64 {
			continue
		}
		list = append(list, Source{URI: clean, Suites: strings.Fields(p["suites"]),
			Components: strings.Fields(p["components"]), SignedBy: strings.TrimSpace(p["signed-by"])})
	}
	return list
}

// oneLine reads "deb [ option=value … ] uri suite component …".
func oneLine(line string) (Source, bool) {
	line, _, _ = strings.Cut(line, "#")
	rest, ok := strings.CutPrefix(strings.TrimSpace(line), "deb")
	if !ok || rest == "" || (rest[0] != ' ' && rest[0] != '\t') {
		return Source{}, false
	}
	rest = strings.TrimSpace(rest)
	var s Source
	if strings.HasPrefix(rest, "[") {
		options, after, closed := strings.Cut(rest[1:], "]")
		if !closed {
			return Source{}, false
		}
		for _, o := range strings.Fields(options) {
			if v, ok := strings.CutPrefix(o, "signed-by="); ok {
				s.SignedBy = v
			}
		}
		rest = after
	}
	words := strings.Fields(rest)
	if len(words) < 3 { // a flat repository ("uri ./") has no component and is not Debian's
		return Source{}, false
	}
	if s.URI, ok = cleanURI(words[0]); !ok {
		return Source{}, false
	}
	s.Suites, s.Components = words[1:2], words[2:]
	return s, true
}

// cleanURI accepts what can be reached from inside a chroot: http and https.
// Whatever would not survive on one line of a sources file is refused, and so
// is a password, which would show in the list of processes and in logs.
func cleanURI(s string) (string, bool) {
	if len(s) > 2048 || strings.ContainsAny(s, " \t\r\n[]#\"'\\<>`$;") {
		return "", false
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", false
	}
	return strings.TrimRight(u.String(), "/"), true
}
