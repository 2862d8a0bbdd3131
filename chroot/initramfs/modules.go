package initramfs

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// MissingModulesError names modules that a kernel has neither as files nor built in.
type MissingModulesError struct {
	Version string
	Names   []string
}

func (e *MissingModulesError) Error() string {
	return fmt.Sprintf("kernel %s has no module %s: take it out of the port's modules, or turn it on in the kernel's configuration", e.Version, strings.Join(e.Names, ", "))
}

// moduleIndex is what depmod(8) wrote into /lib/modules/VERSION.
type moduleIndex struct {
	deps    map[string][]string // module file → files it needs, nearest first (modules.dep)
	files   map[string]string   // module name → file
	aliases map[string][]string // alias without wildcards → names (modules.alias)
	soft    map[string][]string // name → names it wants before or after (modules.softdep)
	builtin map[string]bool
	alias   []string // lines of modules.alias as they are
}

// moduleName is the name that the kernel gives: dashes are underscores, no
// folder, no extension, no compression.
func moduleName(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

const (
	maxModuleLines = 1 << 20
	maxModules     = 4096 // packed into one initramfs
)

// readModules reads the index of the kernel in dir. Only modules.dep must be there.
func readModules(v view, dir string) (*moduleIndex, error) {
	x := &moduleIndex{deps: map[string][]string{}, files: map[string]string{}, aliases: map[string][]string{}, soft: map[string][]string{}, builtin: map[string]bool{}}
	for _, f := range []struct {
		name string
		line func(string)
	}{
		{"modules.dep", x.depLine},
		{"modules.alias", x.aliasLine},
		{"modules.softdep", x.softLine},
		{"modules.builtin", func(l string) { x.builtin[moduleName(l)] = true }},
	} {
		data, err := v.readFile(path.Join(dir, f.name))
		if errors.Is(err, fs.ErrNotExist) && f.name != "modules.dep" {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("initramfs: read the kernel's list of modules (depmod writes it when the kernel package is configured): %w", err)
		}
		lines := bufio.NewScanner(bytes.NewReader(data))
		lines.Buffer(nil, 1<<20)
		for n := 0; lines.Scan(); n++ {
			if n > maxModuleLines {
				return nil, fmt.Errorf("initramfs: %s has more than %d lines", path.Join(dir, f.name), maxModuleLines)
			}
			if l := strings.TrimSpace(lines.Text()); l != "" && l[0] != '#' {
				f.line(l)
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("initramfs: read %s: %w", path.Join(dir, f.name), err)
		}
	}
	return x, nil
}

// depLine is "kernel/a.ko: kernel/b.ko kernel/c.ko" (modules.dep(5)).
func (x *moduleIndex) depLine(l string) {
	file, deps, ok := strings.Cut(l, ":")
	if !ok || !safeModule(file) {
		return
	}
	x.deps[file] = strings.Fields(deps)
	x.files[moduleName(file)] = file
}

// aliasLine is "alias PATTERN NAME".
func (x *moduleIndex) aliasLine(l string) {
	f := strings.Fields(l)
	if len(f) != 3 || f[0] != "alias" {
		return
	}
	x.alias = append(x.alias, l)
	if !strings.ContainsAny(f[1], "*?[") {
		a := strings.ReplaceAll(f[1], "-", "_")
		x.aliases[a] = append(x.aliases[a], moduleName(f[2]))
	}
}

// softLine is "softdep NAME pre: A B post: C".
func (x *moduleIndex) softLine(l string) {
	f := strings.Fields(l)
	if len(f) < 3 || f[0] != "softdep" {
		return
	}
	name := moduleName(f[1])
	for _, w := range f[2:] {
		if w != "pre:" && w != "post:" {
			x.soft[name] = append(x.soft[name], moduleName(w))
		}
	}
}

// safeModule refuses what would lead out of the kernel's folder.
func safeModule(file string) bool {
	return fs.ValidPath(file) && strings.Contains(path.Base(file), ".ko")
}

// resolve lists the files for names in an order in which insmod can load them.
func (x *moduleIndex) resolve(names []string) (order, missing []string, err error) {
	state := map[string]int{} // 1 in work, 2 done
	var visit func(file string, depth int) error
	var want func(name string, depth int) (bool, error)
	visit = func(file string, depth int) error {
		if state[file] != 0 {
			return nil // done, or a circle of soft dependencies
		}
		if depth > 256 || len(state) > maxModules {
			return fmt.Errorf("initramfs: the dependencies of module %s have no end", file)
		}
		state[file] = 1
		if _, ok := x.deps[file]; !ok {
			return fmt.Errorf("initramfs: modules.dep names %s as a dependency and does not list it", file)
		}
		for _, d := range x.deps[file] {
			if err := visit(d, depth+1); err != nil {
				return err
			}
		}
		for _, s := range x.soft[moduleName(file)] {
			if _, err := want(s, depth+1); err != nil { // one that is not there does not matter
				return err
			}
		}
		state[file] = 2
		order = append(order, file)
		return nil
	}
	want = func(name string, depth int) (bool, error) {
		name = moduleName(name)
		if file, ok := x.files[name]; ok {
			return true, visit(file, depth)
		}
		if x.builtin[name] {
			return true, nil
		}
		for _, n := range x.aliases[name] {
			if file, ok := x.files[n]; ok {
				if err := visit(file, depth); err != nil {
					return false, err
				}
			}
		}
		return len(x.aliases[name]) > 0, nil
	}
	for _, n := range names {
		found, err := want(n, 0)
		if err != nil {
			return nil, nil, err
		}
		if !found {
			missing = append(missing, n)
		}
	}
	return order, missing, nil
}

// decompress unpacks a module and names it without the compression: not every
// busybox reads them all.
func decompress(name string, data []byte) (string, []byte, error) {
	var r io.Reader
	var err error
	ext := path.Ext(name)
	switch ext {
	case ".ko":
		return name, data, nil
	case ".gz":
		r, err = gzip.NewReader(bytes.NewReader(data))
	case ".xz":
		r, err = xz.NewReader(bytes.NewReader(data))
	case ".zst":
		var d *zstd.Decoder
		d, err = zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxFile))
		if err == nil {
			defer d.Close()
			r = d
		}
	default:
		return "", nil, fmt.Errorf("module %s: unknown compression %s", name, ext)
	}
	if err != nil {
		return "", nil, fmt.Errorf("module %s: %w", name, err)
	}
	out, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return "", nil, fmt.Errorf("module %s: %w", name, err)
	}
	if len(out) > maxFile {
		return "", nil, fmt.Errorf("module %s: more than %d bytes", name, maxFile)
	}
	return strings.TrimSuffix(name, ext), out, nil
}

