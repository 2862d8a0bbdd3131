package wizard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"portolan/usb/session"
)

// phoneKeys are what the image step puts on the phone and attach expects there.
// The person's key lies in the folder for configuration and serves every port;
// the phone's host key lies in out/keys of the port. Private halves are readable
// by their owner only. Both stay the same over rebuilds: SSH never meets a
// changed host key.
type phoneKeys struct {
	User *session.Key
	Host session.HostKey
}

// keyName is the file of the person's key, as ssh-keygen would call it.
const keyName = "id_ed25519"

// loadKeys reads the keys and makes those that are missing.
func (v *Voyage) loadKeys() (phoneKeys, error) { return loadKeys(v.port, v.cfg.Keys) }

// loadKeys takes the person's key from dir, or from the port where dir is empty.
func loadKeys(p *Port, dir string) (phoneKeys, error) {
	if dir == "" {
		dir = p.Path("out", "keys")
	}
	user, err := session.EnsureKey(filepath.Join(dir, keyName))
	if err != nil {
		return phoneKeys{}, err
	}
	host, err := loadHostKey(p.Path("out", "keys", "ssh_host_ed25519_key"))
	if err != nil {
		return phoneKeys{}, err
	}
	return phoneKeys{User: user, Host: host}, nil
}

// loadHostKey reads the phone's host key. Its private half alone is the key: a
// new one is made only where there is none, because phones have it already.
func loadHostKey(path string) (session.HostKey, error) {
	private, err := os.ReadFile(path)
	if err == nil {
		key, err := session.ParseHostKey(private)
		if err != nil {
			return session.HostKey{}, fmt.Errorf("read the phone's host key %s: %w", path, err)
		}
		return key, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return session.HostKey{}, fmt.Errorf("read the phone's host key: %w", err)
	}
	key, err := session.NewHostKey()
	if err != nil {
		return session.HostKey{}, err
	}
	err = writeAtomic(path, key.PEM, 0o600)
	if err == nil {
		err = writeAtomic(path+".pub", []byte(key.Public+"\n"), 0o644)
	}
	if err != nil {
		return session.HostKey{}, fmt.Errorf("keep the phone's host key: %w", err)
	}
	return key, nil
}
