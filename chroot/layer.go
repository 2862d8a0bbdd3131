package chroot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

// Layer is a finished part of a root filesystem. It is never written again.
type Layer struct {
	ID      string
	Dir     string    // its files
	Parents []string  // IDs of the layers below it, lowest first
	Created time.Time // when it was finished
}

// ErrNoLayer says that a layer has not been made.
var ErrNoLayer = errors.New("no such layer")

var layerID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$`)

// layerMark is layer.json beside the files.
type layerMark struct {
	Parents []string  `json:"parents"`
	Created time.Time `json:"created"`
	Boot    string    `json:"boot"` // the kernel's boot_id when it was made
}

// Layer finds a finished layer; the error is ErrNoLayer when there is none.
func (e *Engine) Layer(id string) (Layer, error) {
	if !layerID.MatchString(id) {
		return Layer{}, fmt.Errorf("layer id %q: letters, digits, and . _ + - only", id)
	}
	dir := filepath.Join(e.work, dirLayers, id)
	text, err := os.ReadFile(filepath.Join(dir, "layer.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return Layer{}, fmt.Errorf("%w: %s", ErrNoLayer, id)
	}
	if err != nil {
		return Layer{}, fmt.Errorf("read layer %s: %w", id, err)
	}
	var mark layerMark
	if err := json.Unmarshal(text, &mark); err != nil {
		return Layer{}, fmt.Errorf("read layer %s: %w", id, err)
	}
	return Layer{ID: id, Dir: filepath.Join(dir, "root"), Parents: mark.Parents, Created: mark.Created}, nil
}

// Stack returns the layer and all below it, lowest first, as a Chroot wants them.
func (e *Engine) Stack(id string) ([]Layer, error) {
	top, err := e.Layer(id)
	if err != nil {
		return nil, err
	}
	var stack []Layer
	for _, p := range top.Parents {
		l, err := e.Layer(p)
		if err != nil {
			return nil, fmt.Errorf("layer %s lies on another: %w", id, err)
		}
		stack = append(stack, l)
	}
	return append(stack, top), nil
}

// LayerList returns every finished layer, by ID.
func (e *Engine) LayerList() ([]Layer, error) {
	entries, err := os.ReadDir(filepath.Join(e.work, dirLayers))
	if err != nil {
		return nil, fmt.Errorf("list the layers: %w", err)
	}
	var list []Layer
	for _, entry := range entries {
		l, err := e.Layer(entry.Name())
		if err != nil {
			return nil, err
		}
		list = append(list, l)
	}
	return list, nil
}

// LayerTx is a layer in the making.
type LayerTx struct {
	Dir    string // its files so far; empty at first
	Chroot Chroot // on the parents; what its commands write becomes the layer
}

// CreateLayer builds the layer id on parents (lowest first) with f. It appears
// whole or not at all; when f fails, what it wrote is dropped. A layer that is
// there already is an error that wraps fs.ErrExist.
func (e *Engine) CreateLayer(ctx context.Context, id string, parents []Layer, f func(tx *LayerTx) error) (layer Layer, err error) {
	if _, err := e.Layer(id); err == nil {
		return Layer{}, fmt.Errorf("create layer %s: %w", id, fs.ErrExist)
	} else if !errors.Is(err, ErrNoLayer) {
		return Layer{}, err
	}
	release, err := e.claim(id)
	if err != nil {
		return Layer{}, err
	}
	defer release()
	upper, err := e.NewUpper("layer-" + id)
	if err != nil {
		return Layer{}, err
	}
	defer func() {
		if err != nil {
			e.discard(upper.dir)
		}
	}()
	tx := &LayerTx{Dir: upper.Dir(), Chroot: e.Chroot(id, parents...)}
	tx.Chroot.Upper = upper
	if err := f(tx); err != nil {
		return Layer{}, err
	}
	if err := ctx.Err(); err != nil {
		return Layer{}, err
	}
	mark := layerMark{Created: time.Now().UTC(), Boot: bootID()}
	for _, p := range parents {
		mark.Parents = append(mark.Parents, p.ID)
	}
	text, err := json.Marshal(mark)
	if err != nil {
		return Layer{}, err
	}
	if err := e.removeTrees(ctx, []string{filepath.Join(upper.dir, "work")}); err != nil {
		return Layer{}, fmt.Errorf("finish layer %s: %w", id, err)
	}
	if err := os.WriteFile(filepath.Join(upper.dir, "layer.json"), text, 0o644); err != nil {
		return Layer{}, fmt.Errorf("finish layer %s: %w", id, err)
	}
	if err := os.Rename(upper.dir, filepath.Join(e.work, dirLayers, id)); err != nil {
		return Layer{}, fmt.Errorf("finish layer %s: %w", id, err)
	}
	e.syncLater(id)
	return e.Layer(id)
}

// claim refuses a second maker of the same layer.
func (e *Engine) claim(id string) (release func(), err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.busy[id] {
		return nil, fmt.Errorf("layer %s is being made or removed right now", id)
	}
	e.busy[id] = true
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.busy, id)
	}, nil
}

// RemoveLayer deletes a layer that no other lies on. It is gone at once, its
// files soon after.
func (e *Engine) RemoveLayer(ctx context.Context, id string) error {
	if _, err := e.Layer(id); err != nil {
		return err
	}
	release, err := e.claim(id)
	if err != nil {
		return err
	}
	defer release()
	list, err := e.LayerList()
	if err != nil {
		return err
	}
	for _, l := range list {
		if slices.Contains(l.Parents, id) {
			return fmt.Errorf("remove layer %s: layer %s lies on it, remove that first", id, l.ID)
		}
	}
	grave, err := e.tempDir("removed")
	if err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(e.work, dirLayers, id), filepath.Join(grave, id)); err != nil {
		return fmt.Errorf("remove layer %s: %w", id, err)
	}
	return e.removeTrees(ctx, []string{grave})
}
