package wizard

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// keptRuns is how many runs' logs are kept in the work folder.
const keptRuns = 20

// maxStepLog bounds the log of one step: a kernel build prints about 1 MiB.
const maxStepLog = 64 << 20

// runLog writes the log lines of a run: a folder a run, a file a step.
type runLog struct {
	dir string

	mu    sync.Mutex
	files map[StepID]*stepLog
}

type stepLog struct {
	f    *os.File
	w    *bufio.Writer
	size int
}

// openRunLog makes the folder of a run under root and drops the oldest ones.
// Without a root nothing is logged.
func openRunLog(root string, at time.Time) (*runLog, error) {
	if root == "" {
		return nil, nil
	}
	name := at.UTC().Format("20060102T150405.000000")
	l := &runLog{dir: filepath.Join(root, name), files: map[StepID]*stepLog{}}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for logs: %w", err)
	}
	old, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("list the logs: %w", err)
	}
	var runs []string
	for _, e := range old {
		if _, err := time.Parse("20060102T150405.000000", e.Name()); err == nil && e.IsDir() {
			runs = append(runs, e.Name())
		}
	}
	slices.Sort(runs)
	for len(runs) > keptRuns {
		os.RemoveAll(filepath.Join(root, runs[0]))
		runs = runs[1:]
	}
	return l, nil
}

// path returns the file of a step's log, or "" when there is none.
func (l *runLog) path(step StepID) string {
	if l == nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.files[step]; s != nil {
		return s.f.Name()
	}
	return ""
}

func (l *runLog) write(e LogLine) {
	if l == nil || e.Step == "" || filepath.Base(string(e.Step)) != string(e.Step) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.files[e.Step]
	if s == nil {
		f, err := os.OpenFile(filepath.Join(l.dir, string(e.Step)+".log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			return // a log that cannot be kept must not stop the work
		}
		s = &stepLog{f: f, w: bufio.NewWriter(f)}
		l.files[e.Step] = s
	}
	if s.size > maxStepLog {
		return
	}
	mark := ""
	if e.Kind != LineOutput {
		mark = string(e.Kind) + ": "
	}
	n, _ := fmt.Fprintf(s.w, "%s %s%s\n", e.At.UTC().Format("15:04:05.000"), mark, e.Text)
	s.size += n
	if e.Kind == LineError || e.Kind == LineCommand {
		s.w.Flush()
	}
}

// flush brings a step's lines to its file.
func (l *runLog) flush(step StepID) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.files[step]; s != nil {
		s.w.Flush()
	}
}

func (l *runLog) close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, s := range l.files {
		errs = append(errs, s.w.Flush(), s.f.Close())
	}
	l.files = map[StepID]*stepLog{}
	return errors.Join(errs...)
}
