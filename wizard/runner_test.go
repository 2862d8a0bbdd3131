package wizard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// fakeStep does nothing but count, at the border of the runner.
type fakeStep struct {
	id     StepID
	inputs string
	stale  string // why the result is not there any more
	run    func(ctx context.Context, emit Emitter) error
	ran    *[]StepID
}

func (s *fakeStep) ID() StepID                             { return s.id }
func (s *fakeStep) Inputs(context.Context) (string, error) { return s.inputs, nil }
func (s *fakeStep) Fresh(context.Context, Entry) (bool, string) {
	return s.stale == "", s.stale
}
func (s *fakeStep) Run(ctx context.Context, emit Emitter) (string, error) {
	*s.ran = append(*s.ran, s.id)
	if s.run != nil {
		if err := s.run(ctx, emit); err != nil {
			return "", err
		}
	}
	return "did " + string(s.id), nil
}

// crew is a voyage over fake steps and what it emitted.
type crew struct {
	*Voyage
	steps []*fakeStep
	ran   []StepID

	mu     sync.Mutex
	events []Event
}

func (c *crew) Emit(e Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, e)
}

// collect returns the events of one type.
func collect[T Event](c *crew) []T {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []T
	for _, e := range c.events {
		if e, ok := e.(T); ok {
			list = append(list, e)
		}
	}
	return list
}

func newCrew(t *testing.T, dir string, change func(*Config)) *crew {
	t.Helper()
	c := &crew{}
	cfg := Config{Dir: dir, Emitter: c, Logs: filepath.Join(dir, "logs")}
	for _, id := range []StepID{StepGenerate, StepBuild, StepImage} {
		s := &fakeStep{id: id, inputs: "inputs of " + string(id), ran: &c.ran}
		c.steps = append(c.steps, s)
		cfg.steps = append(cfg.steps, s)
	}
	if change != nil {
		change(&cfg)
	}
	v, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Voyage = v
	t.Cleanup(func() { v.Close() })
	return c
}

