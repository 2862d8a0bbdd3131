package draw

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// MaxLine bounds one line of outside text, in bytes. Longer lines (a minified
// file in a build log) are cut; the whole line is in the log file.
const MaxLine = 16 << 10

// Clean makes one line of outside text harmless for a screen: escape sequences
// and control characters are removed, a carriage return keeps what was printed
// last, tabs become blanks, and characters that reorder or hide others are
// dropped. Bytes that are no UTF-8 become U+FFFD.
func Clean(s string) string {
	if plain(s) {
		return s
	}
	cut := false
	if len(s) > MaxLine {
		s, cut = s[:MaxLine], true
	}
	s = ansi.Strip(strings.ToValidUTF8(s, "\ufffd"))
	s = strings.TrimRight(s, "\r\n")
	if i := strings.LastIndexByte(s, '\r'); i >= 0 {
		s = s[i+1:]
	}
	var b strings.Builder
	b.Grow(len(s))
	col := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		switch {
		case r == '\t':
			pad := 8 - col%8
			b.WriteString("        "[:pad])
			col += pad
			continue
		case hidden(r):
			continue
		}
		b.WriteRune(r)
		col++
	}
	if cut {
		b.WriteString(" … (cut here; the log file has the whole line)")
	}
	return b.String()
}

func plain(s string) bool {
	if len(s) > MaxLine {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// hidden tells control characters (C0, DEL, C1), line separators and the
// format characters that change the direction or hide text (bidirectional
// embeddings, isolates and marks; joiners; the byte order mark).
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == 0x2028 || r == 0x2029
}
