package wizard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"portolan/usb/session"
)

// phoneKeys are what the image step puts on the phone and attach expects there.
// They live in out/keys of the port, the private halves readable by their owner
// only, and stay the same over rebuilds: SSH never meets a changed host key.
type phoneKeys struct {
	User *session.Key
	Host session.HostKey
}

// loadKeys reads the port's keys and makes those that are missing.
func loadKeys(p *Port) (phoneKeys, error) {
	user, err := session.EnsureKey(p.Path("out", "keys", "id_ed25519"))
	if err != nil {
		return phoneKeys{}, err
	}
	host, err := loadHostKey(p.Path("out", "keys", "ssh_host_ed25519_key"))
	if err != nil {
		return phoneKeys{}, err
	}
	return phoneKeys{User: user, Host: host}, nil
}

func loadHostKey(path string) (session.HostKey, error) {
	private, err := os.ReadFile(path)
	public, err2 := os.ReadFile(path + ".pub")
	err = errors.Join(err, err2)
	if err == nil {
		return session.HostKey{PEM: private, Public: strings.TrimSpace(string(public))}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return session.HostKey{}, fmt.Errorf("read the phone's host key: %w", err)
	}
	key, err := session.NewHostKey()
	if err != nil {
		return session.HostKey{}, err
	}
	// The public half goes last: both or none count.
	err = writeAtomic(path, key.PEM, 0o600)
	if err == nil {
		err = writeAtomic(path+".pub", []byte(key.Public+"\n"), 0o644)
	}
	if err != nil {
		return session.HostKey{}, fmt.Errorf("keep the phone's host key: %w", err)
	}
	return key, nil
}
