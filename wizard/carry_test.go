package wizard

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"portolan/flashers"
	"portolan/usb"
)

func TestTouchCarriesNothingOverAnEditedKernel(t *testing.T) {
	dir := portWithAnswers(t)
	c, _ := shipyard(t, dir, nil)
	c.must(t, ashore)
	c.take(usb.Device{Source: "practice", Serial: "A1"})
	if carry, err := c.carriers(t.Context()); err != nil || carry.image == nil {
		t.Fatalf("an image that is up to date is not carried over: %v", err)
	}
	path := filepath.Join(dir, "debian", "linux-portolan-dinghy", "mine")
	if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if carry, err := c.carriers(t.Context()); err != nil || carry.image != nil {
		t.Errorf("an image without the edited kernel is carried over: %v", err)
	}
}

func TestACarriedImageIsMadeAnewForAnotherFlashing(t *testing.T) {
	dir := portWithAnswers(t)
	c, y := shipyard(t, dir, func(cfg *Config) {
		cfg.Rooms.Flasher = func(string) (flashers.Flasher, error) { return nil, nil }
	})
	c.must(t, ashore)
	phone := usb.Device{Source: "practice", Serial: "A1"}
	c.take(phone)
	made, _ := c.journal.Last(StepImage, "A1")
	made.Outputs[carriedKey] = "A1"
	inputs, err := c.flashInputs(t.Context(), phone)
	if err != nil {
		t.Fatal(err)
	}
	flashed := Entry{Step: StepFlash, State: StateFinished, Inputs: inputs, At: time.Now(), Outputs: map[string]string{"serial": "A1", carriedKey: "A1"}}
	if err := errors.Join(c.append(made), c.append(flashed)); err != nil {
		t.Fatal(err)
	}
	c.must(t, ashore)
	if y.images != 1 {
		t.Error("images that the phone has were made again")
	}
	if _, err := (&flashStep{v: c.Voyage}).Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), "--from image") {
		t.Errorf("flashing images without the rule: %v", err)
	}
	flashed.Inputs = "others"
	if err := c.append(flashed); err != nil {
		t.Fatal(err)
	}
	c.must(t, ashore)
	if y.images != 2 {
		t.Error("images without the rule would have been flashed")
	}
}

func TestOnlyTheNamedStepRunsAgain(t *testing.T) {
	c := newCrew(t, t.TempDir(), nil)
	c.must(t, RunSteps{})
	if got := c.must(t, RunSteps{Again: StepBuild}); !slices.Equal(got, []StepID{StepBuild}) {
		t.Errorf("asked to run one step again, ran %v", got)
	}
}
