package wizard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// outputter is a Step that leaves names and values for the journal.
type outputter interface{ Outputs() map[string]string }

// settler is a Step that changes its own inputs (it writes port.toml or the
// generated files): the journal gets the hash as it is after the run.
type settler interface{ settles() bool }

// stepError says which step an error comes from; the runner has told the
// readers of it.
type stepError struct {
	Step StepID
	Err  error
}

func (e *stepError) Error() string { return string(e.Step) + ": " + e.Err.Error() }
func (e *stepError) Unwrap() error { return e.Err }

// interruptedError says that a person or a signal ended a step. What broke,
// broke because of that, so it is not told.
type interruptedError struct{ stopped, broke error }

func (*interruptedError) Error() string     { return "interrupted; run it again to go on" }
func (e *interruptedError) Unwrap() []error { return []error{e.stopped, e.broke} }

// Run runs the steps of in, in order, and leaves out those whose inputs are
// unchanged. It ends at the first error, or within a second of ctx's end.
func (v *Voyage) Run(ctx context.Context, in RunSteps) error {
	steps, err := v.pick(in)
	if err != nil {
		return err
	}
	if err := v.acquire(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(v.life, cancel)
	defer stop()

	v.mu.Lock()
	if v.running != nil {
		v.mu.Unlock()
		return ErrRunning
	}
	v.running = cancel
	v.report = Report{}
	log, err := openRunLog(v.cfg.Logs, v.cfg.Now())
	v.log = log
	v.mu.Unlock()
	defer func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.running = nil
		v.passphrase.Wipe()
		v.passphrase = nil
		v.log = nil
		v.releasePhones()
		_ = log.close() // the lines that matter were flushed with their step
	}()
	if err != nil {
		return hostTrouble("keep a log", err)
	}
	v.obeyChoice()
	if err := v.port.Reload(); err != nil {
		return err
	}
	if err := v.takeBootImage(); err != nil {
		return err
	}
	for i, s := range steps {
		if err := v.runStep(ctx, s, (in.Force && i == 0) || s.ID() == in.Again); err != nil {
			return err
		}
	}
	v.finishReport(steps)
	v.emit(ctx, v.report)
	return nil
}

// pick returns the steps From..To.
func (v *Voyage) pick(in RunSteps) ([]Step, error) {
	from, to := 0, len(v.steps)-1
	find := func(id StepID) (int, error) {
		n := slices.IndexFunc(v.steps, func(s Step) bool { return s.ID() == id })
		if n >= 0 {
			return n, nil
		}
		var names []string
		for _, s := range v.steps {
			names = append(names, string(s.ID()))
		}
		e := &UsageError{Text: fmt.Sprintf("there is no step %q; the steps are %v", id, names)}
		if near := nearest(string(id), names); near != "" {
			e.Text = fmt.Sprintf("there is no step %q; did you mean %s?", id, near)
		}
		return 0, e
	}
	var err error
	if in.From != "" {
		if from, err = find(in.From); err != nil {
			return nil, err
		}
	}
	if in.To != "" {
		if to, err = find(in.To); err != nil {
			return nil, err
		}
	}
	if from > to {
		return nil, &UsageError{Text: fmt.Sprintf("the step %s comes after %s", in.From, in.To)}
	}
	return v.steps[from : to+1], nil
}

