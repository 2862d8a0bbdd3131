package wizard

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"portolan/templates"
)

// generateStep renders the packages of both trees. What a person edited is kept.
type generateStep struct{ v *Voyage }

func (*generateStep) ID() StepID    { return StepGenerate }
func (*generateStep) settles() bool { return true }

func (s *generateStep) render() ([]templates.File, error) { return render(s.v.port.Snapshot()) }

// render makes the files of both trees.
func render(snap Snapshot) ([]templates.File, error) {
	m, err := snap.validModel()
	if err != nil {
		return nil, err
	}
	files, err := templates.Packages(m)
	if err != nil {
		return nil, fmt.Errorf("make the packages' files: %w", err)
	}
	return files, nil
}

// Inputs hashes what would be generated and what is there.
func (s *generateStep) Inputs(context.Context) (string, error) {
	files, err := s.render()
	if err != nil {
		return "", err
	}
	d := newDigest("generate 1")
	for _, f := range files {
		old, _ := os.ReadFile(s.v.port.Path(filepath.FromSlash(f.Path)))
		d.add(f.Path, sha256Hex(f.Data), sha256Hex(old))
	}
	return d.sum(), nil
}

func (s *generateStep) Fresh(context.Context, Entry) (bool, string) {
	files, err := s.render()
	if err != nil {
		return false, err.Error()
	}
	for _, f := range files {
		if _, err := os.Stat(s.v.port.Path(filepath.FromSlash(f.Path))); err != nil {
			return false, f.Path + " is not there"
		}
	}
	return true, fmt.Sprintf("%d files are as they would be generated", len(files))
}

func (s *generateStep) Run(ctx context.Context, emit Emitter) (string, error) {
	return s.v.generate(ctx, StepGenerate, emit)
}

// generate renders and writes the packages; touch does the same once it has
// measured.
func (v *Voyage) generate(ctx context.Context, step StepID, emit Emitter) (string, error) {
	files, err := (&generateStep{v}).render()
	if err != nil {
		return "", err
	}
	m, err := readManifest(v.port)
	if err != nil {
		return "", err
	}
	list, err := m.compare(v.port, files)
	if err != nil {
		return "", err
	}
	take, err := v.resolve(ctx, step, m.conflicts(list))
	if err != nil {
		return "", err
	}
	if err := m.apply(v.port, files, list, take); err != nil {
		return "", err
	}
	emit.Emit(Generated{Files: list})
	n := map[string]int{}
	for _, g := range list {
		n[g.State]++
		if g.State == FileKept && g.Reason != "" {
			v.line(ctx, step, LineWarning, g.Path+" is kept: "+g.Reason)
		}
	}
	return fmt.Sprintf("%d files: %d new, %d changed, %d unchanged, %d kept as edited", len(files), n[FileNew], n[FileChanged], n[FileUnchanged], n[FileKept]), nil
}

// Preview lists what generate would do with the port's values and, over them,
// these answers of a form. It writes nothing.
func (v *Voyage) Preview(answers map[string]string) ([]GeneratedFile, error) {
	snap := v.port.Snapshot()
	if snap.Values == nil {
		snap.Values = map[string]Value{}
	}
	for id, text := range answers {
		snap.Values[id] = Value{Text: text, Source: SourceAsked}
	}
	files, err := render(snap)
	if err != nil {
		return nil, err
	}
	m, err := readManifest(v.port)
	if err != nil {
		return nil, err
	}
	return m.compare(v.port, files)
}

// resolve asks what becomes of edited files whose template has changed. Where
// nobody can be asked they are kept.
func (v *Voyage) resolve(ctx context.Context, step StepID, conflicts []GeneratedFile) (map[string]bool, error) {
	take := map[string]bool{}
	if len(conflicts) == 0 || (!v.cfg.Interactive && v.cfg.Answerer == nil) {
		return take, nil
	}
	v.emit(ctx, Generated{Files: conflicts})
	choices := []Choice{{"keep", "leave my file as it is"}, {"overwrite", "take the generated one; mine is lost"}}
	var questions []Question
	for _, g := range conflicts {
		questions = append(questions, Question{
			ID: fileQuestionID(g.Path), Section: "Edited files", Title: g.Path, Kind: KindChoice, Choices: choices,
			Why:        "You edited this file, and what would be generated has changed since. The difference was shown.",
			IfWrong:    "Kept: the file may not fit the other values. Overwritten: your edit is gone, unless git has it.",
			Suggestion: suggest("keep"), Validate: oneOf(choices)})
	}
	answers, err := v.ask(ctx, Ask{Step: step, Title: "Files that you edited", Questions: questions}, nil)
	if err != nil {
		return nil, err
	}
	for _, g := range conflicts {
		take[g.Path] = answers[fileQuestionID(g.Path)] == "overwrite"
	}
	return take, nil
}
