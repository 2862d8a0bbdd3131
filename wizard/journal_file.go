package wizard

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// The journal is compacted to the entries that still count once it is larger
// than maxJournal bytes; a line longer than maxEntry is not one of ours.
const (
	maxJournal = 4 << 20
	maxEntry   = 256 << 10
)

// States of an Entry.
const (
	StateStarted  = "started"
	StateFinished = "finished"
	StateFailed   = "failed"
	// StateWriting stands before what cannot be taken back: until the step is
	// finished again, what it left before is not there any more.
	StateWriting = "writing"
)

// carriedKey in an entry's outputs holds the serial of the one phone that the
// entry is true for: what the step would do reached that phone another way.
const carriedKey = "carried"

// Journal is the list of what was done in a port: one JSON object a line,
// each on the disk before Append returns. A line torn by a crash is dropped.
type Journal struct {
	path    string
	f       *os.File
	entries []Entry
}

// OpenJournal reads the journal and makes it ready to be appended to.
func OpenJournal(path string) (*Journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	j := &Journal{path: path, entries: parseJournal(data)}
	torn := len(data) > 0 && data[len(data)-1] != '\n'
	if len(data) > maxJournal || torn {
		if len(data) > maxJournal {
			j.entries = lastEntries(j.entries)
		}
		if err := writeAtomic(path, encodeJournal(j.entries), 0o644); err != nil {
			return nil, fmt.Errorf("compact the journal: %w", err)
		}
	}
	if j.f, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	return j, nil
}

func journalPath(dir string) string { return filepath.Join(dir, "out", "journal.jsonl") }

// parseJournal takes every line that is an entry and leaves out what is not.
func parseJournal(data []byte) []Entry {
	var entries []Entry
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Buffer(nil, maxEntry)
	for sc.Scan() {
		var e Entry
		if json.Unmarshal(sc.Bytes(), &e) == nil && e.Step != "" && e.State != "" {
			entries = append(entries, e)
		}
	}
	return entries
}

func encodeJournal(entries []Entry) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, e := range entries {
		if enc.Encode(e) != nil {
			continue
		}
	}
	return b.Bytes()
}

// lastEntries keeps the last entry that counts of each step and phone, in order:
// finished, or writing, which takes back what was finished before.
func lastEntries(entries []Entry) []Entry {
	type key struct {
		step   StepID
		serial string
	}
	last := map[key]int{}
	for i, e := range entries {
		if e.State == StateFinished || e.State == StateWriting {
			last[key{e.Step, e.Outputs[carriedKey] + "/" + e.Outputs["serial"]}] = i
		}
	}
	var kept []Entry
	for i, e := range entries {
		if n, ok := last[key{e.Step, e.Outputs[carriedKey] + "/" + e.Outputs["serial"]}]; ok && n == i {
			kept = append(kept, e)
		}
	}
	return kept
}

// Append writes an entry; when it returns nil, the entry survives a power cut.
func (j *Journal) Append(e Entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	if len(line) >= maxEntry {
		return fmt.Errorf("write the journal: an entry of %d bytes is too long", len(line))
	}
	if _, err := j.f.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write the journal %s: %w", j.path, err)
	}
	if err := j.f.Sync(); err != nil {
		return fmt.Errorf("write the journal %s: %w", j.path, err)
	}
	j.entries = append(j.entries, e)
	return nil
}

// Last returns the last finished entry of a step that is true for the phone
// with this serial, or for any phone.
func (j *Journal) Last(step StepID, serial string) (Entry, bool) {
	for i := len(j.entries) - 1; i >= 0; i-- {
		e := j.entries[i]
		if e.Step != step || e.State != StateFinished {
			continue
		}
		if c := e.Outputs[carriedKey]; c != "" && c != serial {
			continue
		}
		if s := e.Outputs["serial"]; s != "" && serial != "" && s != serial {
			continue
		}
		return e, true
	}
	return Entry{}, false
}

// Torn tells whether a step began to write to the phone with this serial and
// was not finished since.
func (j *Journal) Torn(step StepID, serial string) bool {
	for _, e := range slices.Backward(j.entries) {
		if e.Step != step || (e.State != StateFinished && e.State != StateWriting) {
			continue
		}
		if of := max(e.Outputs["serial"], e.Outputs[carriedKey]); of == "" || of == serial {
			return e.State == StateWriting
		}
	}
	return false
}

// Entries returns what is in the journal, oldest first. It must not be changed.
func (j *Journal) Entries() []Entry { return j.entries }

// Close closes the file.
func (j *Journal) Close() error { return j.f.Close() }
