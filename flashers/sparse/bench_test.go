package sparse

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// benchFile is like a root filesystem: 256 MiB, a third of it data, a third
// written zeros, a third a hole.
func benchFile(b *testing.B) (name string, size int64) {
	b.Helper()
	const third = 256 << 20 / 3 / BlockSize * BlockSize
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	buf := make([]byte, third)
	rand.NewChaCha8([32]byte{}).Read(buf)
	f.Write(buf)
	clear(buf)
	f.Write(buf)
	if err := f.Truncate(3 * third); err != nil {
		b.Fatal(err)
	}
	return f.Name(), 3 * third
}

// BenchmarkConvert turns a raw file into a sparse one, ours and img2simg's side by side.
func BenchmarkConvert(b *testing.B) {
	in, size := benchFile(b)
	out := filepath.Join(b.TempDir(), "sparse")
	b.Run("portolan", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			f, err := os.Open(in)
			if err != nil {
				b.Fatal(err)
			}
			m, err := FromRaw(f, size)
			if err != nil {
				b.Fatal(err)
			}
			w, err := os.Create(out)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := m.Encoded().WriteTo(w); err != nil {
				b.Fatal(err)
			}
			w.Close()
			f.Close()
		}
	})
	b.Run("img2simg", func(b *testing.B) {
		img := tool(b, "img2simg")
		b.SetBytes(size)
		for b.Loop() {
			run(b, img, in, out)
		}
	})
}

// BenchmarkExpand turns it back, ours and simg2img's side by side.
func BenchmarkExpand(b *testing.B) {
	in, size := benchFile(b)
	dir := b.TempDir()
	f, err := os.Open(in)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	m, err := FromRaw(f, size)
	if err != nil {
		b.Fatal(err)
	}
	packed := filepath.Join(dir, "sparse")
	w, err := os.Create(packed)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := m.Encoded().WriteTo(w); err != nil {
		b.Fatal(err)
	}
	w.Close()
	out := filepath.Join(dir, "out")
	b.Run("portolan", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			f, err := os.Open(packed)
			if err != nil {
				b.Fatal(err)
			}
			st, _ := f.Stat()
			m, err := NewReader(f, st.Size())
			if err != nil {
				b.Fatal(err)
			}
			w, err := os.Create(out)
			if err != nil {
				b.Fatal(err)
			}
			if err := m.WriteFile(w); err != nil {
				b.Fatal(err)
			}
			w.Close()
			f.Close()
		}
	})
	b.Run("simg2img", func(b *testing.B) {
		simg := tool(b, "simg2img")
		b.SetBytes(size)
		for b.Loop() {
			run(b, simg, packed, out)
		}
	})
}
