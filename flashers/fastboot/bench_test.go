package fastboot

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"portolan/flashers"
)

// BenchmarkTransfer flashes 64 MiB of noise in one download to a phone that
// takes them at memory speed: ours and AOSP's fastboot program side by side.
// "client" is the transfer itself, connecting included; "run" is all that the
// method does: checking the file's hash before and asking the phone again.
func BenchmarkTransfer(b *testing.B) {
	const size = 64 << 20
	image := noise(size)
	name := filepath.Join(b.TempDir(), "userdata.img")
	if err := os.WriteFile(name, image, 0o644); err != nil {
		b.Fatal(err)
	}
	r := newResponder(b)
	r.keep = false
	r.vars["max-download-size"], r.vars["partition-size:userdata"] = "0x10000000", "0x10000000"
	delete(r.vars, "max-fetch-size")

	b.Run("client", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			f, err := os.Open(name)
			if err != nil {
				b.Fatal(err)
			}
			conn, err := handle{r: r}.Fastboot(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			c := NewClient(conn)
			if err := c.Download(b.Context(), f, size, nil); err != nil {
				b.Fatal(err)
			}
			if err := c.Flash(b.Context(), "userdata"); err != nil {
				b.Fatal(err)
			}
			conn.Close()
			f.Close()
		}
	})
	b.Run("run", func(b *testing.B) {
		sum := sha256.Sum256(image)
		p := plan(b, r, flashers.Image{Partition: "userdata", Path: name, Size: size, SHA256: hex.EncodeToString(sum[:])})
		b.SetBytes(size)
		for b.Loop() {
			if _, err := (Flasher{}).Run(b.Context(), p, handle{r: r}, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("fastboot", func(b *testing.B) {
		program, err := exec.LookPath("fastboot")
		if err != nil {
			b.Skip("SKIP: fastboot is missing, so there is nothing to compare with: install package fastboot")
		}
		b.SetBytes(size)
		for b.Loop() {
			if out, err := exec.Command(program, "-s", "tcp:"+r.addr, "flash", "userdata", name).CombinedOutput(); err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
		}
	})
}
