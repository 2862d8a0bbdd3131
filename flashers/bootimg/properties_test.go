package bootimg

import (
	"bytes"
	"compress/gzip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/u-root/u-root/pkg/cpio"
)

// ramdisk packs files as mkbootfs and cpio do, with u-root's writer as the judge.
func ramdisk(t testing.TB, files ...[2]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := cpio.Newc.Writer(&out)
	for _, f := range files {
		if err := w.WriteRecord(cpio.StaticFile(f[0], f[1], 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := cpio.WriteTrailer(w); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestProperties(t *testing.T) {
	plain := ramdisk(t,
		[2]string{"init", "#!/bin/sh\n"},
		[2]string{"default.prop", "# comment = no\nro.product.manufacturer=Samsung\n\n ro.product.model = GT-I9100 \nnonsense\n"},
		[2]string{"system/build.prop", "ro.product.model=other\nro.product.device=i9100\n"})
	want := map[string]string{"ro.product.manufacturer": "Samsung", "ro.product.model": "GT-I9100", "ro.product.device": "i9100"}
	for name, b := range map[string][]byte{"raw": plain, "gzip": gzipped(t, plain)} {
		if diff := cmp.Diff(want, (&Image{Ramdisk: b}).Properties()); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

func TestPropertiesOfWhatIsNone(t *testing.T) {
	whole := ramdisk(t, [2]string{"build.prop", "ro.a=1\n"})
	for name, b := range map[string][]byte{
		"no ramdisk": nil, "not cpio": []byte("hello, world"), "cut in the header": whole[:50],
		"cut in the content": whole[:128], "lzo": []byte("\x89LZO\x00\x0d\x0a\x1a\x0a more"),
		"huge name": append([]byte("07070100000000000081A4000000000000000000000001000000000000000700000000000000000000000000000000"), []byte("7FFFFFFF00000000")...),
	} {
		if got := (&Image{Ramdisk: b}).Properties(); len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzProperties(f *testing.F) {
	f.Add(ramdisk(f, [2]string{"default.prop", "ro.a=b\n"}))
	f.Add(gzipped(f, ramdisk(f, [2]string{"build.prop", "ro.a=b\n"})))
	f.Fuzz(func(_ *testing.T, b []byte) { (&Image{Ramdisk: b}).Properties() })
}
