package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// SSHConfig says who logs in where.
type SSHConfig struct {
	User string
	Key  *Key
	// HostKey is the public key that the phone must have, as in HostKey.Public.
	HostKey string
}

// HostKeyError says that the phone has another host key than was noted.
type HostKeyError struct {
	Addr      string
	Want, Got string // SHA256 fingerprints
}

func (e *HostKeyError) Error() string {
	return fmt.Sprintf("the phone at %s has another SSH host key than the one noted for it: expected %s, got %s; "+
		"if it was installed anew since, run the image and flash steps of this port again or note its new key; "+
		"if not, something else answers on that address and nothing was sent to it", e.Addr, e.Want, e.Got)
}

// AuthError says that the phone refused the key.
type AuthError struct {
	User, Key string
	Err       error
}

func (e *AuthError) Error() string {
	return fmt.Sprintf("the phone lets %q not in with the SSH key %s: the image was built with another key or user; build and flash it again, or add the key's line to ~%s/.ssh/authorized_keys on the phone: %v",
		e.User, e.Key, e.User, e.Err)
}

func (e *AuthError) Unwrap() error { return e.Err }

// SSH is a connection to a booted phone, safe for use by many goroutines.
type SSH struct {
	client *ssh.Client
	conn   net.Conn
	done   chan struct{}
	closed sync.Once
	err    error
}

// A cancelled command gets grace to end cleanly before its caller goes on
// without it, and patience before the whole connection is dropped for it: a
// slow phone is no lost phone.
const (
	grace    = 500 * time.Millisecond
	patience = 10 * time.Second
)

// keepAlive is the pause between two signs of life; a phone that does not
// answer one within lost is given up, so that nothing waits for an unplugged phone.
const (
	keepAlive = 5 * time.Second
	lost      = 15 * time.Second
)

// DialSSH logs in over conn, which it owns from now on, also when it fails. It
// fails with *HostKeyError, *AuthError or what broke the handshake off.
func DialSSH(ctx context.Context, conn net.Conn, cfg SSHConfig) (*SSH, error) {
	s, err := dialSSH(ctx, conn, cfg)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

func dialSSH(ctx context.Context, conn net.Conn, cfg SSHConfig) (*SSH, error) {
	if cfg.Key == nil || cfg.Key.signer == nil {
		return nil, errors.New("log in to the phone over SSH: no key given")
	}
	want, err := parsePublic(cfg.HostKey)
	if err != nil {
		return nil, err
	}
	addr := conn.RemoteAddr().String()
	var mismatch *HostKeyError
	config := &ssh.ClientConfig{
		User:              cfg.User,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(cfg.Key.signer)},
		HostKeyAlgorithms: algorithmsOf(want.Type()),
		HostKeyCallback: func(_ string, _ net.Addr, got ssh.PublicKey) error {
			if string(got.Marshal()) != string(want.Marshal()) {
				mismatch = &HostKeyError{Addr: addr, Want: ssh.FingerprintSHA256(want), Got: ssh.FingerprintSHA256(got)}
				return mismatch
			}
			return nil
		},
	}
	release := interruptible(ctx, conn)
	c, chans, reqs, err := ssh.NewClientConn(conn, addr, config)
	release()
	switch {
	case err == nil && ctx.Err() == nil:
	case mismatch != nil:
		return nil, mismatch
	case ctx.Err() != nil:
		if err == nil {
			c.Close()
		}
		return nil, fmt.Errorf("log in to the phone at %s over SSH: %w", addr, ctx.Err())
	case strings.Contains(err.Error(), "unable to authenticate"):
		// x/crypto/ssh has no typed error for this on the client's side.
		return nil, &AuthError{User: cfg.User, Key: cfg.Key.Path, Err: err}
	case strings.Contains(err.Error(), "no common algorithm for host key"):
		return nil, &HostKeyError{Addr: addr, Want: ssh.FingerprintSHA256(want), Got: "no key of type " + want.Type()}
	default:
		return nil, fmt.Errorf("log in to the phone at %s over SSH: %w", addr, err)
	}
	s := &SSH{client: ssh.NewClient(c, chans, reqs), conn: conn, done: make(chan struct{})}
	go s.stayAlive()
	return s, nil
}

// algorithmsOf lists the signatures that a host key of a type can give.
func algorithmsOf(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{keyType}
}

// stayAlive drops the connection when the phone stops answering. It ends with
// the connection.
func (s *SSH) stayAlive() {
	go func() {
		_ = s.client.Wait()
		close(s.done)
	}()
	for {
		select {
		case <-s.done:
			return
		case <-time.After(keepAlive):
		}
		fuse := time.AfterFunc(lost, func() { s.conn.Close() })
		// Any answer will do; OpenSSH refuses the request, which is one.
		_, _, err := s.client.SendRequest("keepalive@openssh.com", true, nil)
		fuse.Stop()
		if err != nil {
			s.conn.Close()
		}
	}
}

// Done is closed when the connection has ended, for whatever reason.
func (s *SSH) Done() <-chan struct{} { return s.done }

// Close ends the connection and everything that runs over it.
func (s *SSH) Close() error {
	s.closed.Do(func() {
		// A goodbye must not wait for a phone that reads no more.
		_ = s.conn.SetWriteDeadline(time.Now().Add(grace))
		s.err = s.client.Close()
		if errors.Is(s.err, net.ErrClosed) {
			s.err = nil
		}
	})
	return s.err
}
