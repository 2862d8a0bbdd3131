package wizard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
)

// digest hashes named parts; the length of each goes in, so that no two lists
// of parts run into the same bytes.
type digest struct{ h hash.Hash }

func newDigest(version string) *digest {
	d := &digest{sha256.New()}
	d.add("version", version)
	return d
}

func (d *digest) add(name string, parts ...string) {
	fmt.Fprintf(d.h, "%d:%s %d\n", len(name), name, len(parts))
	for _, p := range parts {
		fmt.Fprintf(d.h, "%d:%s\n", len(p), p)
	}
}

func (d *digest) sum() string { return hex.EncodeToString(d.h.Sum(nil)) }

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// hashFile hashes a file and stops when ctx ends.
func hashFile(ctx context.Context, path string) (string, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	var size int64
	buf := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return "", 0, err
		}
		n, err := f.Read(buf)
		h.Write(buf[:n])
		size += int64(n)
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(h.Sum(nil)), size, nil
		}
		if err != nil {
			return "", 0, err
		}
	}
}

// maxTree bounds how much of a package folder is hashed: packages are text.
const maxTree = 64 << 20

// hashTree hashes the files below a folder: paths, permissions and contents.
// A folder that is not there hashes as empty.
func hashTree(dir string) (string, error) {
	d := newDigest("tree")
	var paths []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	sort.Strings(paths)
	var total int64
	for _, path := range paths {
		info, err := os.Lstat(path)
		if err != nil {
			return "", err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(path)
			if err != nil {
				return "", err
			}
			d.add(rel, "link", to)
			continue
		}
		if total += info.Size(); total > maxTree || !info.Mode().IsRegular() {
			return "", fmt.Errorf("%s is no package folder: %s is not a plain file, or all files together have more than %d bytes", dir, rel, maxTree)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		d.add(rel, fmt.Sprintf("%o", info.Mode().Perm()&0o111), sha256Hex(data))
	}
	return d.sum(), nil
}

// stamp tells cheaply whether a big file is still the one that was made.
func stamp(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d bytes, %d", info.Size(), info.ModTime().UnixNano())
}