func (c *crew) must(t *testing.T, in RunSteps) []StepID {
	t.Helper()
	c.ran = nil
	if err := c.Run(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	return c.ran
}

func TestUnchangedStepsAreLeftOut(t *testing.T) {
	c := newCrew(t, t.TempDir(), nil)
	all := []StepID{StepGenerate, StepBuild, StepImage}
	if got := c.must(t, RunSteps{}); !slices.Equal(got, all) {
		t.Fatalf("the first run ran %v", got)
	}
	if got := c.must(t, RunSteps{}); len(got) != 0 {
		t.Errorf("the second run ran %v", got)
	}
	skipped := collect[StepSkipped](c)
	if len(skipped) != 3 || skipped[1].Step != StepBuild || skipped[1].Done.IsZero() || skipped[1].Reason == "" {
		t.Errorf("skipped: %+v", skipped)
	}
	reports := collect[Report](c)
	if len(reports) != 2 || reports[1].Steps[0].Done != "already done" || reports[0].Steps[0].Done != "done" {
		t.Errorf("reports: %+v", reports)
	}
	c.steps[1].inputs = "changed"
	if got := c.must(t, RunSteps{}); !slices.Equal(got, []StepID{StepBuild}) {
		t.Errorf("after a change of its inputs: %v", got)
	}
	c.steps[2].stale = "the image is gone"
	if got := c.must(t, RunSteps{}); !slices.Equal(got, []StepID{StepImage}) {
		t.Errorf("after its result was lost: %v", got)
	}
	c.steps[2].stale = ""
	if got := c.must(t, RunSteps{From: StepBuild, Force: true}); !slices.Equal(got, []StepID{StepBuild}) {
		t.Errorf("forced: %v", got)
	}
	c.steps[0].inputs = ""
	if got := c.must(t, RunSteps{To: StepGenerate}); !slices.Equal(got, []StepID{StepGenerate}) {
		t.Errorf("a step without inputs: %v", got)
	}
}

func TestStepNamesAreChecked(t *testing.T) {
	c := newCrew(t, t.TempDir(), nil)
	for in, want := range map[RunSteps]string{
		{From: "biuld"}:                     "did you mean build?",
		{To: "xxxxxxxxxxxx"}:                "the steps are",
		{From: StepImage, To: StepGenerate}: "comes after",
	} {
		err := c.Run(t.Context(), in)
		if err == nil || !strings.Contains(err.Error(), want) || ExitCode(err) != ExitUsage {
			t.Errorf("%+v: %v", in, err)
		}
	}
}

func TestFailureEndsTheRunAndIsLogged(t *testing.T) {
	c := newCrew(t, t.TempDir(), nil)
	broken := errors.New("gcc: internal compiler error")
	c.steps[1].run = func(_ context.Context, emit Emitter) error {
		emit.Emit(LogLine{Step: StepBuild, At: time.Now(), Text: "CC foo.o"})
		return broken
	}
	err := c.Run(t.Context(), RunSteps{})
	if !errors.Is(err, broken) || ExitCode(err) != ExitFailed {
		t.Errorf("got %v", err)
	}
	if !slices.Equal(c.ran, []StepID{StepGenerate, StepBuild}) {
		t.Errorf("ran %v", c.ran)
	}
	failed := collect[StepFailed](c)
	if len(failed) != 1 || !errors.Is(failed[0].Err, broken) {
		t.Fatalf("failed: %+v", failed)
	}
	log, err := os.ReadFile(failed[0].Log)
	if err != nil || !strings.Contains(string(log), "CC foo.o") || !strings.Contains(string(log), "error: gcc: internal") {
		t.Errorf("the log holds %q, %v", log, err)
	}
	c.steps[1].run = nil
	if got := c.must(t, RunSteps{}); !slices.Equal(got, []StepID{StepBuild, StepImage}) {
		t.Errorf("run again: %v", got)
	}
}

func TestCancelEndsARun(t *testing.T) {
	c := newCrew(t, t.TempDir(), nil)
	c.steps[1].run = func(ctx context.Context, _ Emitter) error {
		if err := c.Send(Cancel{}); err != nil {
			return err
		}
		<-ctx.Done()
		return fmt.Errorf("build: %w", ctx.Err())
	}
	err := c.Run(t.Context(), RunSteps{})
	if ExitCode(err) != ExitInterrupted {
		t.Errorf("got %v, exit code %d", err, ExitCode(err))
	}
	if failed := collect[StepFailed](c); len(failed) != 1 {
		t.Errorf("readers were told %+v", failed)
	}
}

func TestSecondRunIsRefusedWhileOneIsUnderWay(t *testing.T) {
	c := newCrew(t, t.TempDir(), nil)
	c.steps[0].run = func(ctx context.Context, _ Emitter) error {
		if err := c.Run(ctx, RunSteps{}); !errors.Is(err, ErrRunning) {
			return fmt.Errorf("the second run gave %v", err)
		}
		return nil
	}
	c.must(t, RunSteps{})
}

// killed is what a process that is gone leaves: no deferred function ran that
// writes, the lock is the kernel's.
type killed struct{ at int }

func TestResumeAfterKillAtEveryJournalPoint(t *testing.T) {
	// A whole run appends two entries for each of three steps.
	for at := 1; at <= 6; at++ {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			dir := t.TempDir()
			n := 0
			c := newCrew(t, dir, func(cfg *Config) {
				cfg.afterJournalHook = func() {
					if n++; n == at {
						panic(killed{at})
					}
				}
			})
			func() {
				defer func() {
					if k, ok := recover().(killed); !ok || k.at != at {
						t.Fatalf("the run was not killed at entry %d", at)
					}
				}()
				c.Run(t.Context(), RunSteps{})
			}()
			c.lock.unlock() // as the kernel does
			next := newCrew(t, dir, nil)
			done := at / 2 // entries 2, 4 and 6 finish a step
			want := []StepID{StepGenerate, StepBuild, StepImage}[done:]
			if got := next.must(t, RunSteps{}); !slices.Equal(got, want) {
				t.Errorf("run again, it ran %v, want %v", got, want)
			}
		})
	}
}

