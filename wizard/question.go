package wizard

// Kind is the kind of an answer.
type Kind string

// Kinds of question. Every answer travels as text; Validate knows its kind.
const (
	KindText   Kind = "text"
	KindChoice Kind = "choice"
	KindNumber Kind = "number"
	KindBool   Kind = "bool" // "true" or "false"
	KindList   Kind = "list" // separated by blanks
)

// Source says where a value came from.
type Source string

// Sources, from the surest to the least sure.
const (
	SourceAsked     Source = "asked"
	SourceFastboot  Source = "fastboot"
	SourceBootImage Source = "boot image"
	SourceDefault   Source = "default"
	SourceTouch     Source = "touch" // measured by the touch step
)

// Value is a text with its source.
type Value struct {
	Text   string `json:"text"`
	Source Source `json:"source"`
}

// Question is one entry of the list that drives the form, the plain prompts
// and the answers file. It is data: the functions are pure.
type Question struct {
	ID         string                                      `json:"id"` // key in port.toml and the answers file
	Section    string                                      `json:"section"`
	Title      string                                      `json:"title"`
	Why        string                                      `json:"why"`      // why it is asked
	IfWrong    string                                      `json:"if_wrong"` // what happens if the answer is wrong
	Kind       Kind                                        `json:"kind"`
	Choices    []Choice                                    `json:"choices,omitempty"`
	Optional   bool                                        `json:"optional"`
	Suggestion Value                                       `json:"suggestion"`
	Validate   func(answer string) error                   `json:"-"`
	Applies    func(answers func(id string) string) bool   `json:"-"` // nil: always
	Suggest    func(answers func(id string) string) string `json:"-"` // default that follows from other answers; nil: none
}

// Choice is one allowed answer.
type Choice struct {
	Value string `json:"value"`
	Help  string `json:"help"`
}

// Snapshot is a read-only copy of a port for readers of events.
type Snapshot struct {
	Dir    string           `json:"dir"`
	Values map[string]Value `json:"values"`
}

// Get returns the text of a value, or "".
func (s Snapshot) Get(id string) string { return s.Values[id].Text }
