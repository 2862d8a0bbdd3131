// Package tui is the terminal face of the voyage. It reads wizard events and
// sends wizard intents; it never runs work itself.
//
// An event travels: channel → drain (a command that gathers a batch) → Update
// → state.Reduce and the panes → View. An intent travels: key → outbox → one
// command at a time → Config.Send, so that the order of typed keys is kept.
package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"

	"portolan/wizard"
)

// Config plugs the UI together. Events and Send are needed.
type Config struct {
	// Events is read until it is closed. A buffered channel lets the UI draw
	// many events at once.
	Events <-chan wizard.Event
	// Send passes an intent on; its error is shown. It is called from one
	// goroutine at a time, in order. It should not wait for work.
	Send func(wizard.Intent) error

	Questions []wizard.Question // of the port form while no step asks
	Port      wizard.Snapshot   // what is known at the start
	Journal   []wizard.Entry    // what earlier runs have done, oldest first
	// Preview renders what would be generated from answers; nil: no preview.
	// It is called outside of the UI's own goroutine, one call at a time.
	Preview func(values map[string]string) ([]wizard.GeneratedFile, error)

	Version string
	LogPath string // file with the log of this run, shown in the log's frame
	Theme   string // "" or "high-contrast"

	// For tests and for other terminals than the process's own.
	Now    func() time.Time
	Input  io.Reader
	Output io.Writer
	Env    []string
}

// ErrInterrupted says that the context ended the UI (exit code 130).
var ErrInterrupted = errors.New("interrupted")

// Run shows the UI until a person quits or ctx ends, as by a signal. When a
// job was running, Cancel has been sent; the caller waits for the job.
func Run(ctx context.Context, cfg Config) error {
	m := New(cfg)
	defer m.Wipe()
	// The first frame comes with the first tick of the frame clock: 60 a second
	// would cost half the budget of a start.
	// Signals end ctx: Bubble Tea's own handler would take a SIGTERM for a quit.
	opts := []tea.ProgramOption{tea.WithContext(ctx), tea.WithFPS(120), tea.WithoutSignalHandler()}
	if cfg.Input != nil {
		opts = append(opts, tea.WithInput(cfg.Input))
	}
	if cfg.Output != nil {
		opts = append(opts, tea.WithOutput(cfg.Output))
	}
	if cfg.Env != nil {
		opts = append(opts, tea.WithEnvironment(cfg.Env))
	}
	_, err := tea.NewProgram(m, opts...).Run()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, tea.ErrInterrupted), ctx.Err() != nil:
		return ErrInterrupted
	}
	return fmt.Errorf("the terminal UI stopped: %w", err)
}
