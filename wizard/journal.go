package wizard

import "time"

// Entry is one record of the journal, out/journal.jsonl in the port's folder.
type Entry struct {
	Step    StepID            `json:"step"`
	State   string            `json:"state"` // started, writing, finished, failed
	Inputs  string            `json:"inputs,omitempty"`
	At      time.Time         `json:"at"`
	Took    time.Duration     `json:"took,omitempty"`
	Summary string            `json:"summary,omitempty"`
	Error   string            `json:"error,omitempty"`
	Outputs map[string]string `json:"outputs,omitempty"` // name → path or value, never a secret
}
