package session

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// need finds a program or skips loudly, naming the Debian package that has it.
func need(t *testing.T, program, pkg string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		p := filepath.Join(dir, program)
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() && st.Mode().Perm()&0o111 != 0 {
			return p
		}
	}
	t.Skipf("SKIP: %s is not installed; install package %s", program, pkg)
	return ""
}

// testContext ends well before the test binary's own limit, so that a test that
// hangs says where.
func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// noLeaks fails the test if it leaves a goroutine behind that runs this package.
func noLeaks(t *testing.T) {
	t.Helper()
	before := ours()
	t.Cleanup(func() {
		deadline := time.Now().Add(10 * time.Second)
		for {
			now := ours()
			if len(now) <= len(before) {
				return
			}
			if time.Now().After(deadline) {
				t.Errorf("%d goroutines were left behind:\n%s", len(now)-len(before), strings.Join(now, "\n\n"))
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
}

// ours lists the goroutines with code of this package or of x/crypto/ssh.
func ours() []string {
	buf := make([]byte, 4<<20)
	var list []string
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "testing.tRunner") || strings.Contains(g, "testing.(*T).Run") {
			continue
		}
		if strings.Contains(g, "portolan/usb/session.") || strings.Contains(g, "x/crypto/ssh.") {
			list = append(list, g)
		}
	}
	return list
}

// connPair is a TCP connection over loopback.
func connPair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// telnetd connects to a real busybox telnetd whose login program is a shell
// script with the given text.
func telnetd(t *testing.T, script string) *Telnet {
	t.Helper()
	busybox := need(t, "busybox", "busybox-static")
	if out, _ := exec.Command(busybox, "--list").Output(); !bytes.Contains(out, []byte("\ntelnetd\n")) {
		t.Skip("SKIP: this busybox has no telnetd; install package busybox-static")
	}
	login := filepath.Join(t.TempDir(), "login")
	if err := os.WriteFile(login, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	near, far := connPair(t)
	socket, err := far.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	far.Close()
	// As inetd starts it: the connection is its stdin.
	cmd := exec.Command(busybox, "telnetd", "-i", "-l", login)
	cmd.Stdin, cmd.Stdout = socket, socket
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	socket.Close()
	c := NewTelnet(near, 80, 24)
	t.Cleanup(func() {
		c.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return c
}

// screen collects what a session prints.
type screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *screen) add(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// readUntil reads from r until the text was seen and returns all that was read.
func readUntil(t *testing.T, r io.Reader, want string) string {
	t.Helper()
	var got []byte
	buf := make([]byte, 512)
	for !strings.Contains(string(got), want) {
		n, err := r.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			t.Fatalf("want %q, got %q and %v", want, got, err)
		}
	}
	return string(got)
}
