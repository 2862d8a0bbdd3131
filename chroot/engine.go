package chroot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// Config is what an engine is opened with.
type Config struct {
	Work    string     // the work folder; made if it is not there
	Jobs    int        // parallel jobs for builds; 0 means one for each processor
	Offline bool       // no chroot gets the network
	Log     func(Line) // every command and its output, in order of each command; may be nil
}

// Mode is how the engine gets its namespaces.
type Mode string

// Modes.
const (
	ModeRootless     Mode = "rootless" // user namespace with subordinate ids
	ModeRoot         Mode = "root"     // user namespace with the identity map
	ModeRootNoUserNS Mode = "root, no user namespaces"
)

// Engine owns a work folder. It is safe for concurrent use.
type Engine struct {
	work    string
	jobs    int
	offline bool
	mode    Mode
	ids     mapping
	interps []interpreter
	lock    *os.File
	log     *runLog

	mu     sync.Mutex // layers being made or removed, by id
	busy   map[string]bool
	closed bool
	trash  sync.WaitGroup
	stop   context.CancelFunc
	ctx    context.Context
}

// Folders of the work folder. Those of Caches survive when layers are removed.
const (
	dirLayers = "layers"
	dirTmp    = "tmp" // one folder for each thing in the making
	dirMnt    = "mnt" // pid 1 puts its private tmpfs over it; always empty outside
	dirLogs   = "logs"
)

// Caches are the folders of a work folder that only cost time when deleted.
var Caches = []string{"cache", "ccache", "build"}

// Open takes the work folder for this process, finds out how namespaces can be
// had here, and sweeps what a killed run left. A *LockedError names the process
// that has the folder already.
func Open(ctx context.Context, c Config) (*Engine, error) {
	work, err := filepath.Abs(c.Work)
	if err != nil || c.Work == "" {
		return nil, fmt.Errorf("open the engine: no work folder given")
	}
	for _, d := range append([]string{dirLayers, dirTmp, dirMnt, dirLogs}, Caches...) {
		if err := os.MkdirAll(filepath.Join(work, d), 0o755); err != nil {
			return nil, fmt.Errorf("make the work folder: %w", err)
		}
	}
	lock, err := lockFolder(work)
	if err != nil {
		return nil, err
	}
	e := &Engine{work: work, jobs: c.Jobs, offline: c.Offline, lock: lock, busy: map[string]bool{}}
	if e.jobs <= 0 {
		e.jobs = runtime.NumCPU()
	}
	e.log = newRunLog(filepath.Join(work, dirLogs), c.Log)
	e.ctx, e.stop = context.WithCancel(context.Background())
	if err := e.setup(ctx); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

func (e *Engine) setup(ctx context.Context) error {
	ids, err := findMapping()
	if err != nil {
		return &NamespaceError{Err: fmt.Errorf("run chroots without root: %w; portolan doctor says how to mend it, or run with sudo", err)}
	}
	e.ids, e.mode = ids, ModeRootless
	e.interps = findInterpreters(interpreterDirs())
	if os.Geteuid() == 0 {
		e.mode = ModeRoot
		if _, err := e.builtin(ctx, "probe", nil); err != nil {
			e.mode = ModeRootNoUserNS
			e.log.note("engine", "user namespaces are closed here (%v): mounts stay private, but foreign architectures need the host's binfmt registration", err)
		}
	}
	if err := e.checkOwner(); err != nil {
		return err
	}
	if err := e.checkLayers(ctx); err != nil {
		return err
	}
	return e.sweep(ctx)
}

// checkOwner refuses a work folder whose files have owners of another id map:
// its layers would show wrong owners.
func (e *Engine) checkOwner() error {
	type mark struct{ UIDs, GIDs []idRange }
	file := filepath.Join(e.work, "idmap.json")
	mine, err := json.Marshal(mark{e.ids.UIDs, e.ids.GIDs})
	if err != nil {
		return err
	}
	theirs, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return os.WriteFile(file, mine, 0o644)
	}
	if err != nil {
		return fmt.Errorf("read the work folder's id map: %w", err)
	}
	if string(theirs) != string(mine) {
		return fmt.Errorf("the work folder %s was made by another user or with another id map (%s mode now): use that user, or another folder with --work", e.work, e.mode)
	}
	return nil
}

// sweep removes what a killed run left half made.
func (e *Engine) sweep(ctx context.Context) error {
	dir := filepath.Join(e.work, dirTmp)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return err
	}
	var left []string
	for _, entry := range entries {
		left = append(left, filepath.Join(dir, entry.Name()))
	}
	if err := e.removeTrees(ctx, left); err != nil {
		return fmt.Errorf("sweep what an interrupted run left in %s: %w", dir, err)
	}
	return nil
}

// Close gives the work folder back, within two seconds. Commands must have ended.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	e.mu.Unlock()
	e.stop()
	done := make(chan struct{})
	go func() {
		e.trash.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(2 * time.Second): // a write-out to a busy disk cannot be stopped; Open does it again
	}
	return errors.Join(e.log.close(), e.lock.Close())
}

// Work is the absolute path of the work folder.
func (e *Engine) Work() string { return e.work }

// Dir is a folder below the work folder, made if it is not there.
func (e *Engine) Dir(elem ...string) (string, error) {
	dir := filepath.Join(append([]string{e.work}, elem...)...)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make a folder in the work folder: %w", err)
	}
	return dir, nil
}

// Jobs is how many jobs a build should run in parallel.
func (e *Engine) Jobs() int { return e.jobs }

// Mode is how namespaces are made.
func (e *Engine) Mode() Mode { return e.mode }

// Offline reports whether the network is off for every chroot.
func (e *Engine) Offline() bool { return e.offline }

// LogFile is the file with every command and its output, or empty as long as there is none.
func (e *Engine) LogFile() string { return e.log.path() }

// tempDir makes a folder that is swept after a crash.
func (e *Engine) tempDir(prefix string) (string, error) {
	dir, err := os.MkdirTemp(filepath.Join(e.work, dirTmp), prefix+"-")
	if err != nil {
		return "", fmt.Errorf("make a temporary folder: %w", err)
	}
	return dir, os.Chmod(dir, 0o755)
}

// removeTrees deletes folders whose files may belong to subordinate ids.
func (e *Engine) removeTrees(ctx context.Context, dirs []string) error {
	if len(dirs) == 0 {
		return nil
	}
	_, err := e.builtin(ctx, "remove", dirs)
	return err
}

// discard deletes a folder later and without the caller waiting. Close waits for
// it, as long as it waits at all; Open sweeps what is left.
func (e *Engine) discard(dir string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	e.trash.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		unhook := context.AfterFunc(e.ctx, func() { time.AfterFunc(time.Second, cancel) })
		defer unhook()
		if err := e.removeTrees(ctx, []string{dir}); err != nil {
			e.log.note("engine", "%s is removed at the next start: %v", dir, err)
		}
	})
}

// Remove deletes files and folders of the host, also those that belong to
// subordinate ids, which a rootless user cannot delete otherwise.
func (e *Engine) Remove(ctx context.Context, paths ...string) error {
	for i, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil || abs == "/" || abs == e.work {
			return fmt.Errorf("remove %q: refused", p)
		}
		paths[i] = abs
	}
	return e.removeTrees(ctx, paths)
}
