package session

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"

	"mvdan.cc/sh/v3/syntax"
)

// Upload writes size bytes of r to a file on the phone, with the permission
// bits of mode. The file appears whole or not at all: it is written beside its
// place, its length is checked there, then it is renamed.
func (s *SSH) Upload(ctx context.Context, name string, mode fs.FileMode, r io.Reader, size int64) error {
	command, err := uploadCommand(name, mode, size)
	if err != nil {
		return fmt.Errorf("upload to %q on the phone: %w", name, err)
	}
	// LimitReader keeps a reader that grew from being taken for a full disk.
	if _, err := s.Run(ctx, command, io.LimitReader(r, size)); err != nil {
		return fmt.Errorf("upload %d bytes to %q on the phone, the file there is unchanged: %w", size, name, err)
	}
	return nil
}

// uploadCommand is the shell line that receives a file. A connection that
// breaks ends stdin just as the end of the file does, hence the count.
func uploadCommand(name string, mode fs.FileMode, size int64) (string, error) {
	if !path.IsAbs(name) || path.Clean(name) != name || name == "/" {
		return "", fmt.Errorf("the name must be a clean absolute path of a file")
	}
	target, err := syntax.Quote(name, syntax.LangPOSIX)
	if err != nil {
		return "", err
	}
	pattern, err := syntax.Quote(path.Join(path.Dir(name), "."+path.Base(name)+".XXXXXX"), syntax.LangPOSIX)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`set -e; umask 077; t=$(mktemp %s); trap 'rm -f "$t"' EXIT; trap 'exit 1' HUP INT TERM; `+
		`[ ! -d %s ] || { echo "it is a folder" >&2; exit 1; }; cat >"$t"; n=$(wc -c <"$t"); [ "$n" -eq %d ] || { echo "received $n of %d bytes" >&2; exit 1; }; `+
		`chmod %04o "$t"; sync "$t" 2>/dev/null || sync; mv -f "$t" %s; trap - EXIT`,
		pattern, target, size, size, mode.Perm(), target), nil
}
