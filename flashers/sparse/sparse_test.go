package sparse

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mixed gives a raw image of n bytes: data, zeros and fills in runs.
func mixed(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	for at := 0; at < n; {
		run := b[at:min(n, at+BlockSize*(1+r.IntN(20)))]
		switch r.IntN(3) {
		case 0:
			noise.Read(run)
		case 1:
			for i := range run {
				run[i] = "DEAD"[i%4]
			}
		}
		at += len(run)
	}
	return b
}

// target is an in-memory partition with old contents.
type target struct{ b []byte }

func (t *target) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off+int64(len(p)) > int64(len(t.b)) {
		return 0, fmt.Errorf("write beyond the partition")
	}
	return copy(t.b[off:], p), nil
}

func old(n int) *target { return &target{bytes.Repeat([]byte{0xa5}, n)} }

func encode(t testing.TB, p *Piece) []byte {
	t.Helper()
	b, err := io.ReadAll(p.Reader())
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(b)) != p.Size() {
		t.Fatalf("a piece of %d bytes said it has %d", len(b), p.Size())
	}
	var w bytes.Buffer
	if n, err := p.WriteTo(&w); err != nil || n != p.Size() || !bytes.Equal(w.Bytes(), b) {
		t.Fatalf("WriteTo wrote %d bytes, %v; Reader gave %d", n, err, len(b))
	}
	return b
}

func fromRaw(t testing.TB, b []byte) *Image {
	t.Helper()
	m, err := FromRaw(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func read(t testing.TB, b []byte) *Image {
	t.Helper()
	m, err := NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 3, 4095, 4096, 4097, 1 << 20, 3<<20 + 5000} {
		want := mixed(n)
		m := fromRaw(t, want)
		if m.Size() != int64(n) {
			t.Errorf("%d bytes: a size of %d", n, m.Size())
		}
		back := read(t, encode(t, m.Encoded()))
		rounded := (n + BlockSize - 1) / BlockSize * BlockSize
		got := old(rounded)
		if err := back.WriteRaw(got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.b[:n], want) || len(bytes.Trim(got.b[n:], "\x00")) > 0 {
			t.Errorf("%d bytes: expanded they differ", n)
		}
		for name, img := range map[string]*Image{"raw": m, "sparse": back} {
			b, err := io.ReadAll(img.Raw())
			if err != nil || !bytes.Equal(b[:n], want) || int64(len(b)) != img.Size() {
				t.Errorf("%d bytes: Raw of the %s image gives %d bytes that differ, %v", n, name, len(b), err)
			}
		}
	}
}

func TestSplit(t *testing.T) {
	want := mixed(4 << 20)
	m := fromRaw(t, want)
	for _, src := range []*Image{m, read(t, encode(t, m.Encoded()))} {
		for _, max := range []int64{headerSize + 3*chunkHeader + BlockSize, 10000, 100000, 1 << 20, 100 << 20} {
			ps, err := Split(src, max)
			if err != nil {
				t.Fatal(err)
			}
			if one := src.Encoded().Size(); one <= max && len(ps) != 1 || one > max && int64(len(ps)) < one/max {
				t.Errorf("max %d: %d pieces of an image of %d", max, len(ps), one)
			}
			got := old(len(want))
			for i, p := range ps {
				if p.Size() > max {
					t.Errorf("max %d: piece %d has %d bytes", max, i, p.Size())
				}
				piece := read(t, encode(t, p))
				if piece.Size() != int64(len(want)) {
					t.Errorf("max %d: piece %d covers %d bytes", max, i, piece.Size())
				}
				if err := piece.WriteRaw(got); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(got.b, want) {
				t.Errorf("max %d: the %d pieces do not add up", max, len(ps))
			}
		}
	}
	if _, err := Split(m, headerSize+3*chunkHeader+BlockSize-1); err == nil {
		t.Error("pieces too small for one block were planned")
	}
}

// TestSkipsStaySkips: what an image does not write, its pieces do not either.
func TestSkipsStaySkips(t *testing.T) {
	b := build(4096, 30, rawChunk(bytes.Repeat([]byte("x"), 4096*10)), skipChunk(10), rawChunk(bytes.Repeat([]byte("y"), 4096*10)))
	ps, err := Split(read(t, b), 4*4096)
	if err != nil {
		t.Fatal(err)
	}
	got := old(30 * 4096)
	for _, p := range ps {
		if err := read(t, encode(t, p)).WriteRaw(got); err != nil {
			t.Fatal(err)
		}
	}
	want := append(append(bytes.Repeat([]byte("x"), 40960), bytes.Repeat([]byte{0xa5}, 40960)...), bytes.Repeat([]byte("y"), 40960)...)
	if !bytes.Equal(got.b, want) {
		t.Error("the pieces wrote something else")
	}
}

// holes makes a file of n bytes with data at two places only.
func holes(t testing.TB, n int64) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "holes"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(n); err != nil {
		t.Fatal(err)
	}
	f.WriteAt([]byte("first"), 100<<10+17)
	f.WriteAt([]byte("last"), n-4)
	return f
}

func TestHolesAreNotRead(t *testing.T) {
	const n = 64 << 30
	f := holes(t, n)
	f.Seek(123, io.SeekStart)
	m, err := FromRaw(f, n)
	if err != nil {
		t.Fatal(err)
	}
	if at, _ := f.Seek(0, io.SeekCurrent); at != 123 {
		t.Errorf("the file's position moved to %d", at)
	}
	p := m.Encoded()
	if p.Size() > 1<<20 {
		t.Fatalf("64 GiB of holes became %d bytes", p.Size())
	}
	back := read(t, encode(t, p))
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := back.WriteFile(out); err != nil {
		t.Fatal(err)
	}
	for off, want := range map[int64]string{100<<10 + 17: "first", n - 4: "last"} {
		b := make([]byte, len(want))
		if _, err := out.ReadAt(b, off); err != nil || string(b) != want {
			t.Errorf("at %d: %q, %v", off, b, err)
		}
	}
	if st, _ := out.Stat(); st.Size() != n {
		t.Errorf("expanded to %d bytes", st.Size())
	}
	if _, err := FromRaw(f, n+1); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file shorter than said: %v", err)
	}
}

