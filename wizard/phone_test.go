package wizard

import (
	"context"
	"slices"
	"testing"
	"time"

	"portolan/usb"
)

// quay is a source of the phones that lie there.
type quay chan usb.Change

func (quay) Name() string { return "quay" }

func (q quay) Run(ctx context.Context, report func(usb.Change)) error {
	for {
		select {
		case c := <-q:
			report(c)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (quay) Open(context.Context, string) (usb.Handle, error) { return nil, usb.ErrGone }

// watched is a voyage that watches a quay with phones on it.
func watched(t *testing.T, phones ...usb.Device) *crew {
	t.Helper()
	q := make(quay)
	w := usb.NewWatcher(q)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	for _, d := range phones {
		q <- usb.Change{Kind: usb.Appeared, Device: d}
	}
	c, _ := shipyard(t, portWithAnswers(t), func(cfg *Config) { cfg.Watcher = w })
	for deadline := time.Now().Add(5 * time.Second); len(w.Devices()) < len(phones); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the watcher sees %v", w.Devices())
		}
	}
	return c
}

func TestNoOtherPhoneIsFlashedUnlessItIsChosen(t *testing.T) {
	mine := usb.Device{ID: "quay/1", Source: "quay", Serial: "A1", Mode: usb.ModeFastboot}
	other := usb.Device{ID: "quay/2", Source: "quay", Serial: "B2", Mode: usb.ModeFastboot}
	c := watched(t, other)
	c.take(mine) // and then it was pulled out
	if may, _ := c.candidates(StepFlash); len(may) != 0 {
		t.Errorf("would flash %v", may)
	}
	if err := c.Send(SelectDevice{ID: other.ID}); err != nil {
		t.Fatal(err)
	}
	if may, _ := c.candidates(StepFlash); len(may) != 1 || may[0].Serial != "B2" {
		t.Errorf("a person's choice is not obeyed: %v", may)
	}
}

func TestTheNextRunObeysAChoice(t *testing.T) {
	mine := usb.Device{ID: "quay/1", Source: "quay", Serial: "A1", Mode: usb.ModeFastboot}
	other := usb.Device{ID: "quay/2", Source: "quay", Serial: "B2", Mode: usb.ModeFastboot}
	c := watched(t, mine, other)
	for _, id := range []string{mine.ID, other.ID, mine.Serial} {
		if err := c.Send(SelectDevice{ID: id}); err != nil {
			t.Fatal(err)
		}
		c.must(t, RunSteps{From: StepDescribe, To: StepDescribe})
		d, err := c.phone(t.Context(), StepFlash)
		if err != nil || !slices.Contains([]string{d.ID, d.Serial}, id) {
			t.Errorf("chose %s, got %v: %v", id, d, err)
		}
	}
}
