package wizard

import (
	"context"
	"testing"
	"time"
)

// dinghyAnswers answer every question that has no default.
var dinghyAnswers = map[string]string{
	"manufacturer": "Portolan", "name": "Portolan Dinghy", "vendor": "portolan", "codename": "dinghy", "year": "2026",
	"screen_width": "720", "screen_height": "1280", "hostname": "dinghy",
	"maintainer_name": "Jo Porter", "maintainer_email": "jo@example.org",
}

func TestAFormOpensOnceAndThenOnlyForWhoAsksForIt(t *testing.T) {
	c := newCrew(t, t.TempDir(), func(cfg *Config) { cfg.Interactive = true })
	c.Voyage.steps = []Step{&describeStep{c.Voyage}}
	answered := 0
	run := func(in RunSteps) {
		t.Helper()
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx, in) }()
		for {
			if asks := collect[Ask](c); len(asks) > answered {
				answered = len(asks)
				values := suggestions(asks[answered-1].Questions)
				for id, text := range dinghyAnswers {
					values[id] = text
				}
				if err := c.Send(Answer{ID: asks[answered-1].ID, Values: values}); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Fatal(err)
				}
				return
			case <-time.After(time.Millisecond): // the crew's events cannot be waited on
			}
		}
	}
	run(RunSteps{})
	if answered != 1 {
		t.Fatalf("a new port asked %d times", answered)
	}
	run(RunSteps{})
	if err := c.Send(SetValue{ID: "kernel", Text: "source"}); err != nil { // now the step runs again
		t.Fatal(err)
	}
	run(RunSteps{})
	if answered != 1 || c.port.Get("kernel") != "source" {
		t.Fatalf("a complete port was asked again; kernel = %s", c.port.Get("kernel"))
	}
	run(RunSteps{Force: true})
	if answered != 2 {
		t.Error("who asks for the step by name gets no form")
	}
}
