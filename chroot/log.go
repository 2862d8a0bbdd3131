package chroot

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Line is one line of what the engine does.
type Line struct {
	At     time.Time
	Chroot string
	Kind   LineKind
	Text   string
}

// LineKind says what a Line is.
type LineKind string

// Kinds of line.
const (
	LineOutput  LineKind = ""        // of a command
	LineCommand LineKind = "command" // a command about to run, as a shell line
	LineNote    LineKind = "note"    // the engine's own words
	LineError   LineKind = "error"   // a command failed
)

const (
	maxLog   = 64 << 20 // bytes of one log file; the older half is dropped at a time
	keepLogs = 20       // files
	logGlob  = "engine-*.log"
)

// runLog writes every line to a file, made when the first command runs, and to
// the caller's sink.
type runLog struct {
	dir  string
	sink func(Line)

	mu   sync.Mutex
	name string
	file *os.File
	buf  *bufio.Writer
	size int64
}

func newRunLog(dir string, sink func(Line)) *runLog { return &runLog{dir: dir, sink: sink} }

func (l *runLog) command(chroot string, argv []string) {
	l.write(Line{Chroot: chroot, Kind: LineCommand, Text: quoteArgv(argv)})
}

func (l *runLog) output(chroot, text string) { l.write(Line{Chroot: chroot, Text: text}) }

func (l *runLog) note(chroot, format string, args ...any) {
	l.write(Line{Chroot: chroot, Kind: LineNote, Text: fmt.Sprintf(format, args...)})
}

// result logs how a command ended: its exit status, or why it has none.
func (l *runLog) result(chroot string, argv []string, took time.Duration, code int, err error) {
	line := Line{Chroot: chroot, Kind: LineNote, Text: fmt.Sprintf("%s: exit status %d after %s", argv[0], code, took.Round(time.Millisecond))}
	if err != nil {
		line.Kind = LineError
		if code == 0 {
			line.Text = fmt.Sprintf("%s: no exit status after %s: %v", argv[0], took.Round(time.Millisecond), err)
		}
	}
	l.write(line)
}

func (l *runLog) write(line Line) {
	line.At = time.Now()
	l.toFile(line)
	if l.sink != nil {
		l.sink(line)
	}
}

// toFile never fails a build: a log that cannot be written is left out.
func (l *runLog) toFile(line Line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil && l.open() != nil {
		return
	}
	mark := map[LineKind]string{LineOutput: " ", LineCommand: "$", LineNote: "#", LineError: "!"}[line.Kind]
	n, err := fmt.Fprintf(l.buf, "%s %s %s %s\n", line.At.Format("15:04:05.000"), line.Chroot, mark, line.Text)
	l.size += int64(n)
	if err == nil && line.Kind != LineOutput {
		err = l.buf.Flush()
	}
	if err == nil && l.size > maxLog/2 {
		l.rotate()
	}
}

func (l *runLog) open() error {
	if l.name == "" {
		l.name = filepath.Join(l.dir, fmt.Sprintf("engine-%s-%d.log", time.Now().Format("20060102-150405"), os.Getpid()))
		l.prune()
	}
	f, err := os.OpenFile(l.name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	l.file, l.buf, l.size = f, bufio.NewWriterSize(f, 64<<10), 0
	return nil
}

// rotate keeps the newest half of a log that has grown too long.
func (l *runLog) rotate() {
	l.buf.Flush()
	l.file.Close()
	l.file = nil
	_ = os.Rename(l.name, strings.TrimSuffix(l.name, ".log")+".old")
}

// prune keeps the newest logs. Their names sort by time.
func (l *runLog) prune() {
	entries, _ := os.ReadDir(l.dir) // sorted
	var names []string
	for _, entry := range entries {
		if ok, _ := filepath.Match(logGlob, entry.Name()); ok {
			names = append(names, filepath.Join(l.dir, entry.Name()))
		}
	}
	for ; len(names) >= keepLogs; names = names[1:] {
		os.Remove(names[0])
		os.Remove(strings.TrimSuffix(names[0], ".log") + ".old")
	}
}

func (l *runLog) path() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.name
}

func (l *runLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.buf.Flush()
	if e := l.file.Close(); err == nil {
		err = e
	}
	l.file = nil
	return err
}
