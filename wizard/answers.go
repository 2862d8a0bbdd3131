package wizard

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"portolan/wizard/porttoml"
)

// Answers are the answers to questions from a file: TOML, question ids as keys,
// and besides them
//
//	passphrase_file = "path"  # of a file that only its owner can read; its first line is the passphrase
//	device = "id or serial"   # which phone, when several are plugged in
//
// A relative path counts from the answers file's folder.
type Answers struct {
	File           string
	Values         map[string]string
	PassphraseFile string
	Device         string
}

// extraKeys of an answers file that are no questions.
var extraKeys = []string{"passphrase_file", "device"}

// maxPassphrase bounds what is read: cryptsetup takes at most 512 bytes typed
// (cryptsetup(8), "Passphrase processing").
const maxPassphrase = 512

// ReadAnswers reads an answers file. Whatever is wrong with it is a *UsageError.
func ReadAnswers(path string) (*Answers, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &UsageError{Text: "read the answers", Err: err}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, porttoml.MaxSize+1))
	if err != nil {
		return nil, &UsageError{Text: "read the answers", Err: err}
	}
	return ParseAnswers(path, data)
}

// ParseAnswers reads the content of an answers file; path is named in errors.
func ParseAnswers(path string, data []byte) (*Answers, error) {
	doc, err := porttoml.Parse(data)
	if err != nil {
		return nil, syntaxError(path, err, "mend that line and run this again")
	}
	a := &Answers{File: path, Values: map[string]string{}}
	if tables := doc.Tables(); len(tables) > 0 {
		slices.Sort(tables)
		return nil, &UsageError{File: path, Key: tables[0], Text: "an answers file has no tables; write each answer as `question = value`"}
	}
	for _, key := range doc.Keys() {
		raw, _ := doc.Get(key)
		text, err := textOf(raw)
		if err != nil {
			return nil, &UsageError{File: path, Line: doc.Line(key), Key: key, Err: err}
		}
		switch key {
		case "passphrase_file":
			a.PassphraseFile = text
			if !filepath.IsAbs(text) {
				a.PassphraseFile = filepath.Join(filepath.Dir(path), text)
			}
			continue
		case "device":
			a.Device = text
			continue
		}
		q, ok := QuestionByID(key)
		if !ok {
			return nil, unknownKey(path, doc.Line(key), key)
		}
		if err := q.Check(text); err != nil {
			return nil, &UsageError{File: path, Line: doc.Line(key), Key: key, Err: err}
		}
		a.Values[key] = text
	}
	return a, nil
}

func unknownKey(path string, line int, key string) error {
	e := &UsageError{File: path, Line: line, Key: key, Text: "there is no such question"}
	if near := nearest(strings.ToLower(key), append(questionIDs(), extraKeys...)); near != "" {
		e.Text += fmt.Sprintf("; did you mean %s?", near)
	} else {
		e.Text += "; `portolan questions` lists them"
	}
	return e
}

// ReadPassphrase reads the first line of a file that only its owner may read.
// The caller wipes the secret.
func ReadPassphrase(path string) (*Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &UsageError{Key: "passphrase_file", Err: err}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, &UsageError{Key: "passphrase_file", Err: err}
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, &UsageError{File: path, Key: "passphrase_file",
			Text: fmt.Sprintf("others may read it (mode %04o), so it was not read; run `chmod 600` on it", info.Mode().Perm())}
	}
	buf := make([]byte, maxPassphrase+2)
	n, err := io.ReadFull(f, buf)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		clear(buf)
		return nil, &UsageError{File: path, Key: "passphrase_file", Err: err}
	}
	end := n
	for i, c := range buf[:n] {
		if c == '\n' || c == '\r' {
			end = i
			break
		}
	}
	clear(buf[end:])
	s := NewSecret(buf[:end])
	if err := checkPassphrase(s); err != nil {
		s.Wipe()
		return nil, &UsageError{File: path, Key: "passphrase_file", Err: err}
	}
	return s, nil
}

// checkPassphrase refuses what cannot be typed at the phone's prompt.
func checkPassphrase(s *Secret) error {
	if s.Empty() {
		return errors.New("the passphrase is empty")
	}
	if len(s.Bytes()) > maxPassphrase {
		return fmt.Errorf("the passphrase is longer than %d bytes", maxPassphrase)
	}
	for _, c := range s.Bytes() {
		if c < 0x20 || c == 0x7f {
			return errors.New("the passphrase has a control character, which cannot be typed on the phone's prompt")
		}
	}
	return nil
}
