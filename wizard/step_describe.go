package wizard

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
)

// describeStep asks what is not known of the phone and writes port.toml.
type describeStep struct{ v *Voyage }

func (*describeStep) ID() StepID    { return StepDescribe }
func (*describeStep) settles() bool { return true }

func (s *describeStep) Inputs(context.Context) (string, error) {
	d := newDigest("describe 1")
	port, err := os.ReadFile(s.v.port.Path(PortFile))
	if err != nil && !os.IsNotExist(err) {
		return "", fmt.Errorf("read the port: %w", err)
	}
	d.add("port", string(port))
	for _, id := range questionIDs() {
		if text, ok := s.v.given(id); ok {
			d.add("given "+id, text)
		}
	}
	for _, name := range []string{"vars.toml", "boot.img"} {
		d.add(name, stamp(s.v.port.Path("stock", name)))
	}
	return d.sum(), nil
}

func (s *describeStep) Fresh(context.Context, Entry) (bool, string) {
	snap := s.v.port.Snapshot()
	for _, q := range Questions {
		if q.Applies != nil && !q.Applies(snap.Get) {
			continue
		}
		if snap.Get(q.ID) == "" && !q.Optional {
			return false, q.ID + " has no answer"
		}
	}
	return true, fmt.Sprintf("%d answers are in %s", len(snap.Values), PortFile)
}

// given returns the answer that this run insists on: from the command line,
// then from the answers file.
func (v *Voyage) given(id string) (string, bool) {
	if text, ok := v.cfg.Override[id]; ok {
		return text, true
	}
	if v.cfg.Answers != nil {
		text, ok := v.cfg.Answers.Values[id]
		return text, ok
	}
	return "", false
}

func (s *describeStep) Run(ctx context.Context, _ Emitter) (string, error) {
	known := s.v.port.Snapshot().Values
	facts := s.v.facts(ctx)
	values := map[string]Value{} // what will be in the port
	maps.Copy(values, known)
	for id, fact := range facts { // what the phone tells is surer than what was only likely
		if old, ok := values[id]; ok && old.Source == SourceDefault {
			values[id] = fact
		}
	}
	for _, id := range questionIDs() {
		if text, ok := s.v.given(id); ok && text != values[id].Text {
			values[id] = Value{Text: text, Source: SourceAsked}
		}
	}
	questions := s.questions(values, facts)
	if len(questions) > 0 && !s.settled(known, values) {
		check := func(answers map[string]string) error {
			return s.check(merge(values, questions, answers))
		}
		answers, err := s.v.ask(ctx, Ask{Step: StepDescribe, Title: "What phone is it?", Questions: questions}, check)
		if err != nil {
			return "", err
		}
		values = merge(values, questions, answers)
	} else if err := s.check(values); err != nil {
		return "", err
	}
	changed := map[string]Value{}
	for id, v := range values {
		if known[id] != v {
			changed[id] = v
		}
	}
	if err := s.v.port.Update(changed); err != nil {
		return "", err
	}
	snap := s.v.port.Snapshot()
	s.v.emit(ctx, PortChanged{Port: snap})
	return fmt.Sprintf("%s (%s) in %s: %d answers, %s", snap.Get("name"), snap.Get("codename"), PortFile, len(snap.Values), countSources(snap)), nil
}

// settled tells that nothing needs a person: the port has an answer to every
// question that needs one, and they fit each other. A form then opens only for
// who asks for this step by name.
func (s *describeStep) settled(known, values map[string]Value) bool {
	s.v.mu.Lock()
	forced := s.v.forced
	s.v.mu.Unlock()
	if forced || !s.v.cfg.Interactive || s.check(values) != nil {
		return false
	}
	get := func(id string) string { return known[id].Text }
	for _, q := range Questions {
		if !q.Optional && get(q.ID) == "" && (q.Applies == nil || q.Applies(get)) {
			return false
		}
	}
	return true
}

// questions lists what is to be asked, prefilled. A form shows every question;
// other faces only those without a value.
func (s *describeStep) questions(values, facts map[string]Value) []Question {
	get := func(id string) string {
		if v, ok := values[id]; ok {
			return v.Text
		}
		return facts[id].Text
	}
	var list []Question
	for _, q := range Questions {
		v, known := values[q.ID]
		if known && !s.v.cfg.Interactive {
			continue
		}
		switch fact, ok := facts[q.ID]; {
		case known:
			q.Suggestion = v
		case ok:
			q.Suggestion = fact
		case q.Suggest != nil && q.Suggest(get) != "":
			q.Suggestion = suggest(q.Suggest(get))
		}
		if q.Applies != nil && !q.Applies(get) && !s.v.cfg.Interactive {
			continue
		}
		if q.Optional && q.Suggestion.Text == "" && !s.v.cfg.Interactive {
			continue // nothing is known and nothing is needed
		}
		if applies := q.Applies; applies != nil {
			q.Applies = func(answers func(string) string) bool { // what is known is not asked for again
				return applies(func(id string) string {
					if text := answers(id); text != "" {
						return text
					}
					return get(id)
				})
			}
		}
		list = append(list, q)
	}
	return list
}

// merge puts answers over values. An answer that is the suggestion keeps the
// suggestion's source.
func merge(values map[string]Value, questions []Question, answers map[string]string) map[string]Value {
	out := maps.Clone(values)
	for _, q := range questions {
		text, ok := answers[q.ID]
		if !ok {
			continue
		}
		source := SourceAsked
		if text == q.Suggestion.Text && q.Suggestion.Source != "" {
			source = q.Suggestion.Source
		}
		if text == "" {
			if values[q.ID].Text == "" {
				continue
			}
			source = SourceAsked
		}
		out[q.ID] = Value{Text: text, Source: source}
	}
	return out
}

// check validates the answers together: some only fit each other.
func (s *describeStep) check(values map[string]Value) error {
	texts := map[string]string{}
	for id, v := range values {
		texts[id] = v.Text
	}
	if err := checkAnswers(Questions, texts); err != nil {
		return err
	}
	_, err := Snapshot{Dir: s.v.port.Dir, Values: values}.validModel()
	return err
}

func countSources(s Snapshot) string {
	n := map[Source]int{}
	for _, v := range s.Values {
		n[v.Source]++
	}
	text := ""
	for _, source := range slices.Sorted(maps.Keys(n)) {
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%d %s", n[source], provenance[source])
	}
	return text
}
