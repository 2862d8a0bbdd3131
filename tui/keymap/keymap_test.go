package keymap

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"charm.land/bubbles/v2/key"
)

var update = flag.Bool("update", false, "write docs/keys.md")

func TestDocsAreFresh(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "keys.md")
	want := Default().Markdown()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Fatalf("docs/keys.md is stale (%v): run go test ./tui/keymap -update", err)
	}
}

// Every field of the KeyMap is in one area, has keys and help, and pressing it
// matches it.
func TestEveryBindingIsDocumentedAndRunnable(t *testing.T) {
	k := Default()
	documented := map[string]bool{}
	for _, g := range k.Groups(Areas...) {
		for _, b := range g.Bindings {
			documented[b.Help().Desc] = true
		}
	}
	v := reflect.ValueOf(k)
	for i := range v.NumField() {
		b := v.Field(i).Interface().(key.Binding)
		name := v.Type().Field(i).Name
		if len(b.Keys()) == 0 || b.Help().Key == "" || b.Help().Desc == "" {
			t.Errorf("%s has no keys or no help", name)
		}
		if !documented[b.Help().Desc] {
			t.Errorf("%s is in no area", name)
		}
		if !key.Matches(Press(b), b) {
			t.Errorf("%s: pressing %q gives %q, which does not match", name, b.Keys()[0], Press(b).String())
		}
		if len(Bytes(b)) == 0 {
			t.Errorf("%s: no bytes for %q", name, b.Keys()[0])
		}
	}
}

// ctrl+m is enter, ctrl+i is tab and ctrl+h is backspace on most terminals,
// and ctrl+s and ctrl+q stop and start output: none of them may be bound.
func TestNoTreacherousKeys(t *testing.T) {
	for _, g := range Default().Groups(Areas...) {
		for _, b := range g.Bindings {
			for _, k := range b.Keys() {
				switch k {
				case "ctrl+m", "ctrl+i", "ctrl+h", "ctrl+s", "ctrl+q", "ctrl+[":
					t.Errorf("%q is bound to %q", k, b.Help().Desc)
				}
			}
		}
	}
}

// Within one area a key means one thing; running a step and choosing a phone
// share the space bar because they act on what the cursor is on.
func TestNoConflictsInAnArea(t *testing.T) {
	k := Default()
	for _, areas := range [][]Area{{Anywhere, Rooms, Voyage}, {Anywhere, Rooms, Moving, Text}, {FormArea}, {SecretArea}} {
		seen := map[string]string{}
		for _, g := range k.Groups(areas...) {
			for _, b := range g.Bindings {
				for _, name := range b.Keys() {
					if old, ok := seen[name]; ok && name != "space" && name != "pgup" && name != "pgdown" {
						t.Errorf("%v: %q is both %q and %q", areas, name, old, b.Help().Desc)
					}
					seen[name] = b.Help().Desc
				}
			}
		}
	}
}
