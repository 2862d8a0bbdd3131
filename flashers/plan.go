package flashers

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Bytes writes a size for a person: "12.4 MiB".
func Bytes(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1024, 0
	for v >= 1023.95 && unit < 3 {
		v, unit = v/1024, unit+1
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") + " " + []string{"KiB", "MiB", "GiB", "TiB"}[unit]
}

const planWidth = 80

// String is the plan as Fprint prints it.
func (p Plan) String() string {
	var b strings.Builder
	p.Fprint(&b)
	return b.String()
}

// Fprint prints the plan for a person, in lines of at most 80 columns as long
// as no single word is longer.
func (p Plan) Fprint(w io.Writer) error {
	var b strings.Builder
	name := strings.TrimSpace(p.Device.Manufacturer + " " + p.Device.Product)
	if m := p.Device.Manufacturer; m != "" && strings.HasPrefix(p.Device.Product, m+" ") {
		name = p.Device.Product // "Portolan Dinghy" already names its maker
	}
	if p.Device.Practice {
		name += " (practice)"
	}
	fmt.Fprintf(&b, "Plan (%s)\n", p.Method)
	wrap(&b, "  phone   ", name)
	wrap(&b, "  serial  ", p.Device.Serial)
	wrap(&b, "  port    ", p.Port.Codename)
	b.WriteString("\n     does    partition             image    of partition  file\n")
	lost := false
	for i, a := range p.Actions {
		mark := " "
		if a.Destructive {
			mark, lost = "!", true
		}
		if a.Image.Path == "" {
			fmt.Fprintf(&b, "%2d %s %s\n", i+1, mark, a.Verb)
		} else {
			part, room := a.Image.Partition, "-"
			if part == "" {
				part = "(memory)"
			}
			if a.Room > 0 {
				room = Bytes(a.Room)
			}
			fmt.Fprintf(&b, "%2d %s %-7s %-16s %10s %15s  %s\n", i+1, mark, a.Verb, short(part, 16), Bytes(a.Image.Size), room, short(a.Image.Path, 20))
			fmt.Fprintf(&b, "     sha256  %s\n", a.Image.SHA256)
		}
		b.WriteString("     $ " + shellLines(a.Command) + "\n")
	}
	if lost {
		b.WriteString("   ! what the partition holds now is lost\n")
	}
	b.WriteString("\n")
	for _, c := range p.Checks {
		mark := "ok"
		if !c.OK {
			mark = "NO"
		}
		wrap(&b, fmt.Sprintf("  %s %-20s ", mark, c.Name), c.Detail)
	}
	if p.Refusal() != nil {
		b.WriteString("\nRefused: nothing will be written until every check is ok.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// wrap writes text behind a head, further lines indented as far.
func wrap(b *strings.Builder, head, text string) {
	indent := utf8.RuneCountInString(head)
	b.WriteString(head)
	col := indent
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if i > 0 && col+1+n > planWidth {
			b.WriteString("\n" + strings.Repeat(" ", indent))
			col = indent
		} else if i > 0 {
			b.WriteByte(' ')
			col++
		}
		b.WriteString(word)
		col += n
	}
	b.WriteByte('\n')
}

// shellLines breaks a command between its words, never inside quotes, so that
// it can be copied as it stands.
func shellLines(command string) string {
	const indent = 7
	var b strings.Builder
	col, start := indent, 0
	var quote rune
	put := func(word string) {
		n := utf8.RuneCountInString(word)
		switch {
		case b.Len() == 0:
		case col+1+n+2 > planWidth:
			b.WriteString(" \\\n" + strings.Repeat(" ", indent))
			col = indent
		default:
			b.WriteByte(' ')
			col++
		}
		b.WriteString(word)
		col += n
	}
	for i, r := range command {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"':
			quote = r
		case r == ' ':
			put(command[start:i])
			start = i + 1
		}
	}
	put(command[start:])
	return b.String()
}

// short keeps the end of what is too long, where paths differ.
func short(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return "…" + string(r[len(r)-n+1:])
	}
	return s
}
