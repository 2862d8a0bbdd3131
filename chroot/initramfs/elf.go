package initramfs

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// triplets are the multiarch folders of Debian by ELF machine.
var triplets = map[elf.Machine]string{
	elf.EM_AARCH64: "aarch64-linux-gnu",
	elf.EM_ARM:     "arm-linux-gnueabihf",
	elf.EM_X86_64:  "x86_64-linux-gnu",
	elf.EM_386:     "i386-linux-gnu",
	elf.EM_RISCV:   "riscv64-linux-gnu",
}

// object is what the closure needs of an ELF file.
type object struct {
	machine elf.Machine
	class   elf.Class
	interp  string
	needed  []string
	runpath []string
}

var errNotELF = errors.New("not an ELF file")

// parseELF reads the dynamic section (elf(5), gABI chapter 5).
func parseELF(data []byte) (object, error) {
	if !bytes.HasPrefix(data, []byte(elf.ELFMAG)) {
		return object{}, errNotELF
	}
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return object{}, err
	}
	o := object{machine: f.Machine, class: f.Class}
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP || p.Filesz == 0 || p.Filesz > 4096 {
			continue
		}
		b := make([]byte, p.Filesz)
		if _, err := p.ReadAt(b, 0); err != nil {
			return object{}, err
		}
		o.interp = strings.TrimRight(string(b), "\x00")
	}
	if o.needed, err = f.ImportedLibraries(); err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return object{}, err
	}
	for _, tag := range []elf.DynTag{elf.DT_RUNPATH, elf.DT_RPATH} {
		lists, err := f.DynString(tag)
		if err != nil {
			return object{}, err
		}
		for _, l := range lists {
			o.runpath = append(o.runpath, strings.Split(l, ":")...)
		}
	}
	return o, nil
}

// libraryDirs are where the loader looks in an initramfs without ld.so.cache
// (ld.so(8)): run path, then the folders built into it.
func (o object) libraryDirs(of string) []string {
	var dirs []string
	for _, r := range o.runpath {
		r = strings.NewReplacer("${ORIGIN}", path.Dir(of), "$ORIGIN", path.Dir(of)).Replace(r)
		if path.IsAbs(r) {
			dirs = append(dirs, path.Clean(r))
		}
	}
	if t := triplets[o.machine]; t != "" {
		dirs = append(dirs, "/lib/"+t, "/usr/lib/"+t)
	}
	if o.class == elf.ELFCLASS64 {
		dirs = append(dirs, "/lib64", "/usr/lib64")
	}
	return append(dirs, "/lib", "/usr/lib", "/usr/local/lib")
}

// maxObjects bounds the closure.
const maxObjects = 512

// addPrograms adds each program at its own path, and what it needs to run.
func (b *builder) addPrograms(programs []string) error {
	type job struct{ name, for_ string }
	var todo []job
	for _, p := range programs {
		if !path.IsAbs(p) {
			return fmt.Errorf("program %q of the initramfs: not an absolute path", p)
		}
		todo = append(todo, job{name: path.Clean(p)})
	}
	for n := 0; len(todo) > 0; n++ {
		if n > maxObjects {
			return fmt.Errorf("more than %d programs and libraries for the initramfs", maxObjects)
		}
		j := todo[0]
		todo = todo[1:]
		if b.has(j.name) {
			continue
		}
		data, err := b.view.readFile(j.name)
		if err != nil {
			if j.for_ != "" {
				return fmt.Errorf("initramfs: %s needs %s, which is not in the root filesystem: %w", j.for_, j.name, err)
			}
			return fmt.Errorf("initramfs: program %s is not in the root filesystem (install its package there): %w", j.name, err)
		}
		if err := b.add(File{Path: j.name, Mode: 0o755, Data: data}); err != nil {
			return err
		}
		o, err := parseELF(data)
		if errors.Is(err, errNotELF) {
			if interp := shebang(data); interp != "" {
				todo = append(todo, job{interp, j.name})
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("initramfs: read %s: %w", j.name, err)
		}
		if o.interp != "" {
			todo = append(todo, job{path.Clean(o.interp), j.name})
		}
		for _, lib := range o.needed {
			file, err := b.library(lib, j.name, o)
			if err != nil {
				return err
			}
			todo = append(todo, job{file, j.name})
		}
	}
	return nil
}

// library finds a needed library for the same machine.
func (b *builder) library(name, of string, o object) (string, error) {
	if strings.Contains(name, "/") {
		return path.Clean("/" + name), nil
	}
	for _, dir := range o.libraryDirs(of) {
		file := path.Join(dir, name)
		data, err := b.view.readFile(file)
		if err != nil {
			continue
		}
		if lib, err := parseELF(data); err == nil && lib.machine == o.machine && lib.class == o.class {
			return file, nil
		}
	}
	return "", fmt.Errorf("initramfs: %s needs the library %s (%s), which is not in the root filesystem: %w", of, name, o.machine, fs.ErrNotExist)
}

// shebang is the interpreter of a script, or empty.
func shebang(data []byte) string {
	line, _, _ := bytes.Cut(data[:min(len(data), 256)], []byte("\n"))
	rest, ok := bytes.CutPrefix(line, []byte("#!"))
	f := strings.Fields(string(rest))
	if !ok || len(f) == 0 || !path.IsAbs(f[0]) {
		return ""
	}
	return f[0]
}