// runStep skips or runs one step and journals it.
func (v *Voyage) runStep(ctx context.Context, s Step, force bool) error {
	if err := ctx.Err(); err != nil {
		return &stepError{s.ID(), err}
	}
	v.mu.Lock()
	v.forced = force
	v.mu.Unlock()
	began := v.cfg.Now()
	inputs, err := s.Inputs(ctx)
	if err != nil {
		v.fail(ctx, s.ID(), began, err)
		return &stepError{s.ID(), err}
	}
	why := ""
	if last, ok := v.journal.Last(s.ID(), v.serial()); ok && !force && inputs != "" {
		if last.Inputs == inputs {
			fresh, reason := s.Fresh(ctx, last)
			if fresh {
				v.skip(ctx, s, last, began, reason)
				return nil
			}
			why = reason
		} else {
			why = "what it depends on has changed"
		}
	}
	entry := Entry{Step: s.ID(), State: StateStarted, Inputs: inputs, At: began}
	if err := v.append(entry); err != nil {
		err = hostTrouble("keep the journal", err)
		v.fail(ctx, s.ID(), began, err)
		return &stepError{s.ID(), err}
	}
	v.emit(ctx, StepStarted{Step: s.ID(), At: began})
	if why != "" {
		v.note(ctx, s.ID(), "runs again: %s", why)
	}
	summary, err := s.Run(ctx, EmitterFunc(func(e Event) { v.emit(ctx, e) }))
	if err == nil {
		err = ctx.Err()
	}
	if stopped := ctx.Err(); stopped != nil {
		err = &interruptedError{stopped, err}
	}
	took := v.cfg.Now().Sub(began)
	if err != nil {
		err = hostTrouble(string(s.ID()), err)
		entry.State, entry.Error, entry.Took, entry.At = StateFailed, shorten(err.Error()), took, v.cfg.Now()
		if jerr := v.append(entry); jerr != nil {
			err = errors.Join(err, jerr)
		}
		v.fail(ctx, s.ID(), began, err)
		return &stepError{s.ID(), err}
	}
	if st, ok := s.(settler); ok && st.settles() {
		if after, err := s.Inputs(ctx); err == nil {
			entry.Inputs = after
		}
	}
	entry.State, entry.Summary, entry.Took, entry.At = StateFinished, summary, took, v.cfg.Now()
	if o, ok := s.(outputter); ok {
		entry.Outputs = o.Outputs()
	}
	if err := v.append(entry); err != nil {
		err = hostTrouble("keep the journal", err)
		v.fail(ctx, s.ID(), began, err)
		return &stepError{s.ID(), err}
	}
	v.log.flush(s.ID())
	v.mu.Lock()
	v.report.Steps = append(v.report.Steps, ReportStep{Step: s.ID(), Took: took, Done: "done"})
	v.mu.Unlock()
	v.emit(ctx, StepFinished{Step: s.ID(), Took: took, Summary: summary})
	return nil
}

func (v *Voyage) skip(ctx context.Context, s Step, last Entry, began time.Time, reason string) {
	if reason == "" {
		reason = last.Summary
	}
	v.mu.Lock()
	v.report.Steps = append(v.report.Steps, ReportStep{Step: s.ID(), Took: v.cfg.Now().Sub(began), Done: "already done"})
	v.mu.Unlock()
	v.emit(ctx, StepSkipped{Step: s.ID(), Reason: reason, Done: last.At})
}

func (v *Voyage) append(e Entry) error {
	if err := v.journal.Append(e); err != nil {
		return err
	}
	if v.cfg.afterJournalHook != nil {
		v.cfg.afterJournalHook()
	}
	return nil
}

// fail tells the readers of a step's error and where its log is.
func (v *Voyage) fail(ctx context.Context, id StepID, began time.Time, err error) {
	v.emit(ctx, LogLine{Step: id, At: v.cfg.Now(), Kind: LineError, Text: err.Error()})
	v.log.flush(id)
	v.emit(ctx, StepFailed{Step: id, Took: v.cfg.Now().Sub(began), Err: err, Text: err.Error(), Log: v.log.path(id)})
}

func (v *Voyage) note(ctx context.Context, id StepID, format string, args ...any) {
	v.line(ctx, id, LineNote, fmt.Sprintf(format, args...))
}

func (v *Voyage) line(ctx context.Context, id StepID, kind LineKind, text string) {
	v.emit(ctx, LogLine{Step: id, At: v.cfg.Now(), Kind: kind, Text: text})
}

// shorten bounds what an error may put into the journal.
func shorten(s string) string {
	const limit = 4 << 10
	if len(s) <= limit {
		return s
	}
	return s[:limit] + " …"
}
