package session

import (
	"io"
	"strings"
	"testing"
	"time"
)

func TestTelnetWithBusybox(t *testing.T) {
	noLeaks(t)
	c := telnetd(t, `
printf 'name: '; read -r name
stty size
printf 'again: '; read -r x
stty size
stty raw -echo; printf 'bytes: '; head -c 6 | od -An -tx1
printf '\377 one byte\n'
`)
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	readUntil(t, c, "name: ")
	if _, err := io.WriteString(c, "me\r"); err != nil {
		t.Fatal(err)
	}
	// The pty echoes: the server does it, as WILL ECHO announced.
	if got := readUntil(t, c, "again: "); !strings.Contains(got, "me\r\n") || !strings.Contains(got, "24 80\r\n") {
		t.Errorf("no echo or a wrong size: %q", got)
	}
	if err := c.Resize(100, 255); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "\r"); err != nil {
		t.Fatal(err)
	}
	if got := readUntil(t, c, "bytes: "); !strings.Contains(got, "255 100\r\n") {
		t.Errorf("the new size did not arrive: %q", got)
	}
	if _, err := c.Write([]byte{'a', 0xff, 0xff, 0xf0, 'b', 0x80}); err != nil {
		t.Fatal(err)
	}
	if got := readUntil(t, c, "one byte"); !strings.Contains(got, "61 ff ff f0 62 80") || !strings.Contains(got, "\xff one") {
		t.Errorf("bytes came through as %q", got)
	}
	if rest, err := io.ReadAll(c); err != nil {
		t.Errorf("after the end: %q, %v", rest, err)
	}
}

func TestTelnetReadsInSmallPieces(t *testing.T) {
	near, far := connPair(t)
	c := NewTelnet(near, 80, 24)
	go func() {
		far.Write(append(append([]byte("ab"), busyboxHello...), "cd"...))
		far.(interface{ CloseWrite() error }).CloseWrite()
	}()
	var got []byte
	one := make([]byte, 1)
	for {
		n, err := c.Read(one)
		got = append(got, one[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if string(got) != "abcd" {
		t.Errorf("got %q", got)
	}
}
