package chroot

import (
	"strings"
	"testing"
)

// FuzzHostFiles reads what a host or a chroot may hold in subuid, passwd, group
// and binfmt_misc.
func FuzzHostFiles(f *testing.F) {
	f.Add("porter:100000:65536\n", "porter")
	f.Add("porter:x:1000:100::/home/porter:/bin/sh\naudio:x:29:porter\n", "porter")
	f.Add("enabled\nflags: OCF\nmagic 7f454c460201010000000000000000000200b700\n", "b700")
	f.Fuzz(func(t *testing.T, text, name string) {
		total := 0
		for _, r := range rootless(1000, parseSubids(strings.NewReader(text), name, "1000")) {
			if r.Count <= 0 || r.Outside < 0 || r.Inside != total {
				t.Fatalf("range %+v after %d ids", r, total)
			}
			total += r.Count
		}
		if total > mapSize {
			t.Fatalf("%d ids", total)
		}
		if a, err := parsePasswd(strings.NewReader(text), name); err == nil && a.name != name {
			t.Fatalf("account %+v for %q", a, name)
		}
		parseGroups(strings.NewReader(text), name)
		binfmtEntryRuns(text, name)
	})
}

// FuzzLines feeds two pieces and wants every byte's line, each bounded.
func FuzzLines(f *testing.F) {
	f.Add("a\nb", "\r\nc")
	f.Add("10%\r20%\r", "\n\xff")
	f.Fuzz(func(t *testing.T, a, b string) {
		n := 0
		w := newLineWriter(func(line string) {
			n++
			if strings.ContainsAny(line, "\n\r") || len(line) > 3*maxLine {
				t.Fatalf("line of %d bytes: %.40q", len(line), line)
			}
		})
		w.Write([]byte(a))
		w.Write([]byte(b))
		w.flush()
		if want := strings.Count(a+b, "\n"); n < want {
			t.Fatalf("%d lines out of %d", n, want)
		}
	})
}