// addModules adds the files of names and depmod's lists cut down to them.
func (b *builder) addModules(version string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	version, err := b.kernelVersion(version)
	if err != nil {
		return err
	}
	dir := path.Join("/lib/modules", version)
	x, err := readModules(b.view, dir)
	if err != nil {
		return err
	}
	order, missing, err := x.resolve(names)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return &MissingModulesError{Version: version, Names: missing}
	}
	var dep, load, alias, soft strings.Builder
	in := map[string]bool{}
	plain := map[string]string{}
	for _, file := range order {
		data, err := b.view.readFile(path.Join(dir, file))
		if err != nil {
			return fmt.Errorf("initramfs: modules.dep lists a module that is not there: %w", err)
		}
		name, data, err := decompress(file, data)
		if err != nil {
			return fmt.Errorf("initramfs: %w", err)
		}
		plain[file] = name
		in[moduleName(file)] = true
		if err := b.add(File{Path: path.Join(dir, name), Mode: 0o644, Data: data}); err != nil {
			return err
		}
		fmt.Fprintln(&load, path.Join(dir, name))
	}
	for _, file := range order {
		fmt.Fprintf(&dep, "%s:", plain[file])
		for _, d := range x.deps[file] {
			fmt.Fprintf(&dep, " %s", plain[d])
		}
		fmt.Fprintln(&dep)
		if s := x.soft[moduleName(file)]; len(s) > 0 {
			fmt.Fprintf(&soft, "softdep %s pre: %s\n", moduleName(file), strings.Join(s, " "))
		}
	}
	for _, l := range x.alias {
		if f := strings.Fields(l); in[moduleName(f[2])] {
			fmt.Fprintln(&alias, l)
		}
	}
	builtin, err := b.view.readFile(path.Join(dir, "modules.builtin"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("initramfs: %w", err)
	}
	for name, text := range map[string]string{"modules.dep": dep.String(), "modules.alias": alias.String(), "modules.softdep": soft.String(), "modules.builtin": string(builtin)} {
		if err := b.add(File{Path: path.Join(dir, name), Mode: 0o644, Data: []byte(text)}); err != nil {
			return err
		}
	}
	return b.add(File{Path: LoadOrder, Mode: 0o644, Data: []byte(load.String())})
}

// kernelVersion is the given one, or the only one in the root.
func (b *builder) kernelVersion(version string) (string, error) {
	if version != "" {
		if !fs.ValidPath(version) || strings.Contains(version, "/") {
			return "", fmt.Errorf("initramfs: kernel version %q", version)
		}
		return version, nil
	}
	names, err := b.view.readDir("/lib/modules")
	if err != nil {
		return "", fmt.Errorf("initramfs: the root filesystem has no kernel modules (install a kernel package there): %w", err)
	}
	if len(names) != 1 {
		return "", fmt.Errorf("initramfs: the root filesystem has modules of %d kernels (%s): say which", len(names), strings.Join(names, ", "))
	}
	return names[0], nil
}
