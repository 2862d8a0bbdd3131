package debian

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// kernelAge is how long a downloaded kernel is taken for the newest one.
const kernelAge = 7 * 24 * time.Hour

// kernelRecord remembers which kernel was downloaded last.
type kernelRecord struct {
	File    string    `json:"file"` // in the archives' cache
	Version string    `json:"version"`
	SHA256  string    `json:"sha256"`
	Checked time.Time `json:"checked"` // against the mirror
}

// ArchiveKernel returns Debian's own kernel for arch, as a .deb file in the
// cache that apt has verified, and the package's version. The mirror is asked
// again after a week; when it cannot be reached the cached one is good enough.
func (b *Builder) ArchiveKernel(ctx context.Context, arch string) (path, version string, err error) {
	if !archName.MatchString(arch) {
		return "", "", fmt.Errorf("kernel for %q: not a Debian architecture", clip(arch, 40))
	}
	dir, err := b.Engine.Dir("cache", "apt", b.suite(), arch)
	if err != nil {
		return "", "", err
	}
	record := filepath.Join(dir, "kernel.json")
	old, path := readKernel(dir, record)
	if path != "" && (b.Engine.Offline() || time.Since(old.Checked) < kernelAge) {
		return path, old.Version, nil
	}
	next, err := b.fetchKernel(ctx, arch)
	var mirror *MirrorError
	if path != "" && errors.As(err, &mirror) {
		return path, old.Version, nil
	}
	if err != nil {
		return "", "", err
	}
	if next.SHA256, _, err = hashFile(filepath.Join(dir, "archives", next.File)); err != nil {
		return "", "", fmt.Errorf("read the kernel package: %w", err)
	}
	if err := writeKernel(record, next); err != nil {
		return "", "", err
	}
	return filepath.Join(dir, "archives", next.File), next.Version, nil
}

// KernelRelease is what uname -r says under the kernel of a linux-image .deb
// file: linux-image-RELEASE_VERSION_ARCH.deb.
func KernelRelease(deb string) (string, error) {
	name, _, ok := strings.Cut(filepath.Base(deb), "_")
	release, ok2 := strings.CutPrefix(name, "linux-image-")
	if !ok || !ok2 || release == "" {
		return "", fmt.Errorf("%s is not named like a linux-image package", filepath.Base(deb))
	}
	return release, nil
}

func (b *Builder) fetchKernel(ctx context.Context, arch string) (kernelRecord, error) {
	tools, err := b.tools(ctx)
	if err != nil {
		return kernelRecord{}, err
	}
	if b.Engine.Offline() {
		return kernelRecord{}, &OfflineError{What: "the archive's kernel for " + arch}
	}
	m, err := b.mirror(ctx)
	if err != nil {
		return kernelRecord{}, err
	}
	r := kernelRecord{Checked: time.Now().UTC()}
	err = b.apt(ctx, b.Engine.Chroot("kernel", tools), aptJob{script: "kernel.sh", arch: arch, status: "/dev/null", mirror: m,
		what: "download the archive's kernel for " + arch,
		line: func(s string) {
			if f := strings.Fields(s); len(f) == 4 && f[0] == "portolan:" && f[1] == "kernel" && filepath.Base(f[2]) == f[2] {
				r.File, r.Version = f[2], f[3]
			}
		}})
	if err == nil && r.File == "" {
		err = errors.New("apt did not say which kernel it downloaded")
	}
	return r, err
}

// readKernel returns the record and the file it is about, if that is intact.
func readKernel(dir, record string) (r kernelRecord, path string) {
	text, err := os.ReadFile(record)
	if err != nil || json.Unmarshal(text, &r) != nil || r.File == "" || filepath.Base(r.File) != r.File {
		return kernelRecord{}, ""
	}
	file := filepath.Join(dir, "archives", r.File)
	if sum, _, err := hashFile(file); err != nil || sum != r.SHA256 {
		return kernelRecord{}, ""
	}
	return r, file
}

func writeKernel(name string, r kernelRecord) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	tmp := name + ".new"
	if err := os.WriteFile(tmp, text, 0o644); err != nil {
		return fmt.Errorf("remember the kernel package: %w", err)
	}
	if err := os.Rename(tmp, name); err != nil {
		return fmt.Errorf("remember the kernel package: %w", err)
	}
	return nil
}
