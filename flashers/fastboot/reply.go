// Package fastboot speaks Android's fastboot protocol with a phone's
// bootloader and is the flash method of that name.
//
// The protocol is that of fastboot/README.md in AOSP's platform/system/core.
package fastboot

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// maxReply bounds a reply: the protocol allows 256 bytes, some bootloaders
// send longer lines.
const maxReply = 4096

// replyKind is the first four bytes of a reply.
type replyKind string

const (
	okay replyKind = "OKAY" // done; the text is the answer
	fail replyKind = "FAIL" // not done; the text says why
	data replyKind = "DATA" // the data phase begins: 8 hex digits of length
	info replyKind = "INFO" // a line for the person, more replies follow
	text replyKind = "TEXT" // as INFO, without an end of line
)

type reply struct {
	kind replyKind
	text string
	size int64 // of DATA
}

// ProtocolError says that a phone answered something that is no fastboot.
type ProtocolError struct {
	Command string
	Got     string
	Why     string
}

func (e *ProtocolError) Error() string {
	return fmt.Sprintf("fastboot %s: the phone answered %q: %s; plug it in again and restart its bootloader", e.Command, e.Got, e.Why)
}

// FailError is a phone's own refusal of a command. The connection stays usable.
type FailError struct {
	Command string
	Reply   string
}

func (e *FailError) Error() string {
	if e.Reply == "" {
		return fmt.Sprintf("the phone refused fastboot %s and did not say why", e.Command)
	}
	return fmt.Sprintf("the phone refused fastboot %s: %s", e.Command, e.Reply)
}

// parseReply understands one packet of the phone.
func parseReply(command string, p []byte) (reply, error) {
	bad := func(why string) (reply, error) {
		return reply{}, &ProtocolError{Command: command, Got: clean(p[:min(len(p), 64)]), Why: why}
	}
	if len(p) > maxReply {
		return bad(fmt.Sprintf("a reply of %d bytes, at most %d make sense", len(p), maxReply))
	}
	if len(p) < 4 {
		return bad("a reply begins with OKAY, FAIL, DATA, INFO or TEXT")
	}
	r := reply{kind: replyKind(p[:4])}
	switch r.kind {
	case okay, fail, info, text:
		r.text = clean(p[4:])
	case data:
		n, err := strconv.ParseUint(string(p[4:]), 16, 32)
		if err != nil || len(p) != 12 {
			return bad("DATA is followed by 8 hexadecimal digits")
		}
		r.size = int64(n)
	default:
		return bad("a reply begins with OKAY, FAIL, DATA, INFO or TEXT")
	}
	return r, nil
}

// clean makes what a phone says safe for a terminal and a log: nothing that is
// not printable stays, and the padding of some bootloaders is cut off.
func clean(b []byte) string {
	s := strings.ToValidUTF8(strings.TrimRight(string(b), "\x00 \r\n"), "\uFFFD")
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}
