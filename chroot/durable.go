package chroot

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A layer is not written out to the disk before it is used: on a busy disk that
// takes longer than making it. It is done meanwhile, and then noted by a file
// beside the layer. A layer without that note that was made before the last
// boot may have lost data in a power cut, and is dropped: it only costs time.
const syncedMark = "synced"

// bootID names the running boot (random(4)).
func bootID() string {
	text, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(text))
}

// syncLater writes the filesystem with the layers out and notes it.
func (e *Engine) syncLater(ids ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || len(ids) == 0 {
		return
	}
	e.trash.Go(func() {
		layers := filepath.Join(e.work, dirLayers)
		f, err := os.Open(layers)
		if err != nil {
			return
		}
		defer f.Close()
		if unix.Syncfs(int(f.Fd())) != nil {
			return
		}
		for _, id := range ids {
			// The folder is gone when the layer was removed meanwhile.
			_ = os.WriteFile(filepath.Join(layers, id, syncedMark), nil, 0o644)
		}
	})
}

// checkLayers drops the layers that a power cut may have damaged.
func (e *Engine) checkLayers(ctx context.Context) error {
	layers := filepath.Join(e.work, dirLayers)
	entries, err := os.ReadDir(layers)
	if err != nil {
		return err
	}
	boot := bootID()
	var again, doubtful []string
	for _, entry := range entries {
		dir := filepath.Join(layers, entry.Name())
		if _, err := os.Stat(filepath.Join(dir, syncedMark)); err == nil {
			continue
		}
		var mark layerMark
		text, err := os.ReadFile(filepath.Join(dir, "layer.json"))
		// A host that does not name its boots is trusted.
		if err == nil && json.Unmarshal(text, &mark) == nil && (mark.Boot == boot || mark.Boot == "") {
			again = append(again, entry.Name())
			continue
		}
		e.log.note("engine", "layer %s is made anew: the computer stopped before it was written out", entry.Name())
		doubtful = append(doubtful, dir)
	}
	e.syncLater(again...)
	return e.removeTrees(ctx, doubtful)
}
