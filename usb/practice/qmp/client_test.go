package qmp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// machine answers like QEMU: a greeting, then whatever script says for each
// command; every answer carries the id that was asked with.
func machine(t *testing.T, script func(command string) string) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { theirs.Close() })
	go func() {
		fmt.Fprintln(theirs, `{"QMP": {"version": {}, "capabilities": []}}`)
		lines := bufio.NewScanner(theirs)
		for lines.Scan() {
			var c struct {
				Execute string
				ID      uint64
			}
			json.Unmarshal(lines.Bytes(), &c)
			answer := `"return": {}`
			if c.Execute != "qmp_capabilities" {
				answer = script(c.Execute)
			}
			if answer == "" {
				theirs.Close()
				return
			}
			fmt.Fprintf(theirs, "{\"event\": \"NOISE\", \"data\": {}}\r\n{%s, \"id\": %d}\r\n", answer, c.ID)
		}
	}()
	return ours
}

func TestExecute(t *testing.T) {
	events := make(chan Event, 16)
	c, err := New(t.Context(), machine(t, func(command string) string {
		switch command {
		case "human-monitor-command":
			return `"return": "two\r\nlines"`
		case "bad":
			return `"error": {"class": "GenericError", "desc": "not like this"}`
		case "die":
			return ""
		}
		return `"return": 42`
	}), func(e Event) { events <- e })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if e := <-events; e.Name != "NOISE" {
		t.Errorf("event %+v", e)
	}
	if got, err := c.Execute(t.Context(), "question", nil); err != nil || string(got) != "42" {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := c.Monitor(t.Context(), "info"); err != nil || got != "two\r\nlines" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := c.Execute(t.Context(), "bad", nil); err == nil || !strings.Contains(err.Error(), "not like this") {
		t.Errorf("%v", err)
	}
	if _, err := c.Execute(t.Context(), "die", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	if _, err := c.Execute(t.Context(), "question", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

func TestExecuteGivesUpWithContext(t *testing.T) {
	ours, theirs := net.Pipe()
	go io.Copy(io.Discard, theirs)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(ctx, ours, func(Event) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	theirs.Close()
}

func FuzzScan(f *testing.F) {
	f.Add([]byte("{\"QMP\": {}}\r\n{\"return\": {}, \"id\": 1}\n{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true}}\n"))
	f.Add([]byte("{\"error\": {\"class\": \"x\"}}\n{\"id\": \"text\"}\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		n := 0
		if scan(bytes.NewReader(stream), func(message) { n++ }) == nil {
			t.Error("the end of the stream is no error")
		}
		if n > len(stream) {
			t.Errorf("%d messages in %d bytes", n, len(stream))
		}
	})
}
