package chroot

import (
	"fmt"
	"strings"
	"time"

	"mvdan.cc/sh/v3/syntax"
)

// ExitError says that a command ran and failed.
type ExitError struct {
	Chroot string
	Argv   []string
	Code   int      // exit status; 128+N when signal N ended it
	Signal int      // 0 when it exited by itself
	Tail   []string // its last lines
}

func (e *ExitError) Error() string {
	how := fmt.Sprintf("failed with exit status %d", e.Code)
	if e.Signal != 0 {
		how = fmt.Sprintf("was ended by signal %d", e.Signal)
	}
	return fmt.Sprintf("%s in chroot %s %s%s", quoteArgv(e.Argv), e.Chroot, how, lastWords(e.Tail))
}

// TimeoutError says that a command was killed at its deadline.
type TimeoutError struct {
	Chroot string
	Argv   []string
	After  time.Duration
	Tail   []string
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("%s in chroot %s was not done after %s and was killed%s", quoteArgv(e.Argv), e.Chroot, e.After, lastWords(e.Tail))
}

// lastWords shows the last few lines a command wrote; the log has the rest.
func lastWords(tail []string) string {
	const n = 3
	if len(tail) > n {
		tail = tail[len(tail)-n:]
	}
	if len(tail) == 0 {
		return ""
	}
	return ": " + strings.Join(tail, " | ")
}

// quoteArgv is argv as a shell line.
func quoteArgv(argv []string) string {
	words := make([]string, len(argv))
	for i, a := range argv {
		q, err := syntax.Quote(a, syntax.LangBash)
		if err != nil {
			q = fmt.Sprintf("%q", a)
		}
		words[i] = q
	}
	return strings.Join(words, " ")
}

// NoSpaceError says that a filesystem is, or would become, full.
type NoSpaceError struct {
	Path string
	Need int64 // bytes; 0 when it is not known
	Free int64 // bytes
}

func (e *NoSpaceError) Error() string {
	const mib = 1 << 20
	if e.Need == 0 {
		return fmt.Sprintf("no space left in %s (%d MiB free): make room, or choose another folder", e.Path, e.Free/mib)
	}
	return fmt.Sprintf("%s needs %d MiB and has %d MiB free: make room, or choose another folder", e.Path, (e.Need+mib-1)/mib, e.Free/mib)
}

// NeedSpace returns a *NoSpaceError unless path has room for need bytes.
func NeedSpace(path string, need int64) error {
	free, err := FreeSpace(path)
	if err != nil {
		return err
	}
	if free < need {
		return &NoSpaceError{Path: path, Need: need, Free: free}
	}
	return nil
}
