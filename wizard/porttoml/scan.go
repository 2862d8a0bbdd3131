package porttoml

import (
	"bytes"

	"github.com/BurntSushi/toml"
)

// stmt is one `key = value # comment` of the top level, as byte offsets.
type stmt struct {
	key        string
	start      int // of the key
	value, vto int // the value's bytes
	comment    int // of the mark, or -1
	end        int // of the line, before its newline
}

// scan finds the top-level statements of a text that is known to be valid TOML.
// It stops at the first table header: what follows belongs to tables.
func scan(data []byte) []stmt {
	var stmts []stmt
	i := 0
	for i < len(data) {
		switch c := data[i]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			i++
		case c == 0xEF && bytes.HasPrefix(data[i:], []byte("\xEF\xBB\xBF")):
			i += 3
		case c == '#':
			i = lineEnd(data, i)
		case c == '[':
			return stmts
		default:
			s := stmt{start: i, comment: -1}
			eq := skipTo(data, i, '=')
			s.value = min(eq+1, len(data))
			for s.value < len(data) && (data[s.value] == ' ' || data[s.value] == '\t') {
				s.value++
			}
			to := skipValue(data, s.value)
			s.end = lineEnd(data, to)
			if to < len(data) && data[to] == '#' {
				s.comment = to
			}
			for to > s.value && (data[to-1] == ' ' || data[to-1] == '\t' || data[to-1] == '\r') {
				to--
			}
			s.vto = to
			if s.end > s.vto && data[s.end-1] == '\r' {
				s.end--
			}
			if key, ok := keyName(data[i:min(eq, len(data))]); ok {
				s.key = key
				stmts = append(stmts, s)
			}
			i = max(s.end, i+1)
		}
	}
	return stmts
}

// keyName decodes a key; dotted keys have no name here (they make tables).
func keyName(raw []byte) (string, bool) {
	m := map[string]any{}
	if _, err := toml.Decode(string(raw)+"=0", &m); err != nil {
		return "", false
	}
	for k, v := range m {
		if _, table := v.(map[string]any); !table {
			return k, true
		}
	}
	return "", false
}

func lineEnd(data []byte, i int) int {
	if n := bytes.IndexByte(data[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(data)
}

// skipTo finds c outside of quotes.
func skipTo(data []byte, i int, c byte) int {
	for i < len(data) && data[i] != c {
		if data[i] == '"' || data[i] == '\'' {
			i = skipString(data, i)
			continue
		}
		i++
	}
	return i
}

// skipValue returns the end of a value: its comment, its newline, or the end.
func skipValue(data []byte, i int) int {
	depth := 0
	for i < len(data) {
		switch data[i] {
		case '"', '\'':
			i = skipString(data, i)
			continue
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '#':
			if depth <= 0 {
				return i
			}
			i = lineEnd(data, i)
			continue
		case '\n':
			if depth <= 0 {
				return i
			}
		}
		i++
	}
	return i
}

// skipString returns the offset behind a string of any of TOML's four kinds.
func skipString(data []byte, i int) int {
	q := data[i]
	triple := []byte{q, q, q}
	if bytes.HasPrefix(data[i:], triple) {
		i += 3
		for i < len(data) {
			if q == '"' && data[i] == '\\' {
				i += 2
				continue
			}
			if bytes.HasPrefix(data[i:], triple) {
				i += 3
				// Up to two quotes may stand right before the closing three.
				for n := 0; n < 2 && i < len(data) && data[i] == q; n++ {
					i++
				}
				return i
			}
			i++
		}
		return len(data)
	}
	for i++; i < len(data) && data[i] != '\n'; i++ {
		if q == '"' && data[i] == '\\' {
			i++
			continue
		}
		if data[i] == q {
			return i + 1
		}
	}
	return min(i, len(data))
}
