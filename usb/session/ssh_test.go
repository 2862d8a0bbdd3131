package session

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sshd starts a real OpenSSH server for one connection and returns that
// connection and what it takes to log in.
func sshd(t *testing.T) (net.Conn, SSHConfig) {
	t.Helper()
	program := need(t, "sshd", "openssh-server")
	// sshd wants its home and keys in folders that only their owner can write;
	// the temporary folder of a test may lie below one that is not.
	dir := t.TempDir()
	host, err := NewHostKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := EnsureKey(filepath.Join(dir, "config/id_ed25519"))
	if err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		// The privilege separation of sshd wants this folder.
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	config := fmt.Sprintf("HostKey %[1]s/host\nAuthorizedKeysFile %[1]s/authorized\nStrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\nPermitRootLogin prohibit-password\nLogLevel ERROR\n", dir)
	for name, text := range map[string]string{"host": string(host.PEM), "authorized": key.AuthorizedKey + "\n", "config.sshd": config} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	near, far := connPair(t)
	socket, err := far.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	far.Close()
	// As inetd starts it: the connection is its stdin.
	cmd := exec.Command(program, "-i", "-e", "-f", filepath.Join(dir, "config.sshd"))
	cmd.Stdin, cmd.Stdout = socket, socket
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	socket.Close()
	t.Cleanup(func() {
		near.Close()
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("sshd said: %s", log.String())
		}
	})
	return near, SSHConfig{User: me.Username, Key: key, HostKey: host.Public}
}

