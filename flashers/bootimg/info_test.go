package bootimg

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

const version = "Linux version 6.1.0-dinghy (builder@portolan) (aarch64-linux-gnu-gcc 12.2.0) #1 SMP"

// arm64Kernel is shaped as an uncompressed Image, with the banner past the
// first read window and the format string of the same text before it.
func arm64Kernel() []byte {
	b := noise(9, 700<<10)
	copy(b[0x38:], "ARM\x64")
	copy(b[1000:], "Linux version %s (%s)\x00")
	copy(b[256<<10-20:], version+"\n\x00")
	return b
}

// compressed gives b packed by our libraries' own writers.
func compressed(t testing.TB, name string, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch name {
	case "raw":
		return b
	case "gzip":
		w = gzip.NewWriter(&out)
	case "lz4", "lz4-legacy":
		z := lz4.NewWriter(&out)
		err = z.Apply(lz4.LegacyOption(name == "lz4-legacy"))
		w = z
	case "zstd":
		w, err = zstd.NewWriter(&out)
	case "xz":
		w, err = xz.WriterConfig{DictCap: 1 << 20}.NewWriter(&out)
	case "lzma":
		w, err = lzma.WriterConfig{DictCap: 1 << 20}.NewWriter(&out)
	default:
		t.Fatalf("no writer for %s", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestKernelInfo(t *testing.T) {
	for _, c := range []string{"raw", "gzip", "lz4", "lz4-legacy", "zstd", "xz", "lzma"} {
		got := kernelInfo(compressed(t, c, arm64Kernel()))
		if got.Compression != c || got.Format != "Image" || got.Arch != "aarch64" || got.Version != version {
			t.Errorf("%s: %+v", c, got)
		}
	}
}

// TestProgramsCompress: the compressors that kernel builds call are the judges.
func TestProgramsCompress(t *testing.T) {
	for _, c := range []struct {
		name, pkg string
		argv      []string
	}{
		{"gzip", "gzip", []string{"gzip", "-9"}},
		{"bzip2", "bzip2", []string{"bzip2", "-9"}},
		{"xz", "xz-utils", []string{"xz", "--check=crc32", "--arm", "--lzma2=,dict=32MiB"}},
		{"xz", "xz-utils", []string{"xz", "-T2", "--block-size=1MiB"}},
		{"lzma", "xz-utils", []string{"xz", "--format=lzma"}},
		{"lz4-legacy", "lz4", []string{"lz4", "-l", "-9"}},
		{"lz4", "lz4", []string{"lz4", "-9"}},
		{"zstd", "zstd", []string{"zstd", "-19", "-q", "-c"}},
	} {
		if _, err := exec.LookPath(c.argv[0]); err != nil {
			t.Logf("SKIP: %s is missing, its streams are not tried: install package %s", c.argv[0], c.pkg)
			continue
		}
		cmd := exec.Command(c.argv[0], c.argv[1:]...)
		cmd.Stdin = bytes.NewReader(arm64Kernel())
		cmd.Stderr = os.Stderr
		b, err := cmd.Output()
		if err != nil {
			t.Fatalf("%q: %v", c.argv, err)
		}
		if got := kernelInfo(b); got.Compression != c.name || got.Arch != "aarch64" || got.Version != version {
			t.Errorf("%q: %+v", c.argv, got)
		}
	}
}

func TestKernelFormats(t *testing.T) {
	z := make([]byte, 4096)
	copy(z[0x24:], "\x18\x28\x6f\x01")
	z = append(z, compressed(t, "gzip", []byte("........"+version+"\n"))...)
	if got := kernelInfo(z); got.Format != "zImage" || got.Arch != "arm" || got.Compression != "gzip" || got.Version != version {
		t.Errorf("zImage: %+v", got)
	}
	bz := make([]byte, 4096)
	copy(bz[0x1fe:], "\x55\xaaxxHdrS")
	binary.LittleEndian.PutUint16(bz[0x20e:], 0x600)
	copy(bz[0x800:], "6.1.0 (builder) #1\x00")
	if got := kernelInfo(bz); got.Format != "bzImage" || got.Arch != "x86" || got.Version != "Linux version 6.1.0 (builder) #1" {
		t.Errorf("bzImage: %+v", got)
	}
	dtb := make([]byte, 64)
	copy(dtb, dtbMagic)
	for off, v := range map[int]uint32{4: 64, 8: 40, 12: 48, 16: 40, 20: 17, 24: 16} {
		binary.BigEndian.PutUint32(dtb[off:], v)
	}
	k := append(append(compressed(t, "gzip", arm64Kernel()), dtb...), dtb...)
	if got := kernelInfo(k); got.AppendedDTBs != 2 || got.Version != version {
		t.Errorf("Image.gz-dtb: %+v", got)
	}
	mtk := append(append([]byte("\x88\x16\x88\x58\x00\x00\x00\x00KERNEL"), make([]byte, 498)...), arm64Kernel()...)
	if got := kernelInfo(mtk); got.MTKLabel != "KERNEL" || got.Arch != "aarch64" {
		t.Errorf("MediaTek header: %+v", got)
	}
	if got := kernelInfo(nil); got != (PartInfo{}) {
		t.Errorf("no kernel: %+v", got)
	}
}

// TestBombsAreBounded: a kernel that expands without end is left alone after
// the limit, and a dictionary beyond memory is not allocated.
func TestBombsAreBounded(t *testing.T) {
	bomb := compressed(t, "gzip", append(make([]byte, 8<<20), version...))
	if got := kernelInfoN(bomb, 1<<20); got.Compression != "gzip" || got.Version != "" {
		t.Errorf("beyond the limit: %+v", got)
	}
	x := compressed(t, "xz", []byte(version))
	i := bytes.Index(x, []byte{0x21, 0x01})
	x[i+2] = 40 // 4 GiB - 1
	if got := kernelInfo(x); got.Version != "" {
		t.Errorf("xz with a dictionary of 4 GiB: %+v", got)
	}
	l := compressed(t, "lzma", []byte(version))
	binary.LittleEndian.PutUint32(l[1:], 1<<31)
	if _, err := decompress("lzma", bytes.NewReader(l)); err == nil {
		t.Error("lzma with a dictionary of 2 GiB was opened")
	}
}

func TestInfoIsJSON(t *testing.T) {
	img := sample(0)
	img.Kernel, img.Ramdisk = compressed(t, "gzip", arm64Kernel()), compressed(t, "xz", []byte("cpio"))
	img.DT = append([]byte("QCDT"), make([]byte, 2044)...)
	img.Trailer = []byte("SEANDROIDENFORCE")
	img = decode(t, encode(t, img))
	b, err := json.Marshal(img.Info())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"page_size":2048`, `"kernel_addr":"0x10008000"`, `"base":"0x10000000"`, `"id_matches":true`, `"id":"`, `"dt_magic":"QCDT"`, `"arch":"aarch64"`, `"compression":"xz"`, `"seandroidenforce":true`, `"os_version":"11.0.2"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not in %s", want, b)
		}
	}
}

func FuzzKernelInfo(f *testing.F) {
	small := append([]byte(strings.Repeat("\x00", 0x38)+"ARM\x64...."), version...)
	for _, c := range []string{"raw", "gzip", "lz4", "lz4-legacy", "zstd", "xz", "lzma"} {
		f.Add(compressed(f, c, small))
	}
	z := make([]byte, 64)
	copy(z[0x24:], "\x18\x28\x6f\x01")
	f.Add(append(z, compressed(f, "xz", small)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := kernelInfoN(b, 1<<20)
		if len(got.Version) > len(banner)+maxBanner {
			t.Fatalf("a version of %d bytes", len(got.Version))
		}
	})
}
