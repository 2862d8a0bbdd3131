package wizard

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const handWritten = `# found in a drawer
codename = "dinghy"   # from fastboot; the sticker says so too
my_own = [1, 2]       # mine

# Screen
screen_width = 720
debug_shell = false

[notes]
codename = "not this one"
`

func writePort(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, PortFile), []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	return dir
}

func readPort(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, PortFile))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestPortKeepsWhatAPersonWrote(t *testing.T) {
	dir := writePort(t, handWritten)
	p, err := OpenPort(dir)
	if err != nil {
		t.Fatal(err)
	}
	if v := p.Value("codename"); v != (Value{"dinghy", SourceFastboot}) {
		t.Errorf("codename is %+v", v)
	}
	if v := p.Value("screen_width"); v != (Value{"720", SourceAsked}) {
		t.Errorf("screen_width is %+v", v)
	}
	err = p.Update(map[string]Value{
		"codename":     {"skiff", SourceAsked},
		"year":         {"2017", SourceAsked},
		"touch_matrix": {"0 -1 1 1 0 0", SourceTouch},
		"suite":        {"bookworm", SourceDefault},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(handWritten, `"dinghy"   # from fastboot; the`, `"skiff" # asked; the`, 1)
	want = strings.Replace(want, "too\n", "too\nyear = 2017 # asked\n", 1)
	want = strings.Replace(want, "screen_width = 720\n", "screen_width = 720\ntouch_matrix = \"0 -1 1 1 0 0\" # measured by touch\n", 1)
	want = strings.Replace(want, "debug_shell = false\n", "debug_shell = false\n\n# The system on the phone\nsuite = \"bookworm\" # default\n", 1)
	if got := readPort(t, dir); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	again, err := OpenPort(dir)
	if err != nil {
		t.Fatal(err)
	}
	if v := again.Value("touch_matrix"); v != (Value{"0 -1 1 1 0 0", SourceTouch}) {
		t.Errorf("touch_matrix reads back as %+v", v)
	}
	if info, _ := os.Stat(filepath.Join(dir, PortFile)); info.Mode().Perm() != 0o640 {
		t.Errorf("the file's mode became %v", info.Mode())
	}
}

func TestPortKeepsAnEditMadeMeanwhile(t *testing.T) {
	dir := writePort(t, handWritten)
	p, err := OpenPort(dir)
	if err != nil {
		t.Fatal(err)
	}
	edited := handWritten + "\n[more]\na = 1 # new\n"
	if err := os.WriteFile(filepath.Join(dir, PortFile), []byte(edited), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := p.Update(map[string]Value{"debug_shell": {"true", SourceAsked}}); err != nil {
		t.Fatal(err)
	}
	if got, want := readPort(t, dir), strings.Replace(edited, "debug_shell = false", "debug_shell = true # asked", 1); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestEveryQuestionRoundTrips(t *testing.T) {
	dir := t.TempDir()
	p, err := OpenPort(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Value{}
	for id, text := range dinghy {
		q, _ := QuestionByID(id)
		if err := q.Check(text); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		want[id] = Value{text, SourceAsked}
		if err := p.Update(map[string]Value{id: {text, SourceAsked}}); err != nil { // one by one, in any order
			t.Fatal(err)
		}
	}
	again, err := OpenPort(dir)
	if err != nil {
		t.Fatalf("%v\n%s", err, readPort(t, dir))
	}
	for id, v := range want {
		if again.Value(id) != v {
			t.Errorf("%s reads back as %+v, want %+v", id, again.Value(id), v)
		}
	}
	text := readPort(t, dir)
	at := -1
	for _, q := range Questions {
		if i := strings.Index(text, "\n"+q.ID+" = "); i >= 0 {
			if i < at {
				t.Errorf("%s is out of order:\n%s", q.ID, text)
			}
			at = i
		}
	}
	if err := again.Update(map[string]Value{"touchscreen": {}}); err != nil || again.Get("touchscreen") != "" {
		t.Errorf("an optional value was not taken away: %v", err)
	}
}

func TestCorruptPortIsNamedAndKept(t *testing.T) {
	cases := []struct {
		name, text, key string
		line            int
	}{
		{"not TOML", "codename = \"dinghy\"\nyear = \n", "", 2},
		{"bad codename", "year = 2017\n\ncodename = \"Not Good\"\n", "codename", 3},
		{"wrong kind", "codename = 3.5\n", "codename", 1},
		{"table for a value", "[codename]\nx = 1\n", "codename", 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := writePort(t, c.text)
			_, err := OpenPort(dir)
			var usage *UsageError
			if !errors.As(err, &usage) || usage.Line != c.line || usage.Key != c.key {
				t.Fatalf("got %#v (%v), want line %d, key %q", err, err, c.line, c.key)
			}
			if ExitCode(err) != ExitUsage {
				t.Errorf("exit code %d", ExitCode(err))
			}
			if readPort(t, dir) != c.text {
				t.Error("the file was changed")
			}
		})
	}
}

func TestRefusedUpdateChangesNothing(t *testing.T) {
	dir := writePort(t, handWritten)
	p, err := OpenPort(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, values := range []map[string]Value{
		{"codename": {"a b", SourceAsked}, "year": {"2017", SourceAsked}},
		{"codenam": {"x", SourceAsked}},
		{"year": {"", SourceAsked}},
	} {
		if err := p.Update(values); ExitCode(err) != ExitUsage {
			t.Errorf("%v: %v", values, err)
		}
	}
	if readPort(t, dir) != handWritten {
		t.Error("the file was changed")
	}
}

func FuzzPort(f *testing.F) {
	f.Add(handWritten, "skiff", "from me; again")
	f.Add("year = 2017 # default\r\n[a]\r\n", "x", "")
	f.Fuzz(func(t *testing.T, text, codename, cmdline string) {
		dir := t.TempDir()
		path := filepath.Join(dir, PortFile)
		if os.WriteFile(path, []byte(text), 0o600) != nil {
			t.Skip()
		}
		p, err := OpenPort(dir)
		if err != nil {
			return
		}
		old := p.Snapshot()
		err = p.Update(map[string]Value{"codename": {codename, SourceBootImage}, "kernel_cmdline": {cmdline, SourceTouch}})
		again, rerr := OpenPort(dir)
		if rerr != nil {
			t.Fatalf("an update left a file that cannot be read: %v", rerr)
		}
		if err != nil {
			if data, _ := os.ReadFile(path); string(data) != text {
				t.Fatalf("a refused update changed the file: %v", err)
			}
			return
		}
		for id, v := range old.Values {
			if id != "codename" && id != "kernel_cmdline" && again.Value(id) != v {
				t.Fatalf("%s became %+v, was %+v", id, again.Value(id), v)
			}
		}
		if again.Get("codename") != codename || again.Get("kernel_cmdline") != cmdline {
			t.Fatalf("read back %q and %q", again.Get("codename"), again.Get("kernel_cmdline"))
		}
	})
}