// login connects to a real sshd.
func login(t *testing.T) *SSH {
	t.Helper()
	conn, cfg := sshd(t)
	s, err := DialSSH(testContext(t), conn, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestRun(t *testing.T) {
	noLeaks(t)
	s := login(t)
	ctx := testContext(t)
	o, err := s.Run(ctx, "cat; echo oops >&2", strings.NewReader("hello"))
	if err != nil || string(o.Stdout) != "hello" || string(o.Stderr) != "oops\n" || o.Exit != 0 {
		t.Errorf("got %q, %q, %d, %v", o.Stdout, o.Stderr, o.Exit, err)
	}
	var exit *ExitError
	o, err = s.Run(ctx, "echo partly; echo why >&2; exit 3", nil)
	if !errors.As(err, &exit) || exit.Exit != 3 || o.Exit != 3 || exit.Stderr != "why" || string(o.Stdout) != "partly\n" {
		t.Errorf("got %+v, %v", o, err)
	}
	if _, err = s.Run(ctx, "kill -TERM $$", nil); !errors.As(err, &exit) || exit.Signal != "TERM" {
		t.Errorf("killed by a signal: %v", err)
	}
	// A stdin that never ends does not hold up a command that does.
	r, w := io.Pipe()
	defer w.Close()
	if o, err = s.Run(ctx, "echo done", r); err != nil || string(o.Stdout) != "done\n" {
		t.Errorf("with a blocking stdin: %+v, %v", o, err)
	}
	if _, err = s.Run(ctx, fmt.Sprintf("head -c %d /dev/zero", maxOutput+1), nil); !errors.Is(err, ErrOutput) {
		t.Errorf("too much output: %v", err)
	}
}

// waitDead waits until the process whose number is in pidFile has ended.
func waitDead(t *testing.T, pidFile string) {
	t.Helper()
	pid, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	proc := filepath.Join("/proc", strings.TrimSpace(string(pid)), "cmdline")
	deadline := time.Now().Add(20 * time.Second)
	for {
		// A process that has ended has no command line, reaped or not.
		if line, err := os.ReadFile(proc); err != nil || len(line) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %s still runs on the phone", pid)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestCancelKillsTheCommandAndKeepsTheConnection(t *testing.T) {
	noLeaks(t)
	s := login(t)
	for name, start := range map[string]func(ctx context.Context, command string) error{
		"run": func(ctx context.Context, command string) error {
			_, err := s.Run(ctx, command, nil)
			return err
		},
		"stream": func(ctx context.Context, command string) error {
			st, err := s.Stream(ctx, command, nil)
			if err != nil {
				return err
			}
			defer st.Close()
			_, err = io.ReadAll(st)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			pid := filepath.Join(t.TempDir(), "pid")
			ctx, cancel := context.WithCancel(testContext(t))
			ended := make(chan error, 1)
			go func() { ended <- start(ctx, "echo $$ >"+pid+".new; mv "+pid+".new "+pid+"; exec sleep 1000") }()
			for started := false; !started; {
				select {
				case err := <-ended:
					t.Fatalf("ended before it was cancelled: %v", err)
				case <-time.After(time.Millisecond):
					_, err := os.Stat(pid)
					started = err == nil
				}
			}
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("ended with %v", err)
			}
			waitDead(t, pid)
			if o, err := s.Run(testContext(t), "echo still here", nil); err != nil || string(o.Stdout) != "still here\n" {
				t.Errorf("the connection after it: %q, %v", o.Stdout, err)
			}
		})
	}
}

func TestStream(t *testing.T) {
	noLeaks(t)
	s := login(t)
	ctx := testContext(t)
	in, feed := io.Pipe()
	st, err := s.Stream(ctx, "cat; echo bad luck >&2; exit 7", in)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	go io.WriteString(feed, "first ")
	readUntil(t, st, "first ") // arrives while the command runs
	go func() {
		io.WriteString(feed, "last")
		feed.Close()
	}()
	rest, err := io.ReadAll(st)
	var exit *ExitError
	if string(rest) != "last" || !errors.As(err, &exit) || exit.Exit != 7 || exit.Stderr != "bad luck" {
		t.Errorf("rest %q, %v", rest, err)
	}
	// More output than the window of the channel, read whole.
	big, err := s.Stream(ctx, "head -c 8000000 /dev/zero", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer big.Close()
	if n, err := io.Copy(io.Discard, big); n != 8_000_000 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	// Closed in the midst of its output.
	endless, err := s.Stream(ctx, "cat /dev/zero", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(endless, make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	endless.Close()
	if _, err := s.Run(ctx, "true", nil); err != nil {
		t.Errorf("after closing a stream: %v", err)
	}
}

func TestShell(t *testing.T) {
	noLeaks(t)
	s := login(t)
	sh, err := s.Shell(testContext(t), 90, 30)
	if err != nil {
		t.Fatal(err)
	}
	defer sh.Close()
	io.WriteString(sh, "PS1=; stty -echo; echo si''ze $(stty size) $TERM\n")
	readUntil(t, sh, "size 30 90 xterm-256color")
	if err := sh.Resize(100, 40); err != nil {
		t.Fatal(err)
	}
	io.WriteString(sh, "echo now $(stty size)\n")
	readUntil(t, sh, "now 40 100")
	io.WriteString(sh, "exit 5\n")
	if _, err := io.ReadAll(sh); err != nil {
		t.Errorf("the end of the shell: %v", err)
	}
	if err := sh.Wait(); err != nil {
		t.Errorf("logging out is no failure: %v", err)
	}
}

func TestUpload(t *testing.T) {
	noLeaks(t)
	s := login(t)
	ctx := testContext(t)
	dir := t.TempDir()
	data := make([]byte, 3<<20)
	rand.Read(data)
	path := filepath.Join(dir, `a "strange" $name`)
	if err := s.Upload(ctx, path, 0o640, bytes.NewReader(data), int64(len(data))); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes arrived, %v", len(got), err)
	}
	if st, _ := os.Stat(path); st.Mode() != 0o640 {
		t.Errorf("mode %v", st.Mode())
	}
	// What breaks off leaves the old file and nothing beside it.
	short := io.LimitReader(bytes.NewReader(data), 1000)
	if err := s.Upload(ctx, path, 0o600, short, int64(len(data))); err == nil || !strings.Contains(err.Error(), "received 1000 of") {
		t.Errorf("a short file: %v", err)
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, data) {
		t.Error("the old file is lost")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	for _, bad := range []string{"relative", "/", "/a/../b", "/with\x00nul", dir} {
		if err := s.Upload(ctx, bad, 0o600, strings.NewReader("x"), 1); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestKeysAreOpenSSHs(t *testing.T) {
	keygen := need(t, "ssh-keygen", "openssh-client")
	path := filepath.Join(t.TempDir(), "new/folder/key")
	key, err := EnsureKey(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := EnsureKey(path)
	if err != nil || again.AuthorizedKey != key.AuthorizedKey {
		t.Errorf("a second call made another key: %v, %v", again, err)
	}
	out, err := exec.Command(keygen, "-y", "-P", "", "-f", path).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != key.AuthorizedKey {
		t.Errorf("ssh-keygen reads %q, %v; want %q", out, err, key.AuthorizedKey)
	}
	if st, _ := os.Stat(path); st.Mode() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
	if st, _ := os.Stat(filepath.Dir(path)); st.Mode().Perm() != 0o700 {
		t.Errorf("mode of the folder %v", st.Mode())
	}
	host, err := NewHostKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".host", host.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err = exec.Command(keygen, "-y", "-P", "", "-f", path+".host").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), host.Public) {
		t.Errorf("ssh-keygen reads %q, %v; want %q", out, err, host.Public)
	}

	os.Chmod(path, 0o644)
	if _, err := EnsureKey(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read: %v", err)
	}
	locked := filepath.Join(t.TempDir(), "locked")
	if out, err := exec.Command(keygen, "-q", "-t", "ed25519", "-N", "abcde", "-f", locked).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	if _, err := EnsureKey(locked); err == nil || !strings.Contains(err.Error(), "has a passphrase") {
		t.Errorf("a key with a passphrase: %v", err)
	}
	if err := os.WriteFile(locked, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := EnsureKey(locked); err == nil {
		t.Error("a file that is no key was taken, or overwritten")
	}
}
