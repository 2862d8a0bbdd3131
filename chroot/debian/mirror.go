package debian

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// The public archive, for hosts that configure none and for the phone's own
// sources.list (https://www.debian.org/mirror/list).
const (
	DefaultMirror   = "https://deb.debian.org/debian"
	DefaultSecurity = "https://deb.debian.org/debian-security"
)

// DefaultSuite is the Debian release that toolbox and phone are made of.
const DefaultSuite = "bookworm"

// Keyring is the archive's keyring as package debian-archive-keyring installs it.
const Keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// releases are Debian's suites and code names; an archive that a host reads one
// of them from, under a path named debian, is a Debian mirror.
var releases = map[string]bool{
	"stable": true, "oldstable": true, "testing": true, "unstable": true, "sid": true,
	"bullseye": true, "bookworm": true, "trixie": true, "forky": true, "duke": true,
}

// Mirror is where the archive is read from: the release itself and its security updates.
type Mirror struct {
	URI      string // of the archive, "https://deb.debian.org/debian"
	Security string // of the security archive; empty when the host configures none
	From     string // where this was read: a file of the host's apt, "configured" or "default"
}

// Lines are the lines of a sources.list(5) for suite, all signed by Keyring. The
// updates suite and security come after the release, as Debian's installer writes them.
func (m Mirror) Lines(suite string) []string {
	deb := "deb [signed-by=" + Keyring + "] "
	lines := []string{deb + m.URI + " " + suite + " main", deb + m.URI + " " + suite + "-updates main"}
	if m.Security != "" {
		lines = append(lines, deb+m.Security+" "+suite+"-security main")
	}
	return lines
}

// MirrorError says that the archive could not be read. Nothing was kept of the attempt.
type MirrorError struct {
	Mirror Mirror
	Tried  string // what was to be done
	Output string // what apt said, its error lines
	Err    error
}

func (e *MirrorError) Error() string {
	said := ""
	if e.Output != "" {
		said = ": " + e.Output
	}
	return fmt.Sprintf("%s from the Debian mirror %s (%s)%s; nothing was kept; check the network, "+
		"or name another mirror with --mirror or in the host's apt sources, and run again",
		e.Tried, e.Mirror.URI, e.Mirror.From, said)
}

func (e *MirrorError) Unwrap() error { return e.Err }

// NewMirror is a mirror named by the configuration. A mirror of the security
// archive is not expected beside it, so the public one is read.
func NewMirror(uri string) (Mirror, error) {
	clean, ok := cleanURI(uri)
	if !ok {
		return Mirror{}, fmt.Errorf("mirror %q is not an http or https address of a Debian archive; write it as %s", clip(uri, 200), DefaultMirror)
	}
	return Mirror{URI: clean, Security: DefaultSecurity, From: "configured"}, nil
}

// HostMirror finds the mirror in the host's apt configuration below root ("/"):
// sources.list, sources.list.d/*.list and *.sources. Without one it is the
// public archive. A file that cannot be read or parsed is passed over, since apt
// itself may know more styles.
func HostMirror(ctx context.Context, root string) (Mirror, error) {
	dir := filepath.Join(root, "etc/apt")
	files := []string{filepath.Join(dir, "sources.list")}
	for _, pattern := range []string{"*.list", "*.sources"} {
		more, err := filepath.Glob(filepath.Join(dir, "sources.list.d", pattern))
		if err != nil {
			return Mirror{}, fmt.Errorf("list the host's apt sources: %w", err)
		}
		files = append(files, more...)
	}
	sort.Strings(files)
	var found Mirror
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return Mirror{}, err
		}
		sources, err := readSources(f)
		if err != nil {
			continue
		}
		archive, security := pick(sources)
		if found.URI == "" && archive != "" {
			found.URI, found.From = archive, strings.TrimPrefix(f, strings.TrimSuffix(root, "/"))
		}
		if found.Security == "" {
			found.Security = security
		}
	}
	if found.URI == "" {
		return Mirror{URI: DefaultMirror, Security: DefaultSecurity, From: "default"}, nil
	}
	return found, nil
}

func readSources(name string) ([]Source, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSourcesFile {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("not a sources file")}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return ParseSources(data, strings.HasSuffix(name, ".sources"))
}

// pick returns the first Debian archive and the first security archive. Other
// vendors use Debian's suite names too (docker, nginx), so the key, the component
// and the last name of the path must be Debian's as well.
func pick(list []Source) (archive, security string) {
	for _, s := range list {
		if s.SignedBy != "" && !strings.Contains(s.SignedBy, "debian-archive") {
			continue
		}
		if !contains(s.Components, "main") {
			continue
		}
		last := s.URI[strings.LastIndexByte(s.URI, '/')+1:]
		for _, suite := range s.Suites {
			base, _, _ := strings.Cut(suite, "/") // buster/updates, before bullseye
			release, pocket, _ := strings.Cut(base, "-")
			if !releases[release] {
				continue
			}
			switch {
			case pocket == "security" && security == "" && last == "debian-security":
				security = s.URI
			case pocket == "" && base == suite && archive == "" && last == "debian":
				archive = s.URI
			}
		}
	}
	return archive, security
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
