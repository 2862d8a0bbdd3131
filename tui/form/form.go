// Package form asks the wizard's questions on one screen. Going back is never
// blocked by an answer that is not valid yet, and nothing typed is lost by
// leaving: the form is kept until its answers were taken.
package form

import (
	"strings"

	"charm.land/bubbles/v2/key"
	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"

	"portolan/tui/draw"
	"portolan/tui/keymap"
	"portolan/wizard"
)

// Form is a list of fields and a button below them.
type Form struct {
	Title  string
	Button string // what the button at the end does
	Error  string // why the last answers were not taken

	fields []field
	focus  int // index into visible(); len(visible()) is the button
	keys   keymap.KeyMap
	Plain  bool // suggestions are not filled in: every answer must be typed
}

type field struct {
	q       wizard.Question
	input   textinput.Model
	value   string
	source  wizard.Source
	touched bool // changed by a person
	tried   bool // left once: errors are shown from then on
	outside string
}

// Result is what a key did to the form.
type Result struct {
	Cmd       tea.Cmd
	Changed   bool   // a value changed: the preview is stale
	Left      string // ID of a field that was left with a changed, valid value
	Submitted bool   // the button was pressed and every answer is valid
	Handled   bool
}

// New makes a form. Known values win over suggestions; both show their source.
// With plain, nothing is filled in (a codename that must be typed).
func New(title string, qs []wizard.Question, known map[string]wizard.Value, keys keymap.KeyMap, plain bool) *Form {
	f := &Form{Title: title, Button: "Go on", keys: keys, Plain: plain}
	for _, q := range qs {
		fd := field{q: q, input: textinput.New()}
		fd.input.Prompt = ""
		fd.input.CharLimit = 4096
		st := fd.input.Styles()
		st.Cursor.Blink = false // calm: nothing on the screen moves by itself
		fd.input.SetStyles(st)
		if !plain {
			if v, ok := known[q.ID]; ok && v.Text != "" {
				fd.value, fd.source = v.Text, v.Source
			} else {
				fd.value, fd.source = q.Suggestion.Text, q.Suggestion.Source
			}
		}
		fd.input.SetValue(draw.Clean(fd.value))
		f.fields = append(f.fields, fd)
	}
	f.derive()
	f.focusOn(0)
	return f
}

// Refill takes newer known values for fields that nobody has touched.
func (f *Form) Refill(known map[string]wizard.Value) {
	if f.Plain {
		return
	}
	for i := range f.fields {
		fd := &f.fields[i]
		v, ok := known[fd.q.ID]
		if !ok || fd.touched || v.Text == "" || v.Text == fd.value {
			continue
		}
		fd.value, fd.source = v.Text, v.Source
		fd.input.SetValue(draw.Clean(v.Text))
	}
	f.derive()
}

// Update takes new questions (their suggestions may have changed) and keeps
// what was typed. It tells false when the questions are others.
func (f *Form) Update(qs []wizard.Question, known map[string]wizard.Value) bool {
	if len(qs) != len(f.fields) {
		return false
	}
	for i := range qs {
		if qs[i].ID != f.fields[i].q.ID {
			return false
		}
	}
	for i := range qs {
		fd := &f.fields[i]
		fd.q = qs[i]
		if !fd.touched && !f.Plain && fd.value == "" {
			fd.value, fd.source = qs[i].Suggestion.Text, qs[i].Suggestion.Source
			fd.input.SetValue(draw.Clean(fd.value))
		}
	}
	f.Refill(known)
	return true
}

// Values returns the answers of all questions that apply.
func (f *Form) Values() map[string]string {
	out := map[string]string{}
	for _, i := range f.visible() {
		out[f.fields[i].q.ID] = strings.TrimSpace(f.fields[i].value)
	}
	return out
}

// Get returns the answer of one question as it stands.
func (f *Form) Get(id string) string {
	for i := range f.fields {
		if f.fields[i].q.ID == id {
			return strings.TrimSpace(f.fields[i].value)
		}
	}
	return ""
}

// visible returns the indexes of the fields that apply now.
func (f *Form) visible() []int {
	var out []int
	for i := range f.fields {
		if a := f.fields[i].q.Applies; a == nil || a(f.Get) {
			out = append(out, i)
		}
	}
	return out
}

// derive fills untouched fields whose suggestion follows from other answers.
func (f *Form) derive() {
	if f.Plain {
		return
	}
	for i := range f.fields {
		fd := &f.fields[i]
		if fd.touched || fd.q.Suggest == nil || fd.source != "" && fd.source != wizard.SourceDefault {
			continue
		}
		if v := fd.q.Suggest(f.Get); v != "" && v != fd.value {
			fd.value, fd.source = v, wizard.SourceDefault
			fd.input.SetValue(draw.Clean(v))
		}
	}
}

// problem tells why an answer cannot be taken, or "".
func (f *Form) problem(i int) string {
	fd := &f.fields[i]
	v := strings.TrimSpace(fd.value)
	if v == "" {
		if fd.q.Optional {
			return ""
		}
		return "an answer is needed"
	}
	if fd.q.Validate != nil {
		if err := fd.q.Validate(v); err != nil {
			return draw.Clean(err.Error())
		}
	}
	return ""
}

// Problems counts the answers that cannot be taken yet.
func (f *Form) Problems() int {
	n := 0
	for _, i := range f.visible() {
		if f.problem(i) != "" {
			n++
		}
	}
	return n
}

