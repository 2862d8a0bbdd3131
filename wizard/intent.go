package wizard

// Intent is what a person wants. A face sends intents and reads events; it
// never runs work itself.
type Intent interface{ intent() }

// RunSteps runs the steps From..To (both included; empty means first and last).
// Force runs the first of them even when its inputs are unchanged.
type RunSteps struct {
	From, To StepID
	Force    bool
	Again    StepID // a step that runs even when its inputs are unchanged
}

// Cancel stops the running steps; they end within a second.
type Cancel struct{}

// Answer answers an Ask. Secret is wiped by the receiver.
type Answer struct {
	ID     string
	Values map[string]string
	Secret *Secret
}

// SetValue changes one value of the port outside of an Ask (the form while no step runs).
type SetValue struct{ ID, Text string }

// SelectDevice chooses the phone to work with.
type SelectDevice struct{ ID string }

// PluginPractice plugs in the practice phone (started if need be); UnplugPractice pulls the cable.
type PluginPractice struct{}

// UnplugPractice pulls the practice phone's cable.
type UnplugPractice struct{}

// SessionInput are bytes typed by a person for the phone. The receiver wipes them.
type SessionInput struct {
	Session string
	Bytes   []byte
}

// SessionResize tells the size of the console pane.
type SessionResize struct {
	Session    string
	Cols, Rows int
}

func (RunSteps) intent()       {}
func (Cancel) intent()         {}
func (Answer) intent()         {}
func (SetValue) intent()       {}
func (SelectDevice) intent()   {}
func (PluginPractice) intent() {}
func (UnplugPractice) intent() {}
func (SessionInput) intent()   {}
func (SessionResize) intent()  {}
