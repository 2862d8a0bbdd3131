package wizard

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"portolan/wizard/porttoml"
)

// PortFile is the name of the file in the port's folder that holds its values.
const PortFile = "port.toml"

// Port is what is known of a phone, kept in port.toml.
//
// The file is flat: each question's id is a key of the top level. Where a value
// came from stands behind it as the comment's first words: "# asked", "# from
// fastboot", "# from boot image", "# default", "# measured by touch". What a
// person adds after a semicolon stays. A value without such words counts as
// asked: a person wrote it. Unknown keys and tables are kept and not read.
type Port struct {
	Dir string

	mu     sync.Mutex
	values map[string]Value
}

// provenance holds the words behind a value for each source.
var provenance = map[Source]string{
	SourceAsked:     "asked",
	SourceFastboot:  "from fastboot",
	SourceBootImage: "from boot image",
	SourceDefault:   "default",
	SourceTouch:     "measured by touch",
}

const portHead = `# This port, as Portolan knows it. Edit it freely: comments, order and your own
# keys are kept. Behind each value stands where it came from.
`

// OpenPort reads a port. A folder without port.toml is an empty port. A file
// that cannot be read as one gives a *UsageError with its line and stays as it is.
func OpenPort(dir string) (*Port, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the port's folder %s: %w", dir, err)
	}
	p := &Port{Dir: dir}
	if err := p.Reload(); err != nil {
		return nil, err
	}
	return p, nil
}

// Path returns a path inside of the port's folder.
func (p *Port) Path(elem ...string) string {
	return filepath.Join(append([]string{p.Dir}, elem...)...)
}

// Reload reads port.toml again, as after a person's edit.
func (p *Port) Reload() error {
	doc, err := p.read()
	if err != nil {
		return err
	}
	values, err := valuesOf(doc, p.Path(PortFile))
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.values = values
	p.mu.Unlock()
	return nil
}

func (p *Port) read() (*porttoml.Doc, error) {
	path := p.Path(PortFile)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return porttoml.Parse(nil)
	}
	if err == nil && info.Size() > porttoml.MaxSize {
		return nil, &UsageError{File: path, Text: fmt.Sprintf("the file has %d bytes, that is no port.toml", info.Size())}
	}
	data, err2 := os.ReadFile(path)
	if err = errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("read the port: %w", err)
	}
	doc, err := porttoml.Parse(data)
	if err != nil {
		return nil, syntaxError(path, err, "the file is kept as it is; mend that line and run this again")
	}
	return doc, nil
}

func syntaxError(path string, err error, next string) error {
	e := &UsageError{File: path, Text: err.Error() + "; " + next}
	var se *porttoml.SyntaxError
	if errors.As(err, &se) {
		e.Line, e.Text = se.Line, se.Text+"; "+next
	}
	return e
}

// valuesOf takes the values of the known keys and checks each.
func valuesOf(doc *porttoml.Doc, path string) (map[string]Value, error) {
	values := map[string]Value{}
	for _, q := range Questions {
		raw, ok := doc.Get(q.ID)
		if !ok {
			continue
		}
		text, err := textOf(raw)
		if err == nil {
			err = q.Check(text)
		}
		if err != nil {
			return nil, &UsageError{File: path, Line: doc.Line(q.ID), Key: q.ID, Err: err}
		}
		source, _ := splitComment(doc.Comment(q.ID))
		values[q.ID] = Value{Text: text, Source: source}
	}
	return values, nil
}

// textOf turns a TOML value into the text that answers travel as.
func textOf(raw any) (string, error) {
	switch v := raw.(type) {
	case string:
		return v, nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case bool:
		return strconv.FormatBool(v), nil
	case []any:
		words := make([]string, len(v))
		for i, w := range v {
			s, ok := w.(string)
			if !ok || strings.ContainsAny(s, " \t\r\n") || s == "" {
				return "", fmt.Errorf("%v will not do: a list holds words in quotes", w)
			}
			words[i] = s
		}
		return strings.Join(words, " "), nil
	}
	return "", fmt.Errorf("a value of this kind will not do: text, a number, true, false or a list of words")
}

// rawOf turns an answer into the TOML value of its kind.
func rawOf(q Question, text string) any {
	switch q.Kind {
	case KindNumber:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	case KindBool:
		return text == "true"
	case KindList:
		return strings.Fields(text)
	}
	return text
}

// splitComment takes the source off a comment; rest is what a person added.
func splitComment(comment string) (source Source, rest string) {
	head, tail, _ := strings.Cut(comment, ";")
	for s, words := range provenance {
		if strings.TrimSpace(head) == words {
			return s, strings.TrimSpace(tail)
		}
	}
	return SourceAsked, comment
}

// Get returns the text of a value, or "".
func (p *Port) Get(id string) string { return p.Value(id).Text }

// Value returns a value, or the zero one.
func (p *Port) Value(id string) Value {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.values[id]
}

// Snapshot copies the port for readers of events.
func (p *Port) Snapshot() Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Snapshot{Dir: p.Dir, Values: maps.Clone(p.values)}
}

// Update checks the values and writes them into port.toml, in one atomic
// replacement. The file is read again first, so that an edit made meanwhile by
// a person is kept. An empty text takes an optional value away.
func (p *Port) Update(values map[string]Value) error {
	for id, v := range values {
		q, ok := QuestionByID(id)
		if !ok {
			return unknownKey("", 0, id)
		}
		if err := q.Check(v.Text); err != nil {
			return &UsageError{Key: id, Err: err}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	doc, err := p.read()
	if err != nil {
		return err
	}
	before := bytes.Clone(doc.Bytes())
	if len(before) == 0 {
		if doc, err = porttoml.Parse([]byte(portHead)); err != nil {
			return err
		}
	}
	ids := questionIDs()
	for i, q := range Questions {
		v, ok := values[q.ID]
		if !ok {
			continue
		}
		if v.Text == "" {
			if err := doc.Remove(q.ID); err != nil {
				return err
			}
			continue
		}
		at := porttoml.Place{After: ids[:i], Before: ids[i+1:]}
		if !sectionThere(doc, q.Section) {
			at.Heading = q.Section
		}
		comment := provenance[v.Source]
		if _, rest := splitComment(doc.Comment(q.ID)); rest != "" {
			comment += "; " + rest
		}
		if err := doc.Set(q.ID, rawOf(q, v.Text), comment, at); err != nil {
			return fmt.Errorf("%s: %w", p.Path(PortFile), err)
		}
	}
	next, err := valuesOf(doc, p.Path(PortFile))
	if err != nil {
		return err
	}
	if !bytes.Equal(before, doc.Bytes()) {
		if err := writeAtomic(p.Path(PortFile), doc.Bytes(), 0o644); err != nil {
			return fmt.Errorf("save the port: %w", err)
		}
	}
	p.values = next
	return nil
}

// sectionThere tells whether a key of the section stands in the file.
func sectionThere(doc *porttoml.Doc, section string) bool {
	for _, q := range Questions {
		if _, ok := doc.Get(q.ID); ok && q.Section == section {
			return true
		}
	}
	return false
}
