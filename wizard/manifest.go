package wizard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"portolan/templates"
)

// manifest remembers what generate wrote, as path → SHA-256, so that a file
// that a person edited can be told from one that an older template wrote.
type manifest map[string]string

const manifestName = "generated.json"

func readManifest(p *Port) (manifest, error) {
	path := p.Path("out", manifestName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return manifest{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what was generated: %w", err)
	}
	m := manifest{}
	if json.Unmarshal(data, &m) != nil {
		return manifest{}, nil // every file then counts as edited by a person, which keeps them all
	}
	return m, nil
}

func (m manifest) write(p *Port) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err == nil {
		err = writeAtomic(p.Path("out", manifestName), append(data, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("keep what was generated: %w", err)
	}
	return nil
}

// States of a GeneratedFile.
const (
	FileNew       = "new"
	FileChanged   = "changed"
	FileUnchanged = "unchanged"
	FileKept      = "kept"
	FileRemoved   = "removed"
)

// compare says what generate would do with each file, and with files that it
// wrote once and would not write any more. It changes nothing.
func (m manifest) compare(p *Port, files []templates.File) ([]GeneratedFile, error) {
	var list []GeneratedFile
	made := map[string]bool{}
	for _, f := range files {
		if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
			return nil, fmt.Errorf("the templates made the path %q, which leads out of the port", f.Path)
		}
		made[f.Path] = true
		old, err := os.ReadFile(p.Path(filepath.FromSlash(f.Path)))
		g := GeneratedFile{Path: f.Path, Text: string(f.Data)}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			g.State = FileNew
		case err != nil:
			return nil, fmt.Errorf("read a file of the port: %w", err)
		case string(old) == string(f.Data):
			g.State = FileUnchanged
		case m[f.Path] == sha256Hex(old):
			g.State = FileChanged
			g.Diff = unifiedDiff(f.Path, f.Path+" (generated)", string(old), string(f.Data))
		default:
			g.State, g.Reason = FileKept, "edited by hand"
			g.Diff = unifiedDiff(f.Path, f.Path+" (generated)", string(old), string(f.Data))
		}
		list = append(list, g)
	}
	for path, sum := range m {
		if made[path] || !filepath.IsLocal(filepath.FromSlash(path)) {
			continue
		}
		old, err := os.ReadFile(p.Path(filepath.FromSlash(path)))
		if err != nil {
			continue
		}
		g := GeneratedFile{Path: path, State: FileRemoved, Reason: "not needed any more"}
		if sha256Hex(old) != sum {
			g.State, g.Reason = FileKept, "edited by hand, but not generated any more: delete it if you do not need it"
		}
		list = append(list, g)
	}
	return list, nil
}

// apply writes what compare found; take says which kept files are overwritten
// nonetheless.
func (m manifest) apply(p *Port, files []templates.File, list []GeneratedFile, take map[string]bool) error {
	modes := map[string]fs.FileMode{}
	for _, f := range files {
		modes[f.Path] = f.Mode
	}
	for i := range list {
		g := &list[i]
		path := p.Path(filepath.FromSlash(g.Path))
		mode, generated := modes[g.Path]
		if g.State == FileKept && take[g.Path] {
			g.State, g.Reason = FileChanged, "overwritten, as you chose"
		}
		switch g.State {
		case FileNew, FileChanged:
			if err := writeAtomic(path, []byte(g.Text), mode); err != nil {
				return hostTrouble("write "+path, err)
			}
			if err := os.Chmod(path, mode); err != nil {
				return fmt.Errorf("write %s: %w", path, err)
			}
		case FileRemoved:
			if err := os.Remove(path); err != nil {
				return fmt.Errorf("remove a file that is not generated any more: %w", err)
			}
			os.Remove(filepath.Dir(path)) // fails, as it should, where something else is in it
		}
		switch {
		case generated:
			m[g.Path] = sha256Hex([]byte(g.Text))
		case g.State == FileRemoved:
			delete(m, g.Path)
		}
	}
	return m.write(p)
}

// conflicts lists the edited files whose template has changed since a person
// was last told.
func (m manifest) conflicts(list []GeneratedFile) []GeneratedFile {
	var c []GeneratedFile
	for _, g := range list {
		if g.State == FileKept && g.Text != "" && m[g.Path] != sha256Hex([]byte(g.Text)) {
			c = append(c, g)
		}
	}
	return c
}

// fileQuestionID makes a question's id of a path.
func fileQuestionID(path string) string { return "file:" + strings.ReplaceAll(path, " ", "_") }
