package bootloader

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestZero: a sparse image's zeros replace what a partition held, at its exact
// bounds, and reach no byte outside.
func TestZero(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "part"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := bytes.Repeat([]byte{0xa5}, 64<<10)
	if _, err := f.Write(want); err != nil {
		t.Fatal(err)
	}
	b := &bounded{f: f, name: "part", size: int64(len(want))}
	clear(want[5000:40000])
	if err := b.Zero(5000, 35000); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the partition differs (%v)", err)
	}
	for _, r := range [][2]int64{{-1, 2}, {0, 64<<10 + 1}, {64<<10 + 1, 0}, {10, -1}, {1, 1<<63 - 1}} {
		if b.Zero(r[0], r[1]) == nil {
			t.Errorf("%d bytes at %d were zeroed", r[1], r[0])
		}
	}
}
