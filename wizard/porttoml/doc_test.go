package porttoml

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

const hand = `# My phone, found in a drawer.
codename = "dinghy" # from fastboot; sticker says so too

# Screen
screen_width = 720     # counted
modules_initfs = [
  "virtio_blk", # disk ]
  'usb_f_ncm',
]
note = """
codename = "no" # not a key
"""

[mine]
codename = "other"
# the end
`

func TestSetTouchesOnlyItsValue(t *testing.T) {
	cases := []struct {
		name, key, comment string
		value              any
		old, new           string
	}{
		{"text", "codename", "from fastboot; sticker says so too", "skiff", `codename = "dinghy"`, `codename = "skiff"`},
		{"number, comment gone", "screen_width", "", int64(1080), "screen_width = 720     # counted", "screen_width = 1080"},
		{"same value keeps its form", "screen_width", "asked", int64(720), "720     # counted", "720     # asked"},
		{"list over lines", "modules_initfs", "", []string{"a", "b"}, "[\n  \"virtio_blk\", # disk ]\n  'usb_f_ncm',\n]", `["a", "b"]`},
		{"same list keeps its comments", "modules_initfs", "", []string{"virtio_blk", "usb_f_ncm"}, "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d, err := Parse([]byte(hand))
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Set(c.key, c.value, c.comment, Place{}); err != nil {
				t.Fatal(err)
			}
			if want := strings.Replace(hand, c.old, c.new, 1); string(d.Bytes()) != want {
				t.Errorf("got:\n%s\nwant:\n%s", d.Bytes(), want)
			}
		})
	}
}

func TestNewKeysGoToTheirPlace(t *testing.T) {
	d, _ := Parse([]byte(hand))
	for _, err := range []error{
		d.Set("name", "Dinghy", "asked", Place{After: []string{"codename"}}),
		d.Set("year", int64(2017), "", Place{Before: []string{"codename"}}),
		d.Set("suite", "bookworm", "default", Place{Heading: "System"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := strings.Replace(hand, "codename = \"dinghy\"", "year = 2017\ncodename = \"dinghy\"", 1)
	want = strings.Replace(want, "so too\n", "so too\nname = \"Dinghy\" # asked\n", 1)
	want = strings.Replace(want, "\"\"\"\n\n[mine]", "\"\"\"\n\n# System\nsuite = \"bookworm\" # default\n\n[mine]", 1)
	if string(d.Bytes()) != want {
		t.Errorf("got:\n%s\nwant:\n%s", d.Bytes(), want)
	}
}

func TestAFileOfTablesOnlyKeepsThem(t *testing.T) {
	d, err := Parse([]byte("# head\n[mine]\na = 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Set("codename", "x", "", Place{}); err != nil {
		t.Fatal(err)
	}
	if got, want := string(d.Bytes()), "# head\ncodename = \"x\"\n\n[mine]\na = 1\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWindowsLineEndsStay(t *testing.T) {
	d, err := Parse([]byte("a = 1 # one\r\nb = 2\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Set("a", int64(3), "three", Place{}); err != nil {
		t.Fatal(err)
	}
	if err := d.Set("c", "x", "", Place{}); err != nil {
		t.Fatal(err)
	}
	if got, want := string(d.Bytes()), "a = 3 # three\r\nb = 2\r\nc = \"x\"\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRefusedEditChangesNothing(t *testing.T) {
	d, err := Parse([]byte("[codename]\nx = 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(d.Bytes())
	if err := d.Set("codename", "x", "", Place{}); err == nil {
		t.Error("a key that is a table was overwritten")
	}
	if !bytes.Equal(before, d.Bytes()) {
		t.Errorf("the document changed: %s", d.Bytes())
	}
}

func TestSyntaxErrorsNameTheLine(t *testing.T) {
	_, err := Parse([]byte("a = 1\nb = \nc = 3\n"))
	var se *SyntaxError
	if !errors.As(err, &se) || se.Line != 2 {
		t.Errorf("got %v, want a syntax error in line 2", err)
	}
}

func FuzzSet(f *testing.F) {
	f.Add([]byte(hand), "codename", "skiff", "asked")
	f.Add([]byte("a = 1\r\n[t]\nb='x'"), "b", "y\"\\\n", "")
	f.Add([]byte("\"a b\" = {x = [1, {y = '#'}]} # c"), "a b", "z", "q")
	f.Add([]byte("a = '''x'''' # y"), "a", "", "")
	f.Fuzz(func(t *testing.T, data []byte, key, value, comment string) {
		d, err := Parse(data)
		if err != nil {
			return
		}
		before := bytes.Clone(d.Bytes())
		old, had := d.find(key)
		if err := d.Set(key, value, comment, Place{Heading: "h"}); err != nil {
			if !bytes.Equal(before, d.Bytes()) {
				t.Fatalf("a refused edit changed the document: %v", err)
			}
			return
		}
		if got, ok := d.Get(key); !ok || got != any(value) {
			t.Fatalf("reads %v after %q was written\n%s", got, value, d.Bytes())
		}
		if had {
			if !bytes.HasPrefix(d.Bytes(), before[:old.value]) || !bytes.HasSuffix(d.Bytes(), before[old.end:]) {
				t.Fatalf("bytes outside of the statement changed\n%q\n%q", before, d.Bytes())
			}
		}
	})
}
