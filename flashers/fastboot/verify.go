package fastboot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"portolan/flashers"
)

// verify reads back what was written and compares its hash, or says why that
// cannot be done.
func (r *runner) verify(ctx context.Context, img flashers.Image, src *source) (line string, err error) {
	cannot := func(why string) (string, error) {
		return fmt.Sprintf("%s: not read back, %s; the phone took every part of it, and the file matched the plan when it was sent", img.Partition, why), nil
	}
	if r.fetch == 0 {
		return cannot("its bootloader cannot (no max-fetch-size)")
	}
	extents, want, err := src.written(ctx)
	if err != nil {
		return "", fmt.Errorf("read %s once more to verify %s: %w", img.Path, img.Partition, err)
	}
	var total, done int64
	for _, e := range extents {
		total += e.Len
	}
	r.note(fmt.Sprintf("reading %s back to compare it, %s", img.Partition, flashers.Bytes(total)))
	h := sha256.New()
	for _, e := range extents {
		for off := e.Off; off < e.Off+e.Len; {
			n := min(r.fetch, maxPiece, e.Off+e.Len-off)
			at := done
			err := r.c.Fetch(ctx, img.Partition, off, n, h, func(got int64) {
				done = at + got
				r.progress(flashers.Progress{Action: r.action, Done: done, Total: total})
			})
			var failed *FailError
			if errors.As(err, &failed) && done == 0 {
				return cannot("its bootloader refuses: " + failed.Reply)
			}
			if err != nil {
				return "", fmt.Errorf("%s was written completely, but reading it back to verify it failed after %s of %s: %w", img.Partition, flashers.Bytes(done), flashers.Bytes(total), err)
			}
			off += n
		}
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return "", &VerifyError{Partition: img.Partition, Want: want, Got: got}
	}
	if total < img.Size {
		return fmt.Sprintf("%s: the %s that its image writes, read back, have sha256 %s", img.Partition, flashers.Bytes(total), want), nil
	}
	return fmt.Sprintf("%s: %s read back, sha256 %s", img.Partition, flashers.Bytes(total), want), nil
}
