package wizard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"portolan/flashers"
	"portolan/usb/session"
)

// ReadJournal reads what was done in a port's folder without taking the port.
// A port without a journal has no entries.
func ReadJournal(dir string) ([]Entry, error) {
	data, err := os.ReadFile(journalPath(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	return parseJournal(data), nil
}

// SSHConfig says how to log in on the phone that the port in dir is for: the
// port's user, the key in the folder keys (as Config.Keys has it), and the host
// key that its image was made with.
func SSHConfig(dir, keys string) (session.SSHConfig, error) {
	p, err := OpenPort(dir)
	if err != nil {
		return session.SSHConfig{}, err
	}
	if p.Get("user") == "" {
		return session.SSHConfig{}, &UsageError{File: p.Path("port.toml"), Key: "user", Text: "this port names no user to log in as; run this in the folder of a port, or name it with --port"}
	}
	pair, err := loadKeys(p, keys)
	if err != nil {
		return session.SSHConfig{}, err
	}
	return session.SSHConfig{User: p.Get("user"), Key: pair.User, HostKey: pair.Host.Public}, nil
}

// FlashPort says which phones the images of the port in dir are for.
func FlashPort(dir string) (flashers.Port, error) {
	p, err := OpenPort(dir)
	if err != nil {
		return flashers.Port{}, err
	}
	if p.Get("codename") == "" {
		return flashers.Port{}, &UsageError{File: p.Path(PortFile), Key: "codename", Text: "this port names no phone; run this in the folder of a port, or name it with --port"}
	}
	return p.flashPort(), nil
}
