package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"

	"portolan/wizard"
)

// jsonReader prints one JSON object per event: {"event": NAME, "data": {…}}.
type jsonReader struct {
	mu  sync.Mutex
	enc *json.Encoder
}

func newJSONReader(w io.Writer) *jsonReader {
	return &jsonReader{enc: json.NewEncoder(w)}
}

// Emit prints an event. It is safe for use from many goroutines.
func (j *jsonReader) Emit(e wizard.Event) {
	name := strings.TrimPrefix(fmt.Sprintf("%T", e), "wizard.")
	j.mu.Lock()
	defer j.mu.Unlock()
	_ = j.enc.Encode(struct {
		Event string       `json:"event"`
		Data  wizard.Event `json:"data"`
	}{name, e})
}