// Missing are the titles of the questions whose answers cannot be taken yet.
func (f *Form) Missing() []string {
	var out []string
	for _, i := range f.visible() {
		if f.problem(i) != "" {
			out = append(out, draw.Clean(f.fields[i].q.Title))
		}
	}
	return out
}

// Typing tells whether a text field has the focus, so that letters are text.
func (f *Form) Typing() bool {
	vis := f.visible()
	return f.focus < len(vis) && text(f.fields[vis[f.focus]].q.Kind)
}

func text(k wizard.Kind) bool { return k != wizard.KindChoice && k != wizard.KindBool }

func (f *Form) focusOn(n int) {
	vis := f.visible()
	f.focus = max(0, min(n, len(vis)))
	for i := range f.fields {
		f.fields[i].input.Blur()
	}
	if f.focus < len(vis) {
		fd := &f.fields[vis[f.focus]]
		if text(fd.q.Kind) {
			fd.input.Focus()
			fd.input.CursorEnd()
		}
	}
}

// Key handles a key press.
func (f *Form) Key(k tea.KeyPressMsg) Result {
	vis := f.visible()
	f.focus = min(f.focus, len(vis))
	switch {
	case key.Matches(k, f.keys.AcceptAll):
		return f.submit()
	case key.Matches(k, f.keys.Accept):
		if f.focus == len(vis) {
			return f.submit()
		}
		i := vis[f.focus]
		f.fields[i].tried = true
		if f.problem(i) != "" { // stay: the reason is shown below the field
			return Result{Handled: true}
		}
		if len(f.fields) == 1 { // one question needs no second enter on the button
			return f.submit()
		}
		return f.leave(1)
	case key.Matches(k, f.keys.NextField):
		return f.leave(1)
	case key.Matches(k, f.keys.PrevField):
		return f.leave(-1)
	}
	if f.focus == len(vis) {
		return Result{}
	}
	fd := &f.fields[vis[f.focus]]
	if key.Matches(k, f.keys.Suggestion) {
		fd.touched = false
		fd.value, fd.source = fd.q.Suggestion.Text, fd.q.Suggestion.Source
		fd.input.SetValue(draw.Clean(fd.value))
		f.derive()
		return Result{Handled: true, Changed: true}
	}
	if !text(fd.q.Kind) {
		return f.pick(fd, k)
	}
	return f.edit(fd, k)
}

// Paste puts text into the field with the focus; anywhere else it is ignored,
// so that a paste never fires shortcuts.
func (f *Form) Paste(text string) Result {
	if !f.Typing() {
		return Result{}
	}
	fd := &f.fields[f.visible()[f.focus]]
	clean := draw.Clean(strings.Join(strings.Fields(text), " "))
	return f.edit(fd, tea.PasteMsg{Content: clean})
}

func (f *Form) edit(fd *field, msg tea.Msg) Result {
	before := fd.input.Value()
	var cmd tea.Cmd
	fd.input, cmd = fd.input.Update(msg)
	if fd.input.Value() == before {
		return Result{Cmd: cmd, Handled: true}
	}
	f.set(fd, fd.input.Value())
	return Result{Cmd: cmd, Handled: true, Changed: true}
}

func (f *Form) set(fd *field, v string) {
	fd.value, fd.touched, fd.source = v, true, wizard.SourceAsked
	f.derive()
}

// pick moves through the choices of a field.
func (f *Form) pick(fd *field, k tea.KeyPressMsg) Result {
	options := Options(fd.q)
	at := 0
	for i, o := range options {
		if o.Value == fd.value {
			at = i
		}
	}
	switch {
	case k.String() == "space", k.String() == "right", k.String() == "l":
		at = (at + 1) % max(1, len(options))
	case k.String() == "left", k.String() == "h":
		at = (at + len(options) - 1) % max(1, len(options))
	default:
		return Result{}
	}
	if len(options) == 0 {
		return Result{Handled: true}
	}
	f.set(fd, options[at].Value)
	fd.input.SetValue(draw.Clean(fd.value))
	return Result{Handled: true, Changed: true}
}

// Options are the choices of a question; a bool has two.
func Options(q wizard.Question) []wizard.Choice {
	if q.Kind == wizard.KindBool {
		return []wizard.Choice{{Value: "true", Help: "yes"}, {Value: "false", Help: "no"}}
	}
	return q.Choices
}

// leave moves the focus; it never asks whether the answer is valid.
func (f *Form) leave(by int) Result {
	vis := f.visible()
	res := Result{Handled: true}
	if f.focus < len(vis) {
		fd := &f.fields[vis[f.focus]]
		fd.tried = fd.tried || by > 0 && fd.touched
		if fd.touched && fd.value != fd.outside && f.problem(vis[f.focus]) == "" {
			res.Left, fd.outside = fd.q.ID, fd.value
		}
	}
	if len(f.fields) == 1 {
		return res
	}
	n := len(vis) + 1
	f.focusOn((f.focus + by + n) % n)
	return res
}

// submit takes all answers, or goes to the first that cannot be taken.
func (f *Form) submit() Result {
	for pos, i := range f.visible() {
		f.fields[i].tried = true
		if f.problem(i) != "" {
			f.focusOn(pos)
			for _, j := range f.visible() {
				f.fields[j].tried = true
			}
			return Result{Handled: true}
		}
	}
	return Result{Handled: true, Submitted: true}
}
