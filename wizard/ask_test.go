package wizard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// asking runs fn as a step of a voyage whose asks are answered by reply.
func asking(t *testing.T, reply func(c *crew, a Ask), fn func(ctx context.Context, v *Voyage) error) *crew {
	t.Helper()
	var c *crew
	c = newCrew(t, t.TempDir(), func(cfg *Config) {
		cfg.Interactive = true
		inner := cfg.Emitter
		cfg.Emitter = EmitterFunc(func(e Event) {
			inner.Emit(e)
			if a, ok := e.(Ask); ok {
				go reply(c, a)
			}
		})
	})
	c.steps[0].run = func(ctx context.Context, _ Emitter) error { return fn(ctx, c.Voyage) }
	c.must(t, RunSteps{To: StepGenerate})
	return c
}

func TestARefusedAnswerIsAskedAgainWithTheReason(t *testing.T) {
	q, _ := QuestionByID("codename")
	n := 0
	c := asking(t, func(c *crew, a Ask) {
		n++
		c.Send(Answer{ID: a.ID, Values: map[string]string{"codename": []string{"", "Not Good", "dinghy"}[n-1]}})
	}, func(ctx context.Context, v *Voyage) error {
		got, err := v.ask(ctx, Ask{Step: StepGenerate, Questions: []Question{q}}, nil)
		if err == nil && got["codename"] != "dinghy" {
			err = fmt.Errorf("got %v", got)
		}
		return err
	})
	asks := collect[Ask](c)
	if len(asks) != 3 || asks[0].Error != "" || !strings.Contains(asks[1].Error, "no answer") || !strings.Contains(asks[2].Error, "Not Good") {
		t.Errorf("asked %+v", asks)
	}
	if asks[0].ID == asks[1].ID {
		t.Error("two asks have one id")
	}
}

func TestANewPassphraseIsTypedTwiceAndWiped(t *testing.T) {
	typed := []string{"ahoy", "aho", "ahoy", "ahoy"}
	var secrets []*Secret
	n := 0
	var held *Secret
	c := asking(t, func(c *crew, a Ask) {
		s := NewSecret([]byte(typed[n]))
		secrets = append(secrets, s)
		n++
		c.Send(Answer{ID: a.ID, Secret: s})
	}, func(ctx context.Context, v *Voyage) error {
		s, err := v.newPassphrase(ctx)
		if err != nil {
			return err
		}
		if string(s.Bytes()) != "ahoy" {
			return fmt.Errorf("got another passphrase")
		}
		held = s
		again, err := v.heldPassphrase()
		if again != s {
			return fmt.Errorf("the run does not hold it: %w", err)
		}
		return nil
	})
	if asks := collect[Ask](c); len(asks) != 4 || !asks[0].Secret || !strings.Contains(asks[2].Error, "not the same") {
		t.Errorf("asked %+v", asks)
	}
	if !held.Empty() {
		t.Error("the passphrase outlives the run")
	}
	for i, s := range secrets {
		if !s.Empty() {
			t.Errorf("secret %d was not wiped", i)
		}
	}
	journal, err := os.ReadFile(c.port.Path("out", "journal.jsonl"))
	if err != nil || strings.Contains(string(journal), "ahoy") {
		t.Errorf("the journal tells it (%v)", err)
	}
	for _, e := range c.events {
		if text, _ := json.Marshal(e); strings.Contains(string(text)+fmt.Sprintf("%v %+v", e, e), "ahoy") {
			t.Errorf("an event tells it: %v", e)
		}
	}
}

func TestNobodyToAskIsAUsageError(t *testing.T) {
	c := newCrew(t, t.TempDir(), nil)
	q, _ := QuestionByID("manufacturer")
	c.steps[0].run = func(ctx context.Context, _ Emitter) error {
		_, err := c.ask(ctx, Ask{Questions: []Question{q}}, nil)
		return err
	}
	err := c.Run(t.Context(), RunSteps{})
	if ExitCode(err) != ExitUsage || !strings.Contains(err.Error(), "manufacturer") {
		t.Errorf("got %v", err)
	}
	c.steps[0].run = func(ctx context.Context, _ Emitter) error {
		_, err := c.newPassphrase(ctx)
		return err
	}
	err = c.Run(t.Context(), RunSteps{})
	if ExitCode(err) != ExitUsage || !strings.Contains(err.Error(), "passphrase_file") {
		t.Errorf("got %v", err)
	}
}

func TestThePassphraseFileServesWithoutAnAsk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pw")
	if err := os.WriteFile(path, []byte("ahoy\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newCrew(t, t.TempDir(), func(cfg *Config) { cfg.Answers = &Answers{PassphraseFile: path} })
	c.steps[0].run = func(ctx context.Context, _ Emitter) error {
		s, err := c.newPassphrase(ctx)
		if err == nil && string(s.Bytes()) != "ahoy" {
			err = errors.New("another passphrase")
		}
		return err
	}
	c.must(t, RunSteps{To: StepGenerate})
	if asks := collect[Ask](c); len(asks) != 0 {
		t.Errorf("asked %+v", asks)
	}
}

func TestAnAskEndsWithItsContext(t *testing.T) {
	c := newCrew(t, t.TempDir(), func(cfg *Config) { cfg.Interactive = true })
	c.steps[0].run = func(ctx context.Context, _ Emitter) error {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := c.askSecret(ctx, Ask{}); !errors.Is(err, context.Canceled) {
			return fmt.Errorf("got %v", err)
		}
		return nil
	}
	c.must(t, RunSteps{To: StepGenerate})
	late := NewSecret([]byte("ahoy"))
	id := collect[Ask](c)[0].ID
	if err := c.Send(Answer{ID: id, Secret: late}); err == nil || !late.Empty() {
		t.Errorf("a late answer: %v, wiped %v", err, late.Empty())
	}
}

func TestTypingShowsOnlyDots(t *testing.T) {
	var shown []byte
	ty := newTyping(func(b []byte) { shown = append(shown, b...) })
	ty.ask(nil)
	for _, piece := range []string{"xy\x15", "ahö", "\x7f", "oy", "!\x08", "\r"} {
		if err := ty.input([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	s := <-ty.done
	if string(s.Bytes()) != "ahoy" {
		t.Errorf("got %q", s.Bytes())
	}
	if text := string(shown); strings.ContainsAny(text, "ahoyx!") || strings.Count(text, "•") != 8 {
		t.Errorf("shown: %q", text)
	}
	for _, b := range ty.buf[:cap(ty.buf)] {
		if b != 0 {
			t.Fatal("the buffer was not wiped")
		}
	}
}

func TestAQuestionAppliesByWhatIsKnownToo(t *testing.T) {
	dir := portWithAnswers(t, "flash_offset_dtb", "header_version")
	port := filepath.Join(dir, "port.toml")
	text, err := os.ReadFile(port)
	if err == nil {
		err = os.WriteFile(port, append(text, "header_version = 2\n"...), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	c, _ := shipyard(t, dir, func(cfg *Config) {
		cfg.Answerer = answererFunc(func(a Ask) map[string]string {
			asked++
			values := map[string]string{}
			for _, q := range a.Questions { // as a prompt does it, that knows this ask's answers only
				if q.Applies == nil || q.Applies(func(id string) string { return values[id] }) {
					values[q.ID] = q.Suggestion.Text
				}
			}
			return values
		})
	})
	c.must(t, RunSteps{From: StepDescribe, To: StepDescribe})
	if asked != 1 || c.Port().Get("flash_offset_dtb") == "" {
		t.Errorf("asked %d times, the offset is %q", asked, c.Port().Get("flash_offset_dtb"))
	}
}
