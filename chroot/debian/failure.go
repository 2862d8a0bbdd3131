package debian

import (
	"fmt"
	"regexp"
	"strings"
)

// BuildError says that a package did not build.
type BuildError struct {
	Package    string
	FirstError string   // the first line that names an error, empty when none does
	Tail       []string // the last lines of output
	Log        string   // file with the whole output
	Err        error
}

func (e *BuildError) Error() string {
	first := e.FirstError
	if first == "" && len(e.Tail) > 0 {
		first = e.Tail[len(e.Tail)-1]
	}
	return fmt.Sprintf("build %s: %s (%v); the whole output is in %s; mend the cause and run the build again, what compiled is kept",
		e.Package, strings.TrimSpace(first), e.Err, e.Log)
}

func (e *BuildError) Unwrap() error { return e.Err }

// OfflineError says that something is not in the caches and may not be fetched.
type OfflineError struct{ What string }

func (e *OfflineError) Error() string {
	return fmt.Sprintf("%s is not in the work folder's caches and offline mode forbids to fetch it; run once without --offline", e.What)
}

// HostError says that the host lacks a program or file; its cure is a package.
type HostError struct {
	Lacks   string // path or program
	Package string // Debian package that has it
}

func (e *HostError) Error() string {
	return fmt.Sprintf("the host has no %s; install the package %s (apt install %s); portolan doctor lists all that is needed", e.Lacks, e.Package, e.Package)
}

// tailLines is how many lines of output a failure shows.
const tailLines = 40

// maxLine bounds one line of output that is kept.
const maxLine = 4096

// failure watches a build's output and remembers where it went wrong.
type failure struct {
	first string
	tail  []string
}

// errorLine recognises the first line a person wants to see, in the words of the
// programs that say it: compilers ("file.c:3:5: error: …", "fatal error:"), the
// linker ("undefined reference"), make ("*** […] Error 1"), shell, dpkg and debhelper.
var errorLine = regexp.MustCompile(`(^|[\s:])(fatal error|error|ERROR|Error):\s` +
	`|undefined reference to` +
	`|^(make(\[\d+\])?|gmake(\[\d+\])?): \*\*\* ` +
	`|^dpkg-(buildpackage|deb|source|gencontrol|shlibdeps|checkbuilddeps): error` +
	`|^(dh|dh_[a-z]+): error` +
	`|: command not found$|: not found$|No space left on device|^cc1: |internal compiler error`)

// weakLine only reports that something failed before; a line that says what is
// better, so it counts only when nothing else was seen.
var weakLine = regexp.MustCompile(`^g?make(\[\d+\])?: \*\*\* |^dpkg-buildpackage: error|^dh: error`)

func (f *failure) line(s string) {
	s = clip(s, maxLine)
	if errorLine.MatchString(s) && (f.first == "" || (weakLine.MatchString(f.first) && !weakLine.MatchString(s))) {
		f.first = strings.TrimSpace(s)
	}
	if len(f.tail) >= tailLines {
		copy(f.tail, f.tail[1:])
		f.tail = f.tail[:tailLines-1]
	}
	f.tail = append(f.tail, s)
}
