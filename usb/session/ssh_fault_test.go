package session

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestAnotherHostKeyIsRefused(t *testing.T) {
	noLeaks(t)
	conn, cfg := sshd(t)
	other, err := NewHostKey()
	if err != nil {
		t.Fatal(err)
	}
	cfg.HostKey = other.Public
	_, err = DialSSH(testContext(t), conn, cfg)
	var mismatch *HostKeyError
	if !errors.As(err, &mismatch) || mismatch.Want == mismatch.Got || !strings.Contains(err.Error(), "installed anew") {
		t.Errorf("got %v", err)
	}
}

func TestAnotherKeyIsNotLetIn(t *testing.T) {
	noLeaks(t)
	conn, cfg := sshd(t)
	other, err := EnsureKey(filepath.Join(t.TempDir(), "other"))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Key = other
	_, err = DialSSH(testContext(t), conn, cfg)
	var refused *AuthError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "authorized_keys") {
		t.Errorf("got %v", err)
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	noLeaks(t)
	near, far := connPair(t)
	key, err := EnsureKey(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	host, err := NewHostKey()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		io.ReadFull(far, make([]byte, 4)) // it is under way, and never answered
		cancel()
	}()
	if _, err := DialSSH(ctx, near, SSHConfig{User: "x", Key: key, HostKey: host.Public}); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if _, err := near.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the connection was not closed: %v", err)
	}
}

// deafServer lets everybody in, takes every command, and then says nothing
// any more: a phone whose cable is loose. started is closed by the first command.
func deafServer(t *testing.T) (s *SSH, far net.Conn, started <-chan struct{}) {
	t.Helper()
	host, err := NewHostKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(host.PEM)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}
	config.AddHostKey(signer)
	near, far := connPair(t)
	first := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, channels, requests, err := ssh.NewServerConn(far, config)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		for c := range channels {
			_, requests, err := c.Accept()
			if err != nil {
				return
			}
			exec := <-requests
			exec.Reply(true, nil)
			close(first)
			for range requests { // neither answered nor obeyed
			}
		}
	}()
	key, err := EnsureKey(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	s, err = DialSSH(testContext(t), near, SSHConfig{User: "x", Key: key, HostKey: host.Public})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); far.Close(); <-ended })
	return s, far, first
}

func TestADeafPhoneHoldsNothingUp(t *testing.T) {
	noLeaks(t)
	s, _, started := deafServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	if _, err := s.Run(ctx, "true", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestACutCableEndsWhatRuns(t *testing.T) {
	noLeaks(t)
	s, far, started := deafServer(t)
	go func() { <-started; far.Close() }()
	var exit *ExitError
	if _, err := s.Run(testContext(t), "true", nil); !errors.As(err, &exit) || exit.Exit != -1 || !strings.Contains(err.Error(), "cable") {
		t.Errorf("ended with %v", err)
	}
	<-s.Done()
	if _, err := s.Run(testContext(t), "true", nil); err == nil {
		t.Error("a command ran over a cut cable")
	}
}
