// Package wizard takes a port through the voyage: it holds what is known of the
// phone, the questions, the steps and the journal. It knows no terminal.
package wizard

import "context"

// Step is one leg of the voyage.
type Step interface {
	ID() StepID
	// Inputs returns the hash of everything the step's result depends on.
	// The runner skips the step when the journal holds a finished run with the
	// same inputs and Fresh agrees. An empty hash means: always run.
	Inputs(ctx context.Context) (string, error)
	// Fresh tells whether what the last finished run left is still there.
	// The reason is shown when the step is skipped or run again.
	Fresh(ctx context.Context, last Entry) (ok bool, reason string)
	// Run does the work. It emits progress and log lines; started, finished and
	// failed are the runner's. It returns a summary for a person.
	Run(ctx context.Context, emit Emitter) (summary string, err error)
}