// zeroer counts what it is asked to zero.
type zeroer struct {
	*target
	n int64
}

func (z *zeroer) Zero(off, n int64) error {
	z.n += n
	clear(z.b[off:][:n])
	return nil
}

func TestZerosAreHandedOver(t *testing.T) {
	want := make([]byte, 10<<20)
	copy(want[5<<20:], "data")
	z := &zeroer{target: old(len(want))}
	if err := fromRaw(t, want).WriteRaw(z); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(z.b, want) || z.n != 10<<20-BlockSize {
		t.Errorf("zeroed %d bytes; equal: %t", z.n, bytes.Equal(z.b, want))
	}
}

// Chunks for hand-made images.
func rawChunk(b []byte) []byte         { return chunkBytes(typeRaw, len(b)/4096, b) }
func skipChunk(n int) []byte           { return chunkBytes(typeDontCare, n, nil) }
func crcChunk(v uint32) []byte         { return chunkBytes(typeCRC32, 0, le32(v)) }
func fillChunk(n int, v uint32) []byte { return chunkBytes(typeFill, n, le32(v)) }

func le32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

func chunkBytes(typ uint16, blocks int, data []byte) []byte {
	b := make([]byte, 4, 12+len(data))
	binary.LittleEndian.PutUint16(b, typ)
	b = append(b, le32(uint32(blocks))...)
	b = append(b, le32(uint32(12+len(data)))...)
	return append(b, data...)
}

func build(blockSize, blocks uint32, chunks ...[]byte) []byte {
	b := append(le32(magic), 1, 0, 0, 0, 28, 0, 12, 0)
	for _, v := range []uint32{blockSize, blocks, uint32(len(chunks)), 0} {
		b = append(b, le32(v)...)
	}
	return append(b, bytes.Join(chunks, nil)...)
}

