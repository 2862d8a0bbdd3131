package porttoml

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Place says where a new key goes: behind the last of After that is there, else
// before the first of Before, else behind the last top-level key. Heading is a
// comment line set above it (without the mark); empty for none.
type Place struct {
	After, Before []string
	Heading       string
}

// Set gives a key a value (string, bool, int64 or []string) and the comment
// behind it. A key that is not there is added at the place. The document is
// unchanged when an error is returned.
func (d *Doc) Set(key string, value any, comment string, at Place) error {
	literal, err := literal(value)
	if err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	if strings.ContainsAny(comment, "\r\n") {
		return fmt.Errorf("write %s: a comment has one line", key)
	}
	tail := literal
	if comment != "" {
		tail += " # " + comment
	}
	if s, ok := d.find(key); ok {
		old := d.values[key]
		if same(old, value) {
			tail = string(d.data[s.value:s.vto]) // keep how a person wrote it
			if comment != "" {
				gap := " "
				if s.comment > s.vto {
					gap = string(d.data[s.vto:s.comment])
				}
				tail += gap + "# " + comment
			}
		}
		return d.splice(s.value, s.end, tail, key, value)
	}
	eol := "\n"
	if n := bytes.IndexByte(d.data, '\n'); n > 0 && d.data[n-1] == '\r' {
		eol = "\r\n"
	}
	line := keyText(key) + " = " + tail + eol
	off, after := d.insertAt(at)
	if at.Heading != "" {
		line = "# " + at.Heading + eol + line
		if off > 0 && !blankBefore(d.data[:off]) {
			line = eol + line
		}
	}
	if off > 0 && d.data[off-1] != '\n' {
		line = eol + line
	}
	if !after && off < len(d.data) && d.data[off] == '[' {
		line += eol
	}
	return d.splice(off, off, line, key, value)
}

// Remove takes a key's line away.
func (d *Doc) Remove(key string) error {
	s, ok := d.find(key)
	if !ok {
		return nil
	}
	end := min(lineEnd(d.data, s.end)+1, len(d.data))
	return d.splice(s.start, end, "", key, nil)
}

// splice replaces data[from:to], parses the result and takes it only when the
// key has the value and every other key kept its own.
func (d *Doc) splice(from, to int, text, key string, want any) error {
	data := slicesConcat(d.data[:from], []byte(text), d.data[to:])
	next, err := Parse(data)
	if err != nil {
		return fmt.Errorf("write %s: the file would no longer be TOML: %w", key, err)
	}
	if got, ok := next.values[key]; ok != (want != nil) || ok && !same(got, want) {
		return fmt.Errorf("write %s: the file would read %v instead of %v", key, got, want)
	}
	for k, v := range d.values {
		if k != key && !sameAny(next.values[k], v) {
			return fmt.Errorf("write %s: the value of %s would change", key, k)
		}
	}
	*d = *next
	return nil
}

func slicesConcat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// insertAt returns an offset at a line's start (or the end of the text), and
// whether it lies right behind a statement.
func (d *Doc) insertAt(at Place) (int, bool) {
	for i := len(at.After) - 1; i >= 0; i-- {
		if s, ok := d.find(at.After[i]); ok {
			return min(lineEnd(d.data, s.end)+1, len(d.data)), true
		}
	}
	for _, k := range at.Before {
		if s, ok := d.find(k); ok {
			return bytes.LastIndexByte(d.data[:s.start], '\n') + 1, false
		}
	}
	if n := len(d.stmts); n > 0 {
		return min(lineEnd(d.data, d.stmts[n-1].end)+1, len(d.data)), true
	}
	return d.firstTable(), false
}

// firstTable returns the offset of the first table header's line, or the end.
func (d *Doc) firstTable() int {
	i := 0
	for i < len(d.data) {
		if t := bytes.TrimLeft(d.data[i:lineEnd(d.data, i)], " \t"); len(t) > 0 && t[0] == '[' {
			return i
		}
		i = min(lineEnd(d.data, i)+1, len(d.data))
	}
	return i
}

func blankBefore(data []byte) bool {
	data = bytes.TrimRight(data, " \t\r")
	return bytes.HasSuffix(data, []byte("\n\n")) || bytes.HasSuffix(data, []byte("\n\r\n"))
}

func same(old, value any) bool {
	if list, ok := value.([]string); ok {
		items, ok := old.([]any)
		if !ok || len(items) != len(list) {
			return false
		}
		for i := range items {
			if items[i] != any(list[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(old, value)
}

// sameAny compares decoded values; NaN counts as itself.
func sameAny(a, b any) bool {
	return reflect.DeepEqual(a, b) || fmt.Sprintf("%T%v", a, a) == fmt.Sprintf("%T%v", b, b)
}

func literal(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return Quote(v)
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case []string:
		parts := make([]string, len(v))
		for i, s := range v {
			q, err := Quote(s)
			if err != nil {
				return "", err
			}
			parts[i] = q
		}
		return "[" + strings.Join(parts, ", ") + "]", nil
	}
	return "", fmt.Errorf("a %T has no form in this file", value)
}

// Quote writes a TOML basic string (TOML v1.0, "String").
func Quote(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("%q is not UTF-8", s)
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String(), nil
}

func keyText(key string) string {
	bare := key != ""
	for _, r := range key {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-') {
			bare = false
		}
	}
	if bare {
		return key
	}
	q, err := Quote(key)
	if err != nil {
		return `""`
	}
	return q
}
