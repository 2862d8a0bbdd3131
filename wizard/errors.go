package wizard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"portolan/flashers"
	"portolan/usb"
)

// Exit codes of the program, as every command uses them.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitHost        = 3
	ExitPhone       = 4
	ExitRefused     = 5
	ExitInterrupted = 130
)

// UsageError says that what a person gave (an answer, a file, a value) is wrong.
type UsageError struct {
	File string // the file it is in, or empty
	Line int    // in File, from 1; 0 when it has none
	Key  string // the question it is about, or empty
	Text string // what is wrong, and what to do
	Err  error
}

func (e *UsageError) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
		}
		b.WriteString(": ")
	}
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Text)
	if e.Err != nil {
		if e.Text != "" {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

func (e *UsageError) Unwrap() error { return e.Err }

// HostError says what this computer lacks (a program, a permission, disk space).
type HostError struct {
	Tried string
	Lacks string
	Fix   string // what to do
	Err   error
}

func (e *HostError) Error() string {
	s := e.Tried + ": this computer lacks " + e.Lacks
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Fix != "" {
		s += "; " + e.Fix
	}
	return s
}

func (e *HostError) Unwrap() error { return e.Err }

// PhoneError says that the phone was not found, was lost, or does not answer.
type PhoneError struct {
	Tried string
	Next  string // what to do
	Err   error
}

func (e *PhoneError) Error() string {
	s := fmt.Sprintf("%s: %v", e.Tried, e.Err)
	if e.Next != "" {
		s += "; " + e.Next
	}
	return s
}

func (e *PhoneError) Unwrap() error { return e.Err }

// LockedError says that another Portolan works on the same port, or with the
// same phone. Its exit code is ExitRefused: going on would not be safe.
type LockedError struct {
	Dir   string // of the port, or empty
	Phone string // the phone, where it is about that
	PID   int    // of the other one; 0 when it is not known
}

func (e *LockedError) Error() string {
	who := "another Portolan"
	if e.PID > 0 {
		who = fmt.Sprintf("another Portolan (process %d)", e.PID)
	}
	if e.Phone != "" {
		return fmt.Sprintf("%s works with %s; wait until it ends, or stop it, and run this again", who, e.Phone)
	}
	return fmt.Sprintf("%s works on the port in %s; wait until it ends, or stop it, and run this again", who, e.Dir)
}

// exitCoder lets errors of the rooms below choose their code themselves.
type exitCoder interface{ ExitCode() int }

// ExitCode gives the program's exit code for an error of any room.
func ExitCode(err error) int {
	var (
		coder   exitCoder
		usage   *UsageError
		host    *HostError
		phone   *PhoneError
		locked  *LockedError
		refused *flashers.RefusedError
	)
	switch {
	case err == nil:
		return ExitDone
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.As(err, &coder):
		return coder.ExitCode()
	case errors.As(err, &usage):
		return ExitUsage
	case errors.As(err, &refused), errors.As(err, &locked):
		return ExitRefused
	case errors.As(err, &host), errors.Is(err, syscall.ENOSPC), errors.Is(err, usb.ErrDenied):
		return ExitHost
	case errors.As(err, &phone), errors.Is(err, usb.ErrGone), errors.Is(err, usb.ErrNotFound), errors.Is(err, usb.ErrWrongMode):
		return ExitPhone
	}
	return ExitFailed
}

// nearest returns the candidate with the fewest edits to word, or "" when
// none is near enough to be what was meant.
func nearest(word string, candidates []string) string {
	best, bestAt := "", max(len(word)/3, 2)+1
	for _, c := range candidates {
		if d := distance(word, c); d < bestAt {
			best, bestAt = c, d
		}
	}
	return best
}

// distance counts the insertions, deletions and changes between two words
// (Levenshtein). Words are cut at 64 bytes: keys are shorter.
func distance(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diag, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diag+cost)
		}
	}
	return row[len(b)]
}
