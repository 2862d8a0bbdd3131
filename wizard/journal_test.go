package wizard

import (
	"path/filepath"
	"testing"
)

// TestTornFlashing: from the first byte written until the step is finished
// again, what a phone was flashed with before does not count.
func TestTornFlashing(t *testing.T) {
	j, err := OpenJournal(filepath.Join(t.TempDir(), "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for i, step := range []struct {
		state, serial string
		torn          bool // the phone A
	}{
		{StateFinished, "A", false},
		{StateStarted, "", false}, // refused before anything was written
		{StateFailed, "", false},
		{StateWriting, "B", false}, // another phone
		{StateWriting, "A", true},
		{StateFailed, "", true},
		{StateStarted, "", true},
		{StateFinished, "B", true},
		{StateFinished, "A", false},
		{StateWriting, "A", true},
	} {
		e := Entry{Step: StepFlash, State: step.state}
		if step.serial != "" {
			e.Outputs = map[string]string{"serial": step.serial}
		}
		if err := j.Append(e); err != nil {
			t.Fatal(err)
		}
		if got := j.Torn(StepFlash, "A"); got != step.torn {
			t.Errorf("after entry %d, %+v: torn is %v, want %v", i, step, got, step.torn)
		}
	}
	j.entries = lastEntries(j.entries)
	if !j.Torn(StepFlash, "A") || j.Torn(StepFlash, "B") {
		t.Errorf("the compacted journal tells another story: %+v", j.entries)
	}
}
