package session

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Key is the key pair that logs in on phones.
type Key struct {
	Path          string // of the private key
	AuthorizedKey string // the public key as a line of authorized_keys, no newline
	signer        ssh.Signer
}

// HostKey is the identity of a phone, made with its image so that the first
// connection can already be checked.
type HostKey struct {
	PEM    []byte // private key in OpenSSH's format, for /etc/ssh/ssh_host_ed25519_key, mode 0600
	Public string // public key as in ssh_host_ed25519_key.pub and known_hosts, no newline
}

const keyComment = "portolan"

// maxKeyFile bounds what is read as a private key, in bytes. OpenSSH's largest
// (RSA 16384) is below it.
const maxKeyFile = 64 << 10

// EnsureKey returns the key at path and makes an ed25519 key in OpenSSH's
// format (0600, folder 0700) if there is none. Two programs that come at once
// get the same key. The public key is written beside it as path.pub.
func EnsureKey(path string) (*Key, error) {
	key, err := loadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the SSH key: %w", err)
	}
	text, public, err := newKey(keyComment)
	if err != nil {
		return nil, fmt.Errorf("make the SSH key %s: %w", path, err)
	}
	defer clear(text)
	if err := writeNew(path, text, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("write the SSH key %s: %w", path, err)
	}
	key, err = loadKey(path)
	if err != nil {
		return nil, err
	}
	// Only a convenience for people; the private key holds the public one.
	if strings.HasPrefix(key.AuthorizedKey, public) {
		_ = writeNew(path+".pub", []byte(key.AuthorizedKey+"\n"), 0o644)
	}
	return key, nil
}

func loadKey(path string) (*Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the SSH key: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the SSH key: %w", err)
	}
	if open := st.Mode().Perm() & 0o077; open != 0 {
		return nil, fmt.Errorf("the SSH key %s may be read by others (mode %04o): run chmod 600 %s, or delete it to get a new one", path, st.Mode().Perm(), path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("read the SSH key %s: %w", path, err)
	}
	defer clear(text)
	signer, err := ssh.ParsePrivateKey(text)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return nil, fmt.Errorf("the SSH key %s has a passphrase: Portolan uses a key of its own, give it another path or delete this one: %w", path, err)
	case err != nil:
		return nil, fmt.Errorf("the SSH key %s cannot be read, delete it to get a new one: %w", path, err)
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	return &Key{Path: path, AuthorizedKey: line + " " + keyComment, signer: signer}, nil
}

// NewHostKey makes an ed25519 host key for one image. The private half goes
// into the image and nowhere else; Public is kept to recognise the phone.
func NewHostKey() (HostKey, error) {
	text, public, err := newKey("root@phone")
	if err != nil {
		return HostKey{}, fmt.Errorf("make an SSH host key: %w", err)
	}
	return HostKey{PEM: text, Public: public}, nil
}

// ParseHostKey reads a private host key in OpenSSH's format, without a passphrase.
func ParseHostKey(text []byte) (HostKey, error) {
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return HostKey{}, fmt.Errorf("parse the SSH host key: %w", err)
	}
	return HostKey{PEM: text, Public: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))}, nil
}

// newKey returns a fresh key in OpenSSH's format and its public line.
func newKey(comment string) (text []byte, public string, err error) {
	pub, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, "", err
	}
	defer clear(private)
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return nil, "", err
	}
	sshPub, err := ssh.NewPublicKey(pub)
	if err != nil {
		return nil, "", err
	}
	text = pem.EncodeToMemory(block)
	clear(block.Bytes)
	return text, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(sshPub))), nil
}

// writeNew writes a file that must not exist yet, whole or not at all.
func writeNew(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}

// parsePublic reads a public key as it stands in ssh_host_*_key.pub,
// authorized_keys, or known_hosts without its names.
func parsePublic(line string) (ssh.PublicKey, error) {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return nil, fmt.Errorf("the phone's noted SSH host key %q cannot be read: %w", line, err)
	}
	return key, nil
}
