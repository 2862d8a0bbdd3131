package wizard

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnswers(t *testing.T) {
	a, err := ParseAnswers("dir/a.toml", []byte("codename = \"dinghy\"\nyear = 2017\nencryption = true\nmodules_initfs = [\"a\", \"b\"]\npassphrase_file = \"pw\"\ndevice = \"practice/X\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"codename": "dinghy", "year": "2017", "encryption": "true", "modules_initfs": "a b"} {
		if a.Values[id] != want {
			t.Errorf("%s is %q", id, a.Values[id])
		}
	}
	if a.PassphraseFile != filepath.Join("dir", "pw") || a.Device != "practice/X" {
		t.Errorf("got %+v", a)
	}
}

func TestBadAnswersAreNamed(t *testing.T) {
	cases := []struct {
		name, text, want string
		line             int
	}{
		{"unknown key", "year = 2017\ncodenmae = \"x\"\n", "did you mean codename?", 2},
		{"unknown extra key", "pasphrase_file = \"x\"\n", "did you mean passphrase_file?", 1},
		{"nothing like it", "zzzzzzzzzzzzzz = 1\n", "portolan questions", 1},
		{"invalid codename", "# c\ncodename = \"Dinghy Two\"\n", "codename", 2},
		{"choice", "kernel = \"sauce\"\n", "archive, source", 1},
		{"table", "[phone]\ncodename = \"x\"\n", "no tables", 0},
		{"not TOML", "codename = dinghy\n", "mend that line", 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseAnswers("answers.toml", []byte(c.text))
			var usage *UsageError
			if !errors.As(err, &usage) || usage.Line != c.line || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "answers.toml") {
				t.Errorf("got %v, want line %d and %q", err, c.line, c.want)
			}
			if ExitCode(err) != ExitUsage {
				t.Errorf("exit code %d", ExitCode(err))
			}
		})
	}
}

func TestPassphraseFileOfTheOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pw")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	write("ahoy there\nsecond line\n", 0o600)
	s, err := ReadPassphrase(path)
	if err != nil || string(s.Bytes()) != "ahoy there" {
		t.Fatalf("got %q, %v", s.Bytes(), err)
	}
	for _, c := range []struct {
		text string
		mode os.FileMode
		want string
	}{
		{"ahoy\n", 0o640, "chmod 600"}, {"ahoy\n", 0o604, "chmod 600"}, {"\n", 0o600, "empty"},
		{"a\x01b\n", 0o600, "control character"}, {strings.Repeat("x", 600), 0o600, "longer than"},
	} {
		write(c.text, c.mode)
		_, err := ReadPassphrase(path)
		if err == nil || !strings.Contains(err.Error(), c.want) || ExitCode(err) != ExitUsage {
			t.Errorf("%.10q %o: %v", c.text, c.mode, err)
		}
		if err != nil && strings.Contains(err.Error(), "ahoy") {
			t.Errorf("the error tells the passphrase: %v", err)
		}
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte("codename = \"dinghy\"\nyear = 2017\n"))
	f.Add([]byte("modules_initfs = [\n 'a', # x\n]\n[t]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := ParseAnswers("a", data)
		if err != nil {
			if ExitCode(err) != ExitUsage {
				t.Fatalf("%v has exit code %d", err, ExitCode(err))
			}
			return
		}
		for id, text := range a.Values {
			q, ok := QuestionByID(id)
			if !ok || q.Check(text) != nil {
				t.Fatalf("%s = %q was taken", id, text)
			}
		}
	})
}
