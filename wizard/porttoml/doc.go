// Package porttoml edits a TOML file in place. A person keeps port.toml in git
// and writes into it, so a change of one value touches that value's bytes and
// its trailing comment, and nothing else: comments, key order, blank lines,
// unknown keys and tables stay as they are.
//
// github.com/BurntSushi/toml decides what is valid TOML (v1.0) and what a value
// means; this package only finds where the value's bytes lie. Every edit is
// parsed again before it is taken, so an edit can fail but not corrupt.
package porttoml

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// MaxSize bounds a file that is read: 1 MiB, a thousand times a real port.toml.
const MaxSize = 1 << 20

// SyntaxError says where a file is not TOML.
type SyntaxError struct {
	Line int
	Text string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Text) }

// Doc is a TOML file with the places of its top-level keys.
type Doc struct {
	data   []byte
	values map[string]any
	stmts  []stmt
}

// Parse reads a file. The error is a *SyntaxError.
func Parse(data []byte) (*Doc, error) {
	if len(data) > MaxSize {
		return nil, &SyntaxError{Line: 1, Text: fmt.Sprintf("the file has %d bytes, more than the %d that are read", len(data), MaxSize)}
	}
	// The decoder passes over byte order marks of UTF-16, which TOML has not.
	if !utf8.Valid(data) {
		return nil, &SyntaxError{Line: 1, Text: "the file is not UTF-8"}
	}
	values := map[string]any{}
	if _, err := toml.Decode(string(data), &values); err != nil {
		var pe toml.ParseError
		if errors.As(err, &pe) {
			return nil, &SyntaxError{Line: max(pe.Position.Line, 1), Text: parseMessage(pe)}
		}
		return nil, &SyntaxError{Line: 1, Text: err.Error()}
	}
	return &Doc{data: data, values: values, stmts: scan(data)}, nil
}

func parseMessage(pe toml.ParseError) string {
	if pe.Message != "" {
		return pe.Message
	}
	text := pe.Error()
	if i := strings.LastIndex(text, ": "); strings.HasPrefix(text, "toml: line") && i > 0 {
		return text[i+2:]
	}
	return text
}

// Bytes returns the file's content. It must not be changed.
func (d *Doc) Bytes() []byte { return d.data }

// Keys lists the keys of the top level in the file's order, tables left out.
func (d *Doc) Keys() []string {
	var keys []string
	for _, s := range d.stmts {
		keys = append(keys, s.key)
	}
	return keys
}

// Tables lists the names at the top level that hold tables, so that a caller
// can refuse what it does not know.
func (d *Doc) Tables() []string {
	var names []string
	for name, v := range d.values {
		switch v.(type) {
		case map[string]any, []map[string]any:
			names = append(names, name)
		}
	}
	return names
}

// Get returns the decoded value of a top-level key: string, int64, float64,
// bool, time.Time, []any or a table.
func (d *Doc) Get(key string) (any, bool) {
	v, ok := d.values[key]
	return v, ok
}

// Comment returns the comment behind a key's value, without the mark and the
// blanks around it.
func (d *Doc) Comment(key string) string {
	if s, ok := d.find(key); ok && s.comment >= 0 {
		return strings.TrimSpace(strings.TrimPrefix(string(d.data[s.comment:s.end]), "#"))
	}
	return ""
}

// Line returns the line of a key, counted from 1, or 0.
func (d *Doc) Line(key string) int {
	if s, ok := d.find(key); ok {
		return 1 + strings.Count(string(d.data[:s.start]), "\n")
	}
	return 0
}

func (d *Doc) find(key string) (stmt, bool) {
	for _, s := range d.stmts {
		if s.key == key {
			return s, true
		}
	}
	return stmt{}, false
}