func TestChecksum(t *testing.T) {
	data := bytes.Repeat([]byte("portolan"), 512)
	sum := crc32.ChecksumIEEE(append(append(append([]byte{}, data...), make([]byte, 8192)...), bytes.Repeat([]byte("abcd"), 1024)...))
	for _, v := range []uint32{sum, sum + 1} {
		m := read(t, build(4096, 4, rawChunk(data), skipChunk(1), fillChunk(1, 0), fillChunk(1, binary.LittleEndian.Uint32([]byte("abcd"))), crcChunk(v)))
		err := m.WriteRaw(old(4 * 4096))
		var ce *ChecksumError
		if (v == sum) != (err == nil) || v != sum && !errors.As(err, &ce) {
			t.Errorf("checksum %#x for %#x: %v", v, sum, err)
		}
	}
}

func TestDamage(t *testing.T) {
	good := build(4096, 3, rawChunk(make([]byte, 4096)), fillChunk(1, 7), skipChunk(1))
	change := func(off int, b ...byte) []byte {
		c := bytes.Clone(good)
		copy(c[off:], b)
		return c
	}
	for name, b := range map[string][]byte{
		"only the magic":        good[:4],
		"cut in header":         good[:27],
		"cut in chunk header":   good[:30],
		"cut in data":           good[:100],
		"cut in fill":           good[:28+12+4096+13],
		"major version":         change(4, 2),
		"file header size":      change(8, 27),
		"chunk header size":     change(10, 11),
		"block size 0":          change(12, 0, 0, 0, 0),
		"block size 6":          change(12, 6, 0, 0, 0),
		"block size 2 GiB":      change(12, 0, 0, 0, 0x80),
		"16 TiB":                change(16, 0xff, 0xff, 0xff, 0xff),
		"4 billion chunks":      change(20, 0xff, 0xff, 0xff, 0xff),
		"fewer blocks":          change(16, 2),
		"unknown chunk":         change(28, 0xc9),
		"raw chunk too short":   change(28+8, 0),
		"raw chunk too long":    change(28+4, 0xff, 0xff, 0xff),
		"checksum over a block": build(4096, 1, chunkBytes(typeCRC32, 1, le32(0))),
	} {
		_, err := NewReader(bytes.NewReader(b), int64(len(b)))
		var fe *FormatError
		if !errors.As(err, &fe) {
			t.Errorf("%s: %v, want a FormatError", name, err)
		}
	}
	for _, b := range []string{"", "\x3a\xff", "ANDROID!" + strings.Repeat("\x00", 100)} {
		if _, err := NewReader(strings.NewReader(b), int64(len(b))); !errors.Is(err, ErrNotSparse) {
			t.Errorf("%.8q: %v, want ErrNotSparse", b, err)
		}
	}
	if m := read(t, build(4096, 5, skipChunk(2))); m.Size() != 5*4096 {
		t.Errorf("a hole left out at the end: %d bytes", m.Size())
	}
}

func FuzzReader(f *testing.F) {
	f.Add(build(4, 6, rawChunk(nil), fillChunk(2, 7), skipChunk(4), crcChunk(0)))
	f.Add(build(4096, 3, rawChunk(make([]byte, 4096)), skipChunk(2)))
	f.Add(build(16, 1000, fillChunk(1000, 0)))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil || m.Size() > 1<<20 {
			return
		}
		got := old(int(m.Size()))
		if m.WriteRaw(got) != nil {
			return // a wrong checksum
		}
		ps, err := Split(m, m.blockSize+100)
		if err != nil {
			t.Fatal(err)
		}
		again := old(int(m.Size()))
		for _, p := range ps {
			if p.Size() > m.blockSize+100 {
				t.Fatalf("a piece of %d bytes", p.Size())
			}
			if err := read(t, encode(t, p)).WriteRaw(again); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got.b, again.b) {
			t.Fatal("the pieces write something else than the whole")
		}
	})
}