func TestResumeWithATornJournal(t *testing.T) {
	dir := t.TempDir()
	c := newCrew(t, dir, nil)
	c.must(t, RunSteps{})
	c.Close()
	path := filepath.Join(dir, "out", "journal.jsonl")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut <= len(whole); cut += 7 {
		if err := os.WriteFile(path, whole[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		want := 3 - strings.Count(string(whole[:cut]), `"finished"`)
		// A line counts once it is whole; its newline may be lost.
		lines := strings.Split(string(whole[:cut]), "\n")
		if last := lines[len(lines)-1]; strings.Contains(last, `"finished"`) && !strings.HasSuffix(last, "}") {
			want++
		}
		next := newCrew(t, dir, nil)
		if got := next.must(t, RunSteps{}); len(got) != want {
			t.Errorf("cut at %d: ran %v, want %d steps", cut, got, want)
		}
		if got := next.must(t, RunSteps{}); len(got) != 0 {
			t.Errorf("cut at %d: the journal was not mended, ran %v", cut, got)
		}
		next.Close()
	}
}

func TestJournalStaysBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	j, err := OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Append(Entry{Step: StepBuild, State: StateFinished, Inputs: "wanted"}); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(Entry{Step: StepBuild, State: StateFailed, Error: strings.Repeat("x", maxEntry)}); err == nil {
		t.Error("a giant entry was taken")
	}
	j.Close()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	filler := strings.Repeat(`{"step":"attach","state":"failed","error":"`+strings.Repeat("x", 1000)+"\"}\n", maxJournal/1000)
	if _, err := f.WriteString(filler); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if j, err = OpenJournal(path); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if last, ok := j.Last(StepBuild, ""); !ok || last.Inputs != "wanted" {
		t.Errorf("the finished entry was lost: %+v", last)
	}
	if info, _ := os.Stat(path); info.Size() > 4096 {
		t.Errorf("the journal still has %d bytes", info.Size())
	}
}

func TestSecondPortolanOnAPortIsRefused(t *testing.T) {
	dir := t.TempDir()
	c := newCrew(t, dir, nil)
	c.must(t, RunSteps{})
	err := newCrew(t, dir, nil).Run(t.Context(), RunSteps{})
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID != os.Getpid() || ExitCode(err) != ExitRefused {
		t.Fatalf("got %v, exit code %d", err, ExitCode(err))
	}
	if !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) || !strings.Contains(err.Error(), dir) {
		t.Errorf("the error names neither process nor folder: %v", err)
	}
	c.Close()
	newCrew(t, dir, nil).must(t, RunSteps{})
}

func TestLookingAtAFolderLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	c := newCrew(t, dir, nil)
	c.Close()
	if list, _ := os.ReadDir(dir); len(list) != 0 {
		t.Errorf("left: %v", list)
	}
}

func TestFullDiskSaysSo(t *testing.T) {
	c := newCrew(t, t.TempDir(), nil)
	c.steps[1].run = func(context.Context, Emitter) error {
		return &os.PathError{Op: "write", Path: "vmlinux.o", Err: syscall.ENOSPC}
	}
	err := c.Run(t.Context(), RunSteps{})
	if ExitCode(err) != ExitHost || !strings.Contains(err.Error(), "disk space") || !strings.Contains(err.Error(), "run this again") {
		t.Errorf("got %v, exit code %d", err, ExitCode(err))
	}
	c.steps[1].run = nil
	if got := c.must(t, RunSteps{}); !slices.Equal(got, []StepID{StepBuild, StepImage}) {
		t.Errorf("run again: %v", got)
	}
}

func TestEventsReachASlowReader(t *testing.T) {
	c := newCrew(t, t.TempDir(), func(cfg *Config) { cfg.Emitter = nil })
	const lines = 3 * maxQueued
	c.steps[0].run = func(_ context.Context, emit Emitter) error {
		for i := range lines {
			emit.Emit(LogLine{Step: StepGenerate, Text: fmt.Sprint(i)})
		}
		return nil
	}
	if err := c.Send(RunSteps{}); err != nil {
		t.Fatal(err)
	}
	next := 0
	for e := range c.Events() {
		if l, ok := e.(LogLine); ok && l.Step == StepGenerate {
			if l.Text != fmt.Sprint(next) {
				t.Fatalf("line %s came instead of %d", l.Text, next)
			}
			next++
		}
		if _, ok := e.(Report); ok {
			break
		}
	}
	if next != lines {
		t.Errorf("%d of %d lines came", next, lines)
	}
}

func TestCancelDoesNotWaitForAReaderThatIsGone(t *testing.T) {
	c := newCrew(t, t.TempDir(), func(cfg *Config) { cfg.Emitter = nil })
	full := make(chan struct{})
	c.steps[0].run = func(ctx context.Context, emit Emitter) error {
		for i := 0; ctx.Err() == nil; i++ {
			if i == maxQueued {
				close(full)
			}
			emit.Emit(LogLine{Step: StepGenerate, Text: "x"})
		}
		return ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx, RunSteps{}) }()
	<-full
	cancel()
	if err := <-done; ExitCode(err) != ExitInterrupted {
		t.Errorf("got %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
