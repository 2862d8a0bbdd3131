package form

import (
	"errors"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"portolan/tui/keymap"
	"portolan/tui/theme"
	"portolan/wizard"
)

var keys = keymap.Default()

func questions() []wizard.Question {
	return []wizard.Question{
		{ID: "codename", Title: "Codename", Kind: wizard.KindText, Why: "packages are named so", IfWrong: "renaming means flashing again",
			Suggestion: wizard.Value{Text: "dinghy", Source: wizard.SourceFastboot},
			Validate: func(s string) error {
				if strings.Contains(s, " ") {
					return errors.New("no blanks, please")
				}
				return nil
			}},
		{ID: "kernel", Title: "Kernel", Kind: wizard.KindChoice, Choices: []wizard.Choice{{Value: "archive"}, {Value: "source"}}, Suggestion: wizard.Value{Text: "archive", Source: wizard.SourceDefault}},
		{ID: "jobs", Title: "Jobs", Kind: wizard.KindNumber, Optional: true, Applies: func(get func(string) string) bool { return get("kernel") == "source" }},
		{ID: "hostname", Title: "Hostname", Kind: wizard.KindText, Suggest: func(get func(string) string) string { return get("codename") }},
	}
}

func typed(f *Form, s string) {
	for _, r := range s {
		f.Key(tea.KeyPressMsg{Code: r, Text: string(r)})
	}
}

func press(f *Form, names ...string) (res Result) {
	for _, n := range names {
		switch n {
		case "tab":
			res = f.Key(keymap.Press(keys.NextField))
		case "back":
			res = f.Key(keymap.Press(keys.PrevField))
		case "enter":
			res = f.Key(keymap.Press(keys.Accept))
		case "right":
			res = f.Key(tea.KeyPressMsg{Code: tea.KeyRight})
		}
	}
	return res
}

func screen(f *Form, w, h int) string {
	return ansi.Strip(strings.Join(f.View(theme.Calm(), w, h), "\n"))
}

func TestSuggestionsFollowOtherAnswers(t *testing.T) {
	f := New("", questions(), nil, keys, false)
	if got := f.Get("hostname"); got != "dinghy" {
		t.Fatalf("hostname %q", got)
	}
	typed(f, "2")
	if got := f.Get("hostname"); got != "dinghy2" {
		t.Fatalf("hostname %q after the codename changed", got)
	}
	press(f, "tab", "tab")
	typed(f, "x") // from now on it is the person's
	press(f, "back", "back")
	typed(f, "3")
	if got := f.Get("hostname"); got != "dinghy2x" {
		t.Fatalf("an answer was overwritten: %q", got)
	}
}

func TestQuestionsThatDoNotApplyAreNotAsked(t *testing.T) {
	f := New("", questions(), nil, keys, false)
	if strings.Contains(screen(f, 60, 20), "Jobs") {
		t.Fatal("jobs are asked without a kernel to compile")
	}
	press(f, "tab", "right")
	if !strings.Contains(screen(f, 60, 20), "Jobs") {
		t.Fatal("jobs are not asked")
	}
	want := map[string]string{"codename": "dinghy", "kernel": "source", "jobs": "", "hostname": "dinghy"}
	if d := cmp.Diff(want, f.Values()); d != "" {
		t.Error(d)
	}
}

func TestKnownValuesWinAndShowTheirSource(t *testing.T) {
	f := New("", questions(), map[string]wizard.Value{"codename": {Text: "skiff", Source: wizard.SourceBootImage}}, keys, false)
	if s := screen(f, 80, 20); !strings.Contains(s, "skiff") || !strings.Contains(s, "from boot image") || !strings.Contains(s, "Suggested: dinghy (fastboot)") {
		t.Fatalf("the known value, its source and the suggestion are not all shown:\n%s", s)
	}
	f.Refill(map[string]wizard.Value{"codename": {Text: "yawl", Source: wizard.SourceFastboot}})
	if got := f.Get("codename"); got != "yawl" {
		t.Fatalf("an untouched answer stays %q", got)
	}
	typed(f, "2")
	f.Refill(map[string]wizard.Value{"codename": {Text: "skiff"}})
	if got := f.Get("codename"); got != "yawl2" {
		t.Fatalf("what was typed became %q", got)
	}
}

func TestChangedAnswersAreReportedWhenLeft(t *testing.T) {
	f := New("", questions(), nil, keys, false)
	if res := press(f, "tab"); res.Left != "" {
		t.Fatalf("an answer that was not changed is reported: %q", res.Left)
	}
	press(f, "back")
	typed(f, " x")
	if res := press(f, "tab"); res.Left != "" || f.focus != 1 {
		t.Fatal("an invalid answer is reported, or it blocks leaving")
	}
	f.Paste("y\nz") // on a choice: ignored
	press(f, "back")
	f.Key(tea.KeyPressMsg{Code: tea.KeyBackspace})
	f.Key(tea.KeyPressMsg{Code: tea.KeyBackspace})
	f.Paste("\x1b[31m2\n")
	if res := press(f, "tab"); res.Left != "codename" || f.Get("codename") != "dinghy2" {
		t.Fatalf("left %q with %q", res.Left, f.Get("codename"))
	}
}

func TestPlainFormsTakeNothingForGranted(t *testing.T) {
	f := New("", questions()[:1], map[string]wizard.Value{"codename": {Text: "dinghy"}}, keys, true)
	if res := press(f, "enter"); res.Submitted {
		t.Fatal("a bare enter was taken")
	}
	if res := f.Key(keymap.Press(keys.AcceptAll)); res.Submitted {
		t.Fatal("take-all took an empty answer")
	}
	typed(f, "dinghy")
	if res := press(f, "enter"); !res.Submitted || f.Get("codename") != "dinghy" {
		t.Fatal("the typed answer was not taken")
	}
}

func TestTheFocusIsAlwaysInSight(t *testing.T) {
	for h := 3; h <= 24; h++ {
		f := New("", questions(), nil, keys, false)
		press(f, "tab", "right")
		for range 6 {
			if s := screen(f, 50, h); !strings.Contains(s, "▸") {
				t.Fatalf("height %d, question %d: the focus is not shown:\n%s", h, f.focus, s)
			}
			press(f, "tab")
		}
	}
}
