package keymap

import (
	"fmt"
	"strings"
)

// Markdown returns docs/keys.md.
func (k KeyMap) Markdown() string {
	var b strings.Builder
	b.WriteString("# Keys\n\nMade from `tui/keymap`; `go test ./tui/keymap -update` writes this page.\n\n")
	b.WriteString("`?` (or `f1` while typing) shows the keys of the screen you are in, lets you search them with `/` and runs the chosen one with `enter`.\n")
	b.WriteString("In the console every key goes to the phone except `ctrl+]`.\n")
	for _, g := range k.Groups(Areas...) {
		fmt.Fprintf(&b, "\n## %s\n\n| key | does |\n|---|---|\n", g.Name)
		for _, bind := range g.Bindings {
			fmt.Fprintf(&b, "| %s | %s |\n", keyCells(bind.Keys()), bind.Help().Desc)
		}
	}
	return b.String()
}

func keyCells(keys []string) string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = "`" + k + "`"
	}
	return strings.Join(out, " ")
}
