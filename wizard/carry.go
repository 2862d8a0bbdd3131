package wizard

import (
	"context"
	"maps"

	"portolan/usb"
)

// carriers notes which later steps were up to date before touch changed the
// device package, where nothing else waited to be generated or built: touch
// brings only that package to the phone. That package reaches the phone by sideloading, so for this
// one phone those steps stay done: an entry in the journal carries them over.
// Any other phone, and any other change, makes them run.
type carriers struct {
	v     *Voyage
	phone usb.Device
	image *Entry // the entry that was fresh, nil if the step was not
	flash *Entry
}

func (v *Voyage) carriers(ctx context.Context) (*carriers, error) {
	v.mu.Lock()
	c := &carriers{v: v, phone: v.device}
	v.mu.Unlock()
	if !v.unchanged(ctx, &generateStep{v}) || !v.unchanged(ctx, &buildStep{v: v}) {
		return c, ctx.Err()
	}
	last, ok := v.journal.Last(StepImage, c.phone.Serial)
	if !ok {
		return c, nil
	}
	if inputs, err := v.imageInputs(ctx); err != nil || inputs != last.Inputs {
		return c, ctx.Err()
	}
	c.image = &last
	flashed, ok := v.journal.Last(StepFlash, c.phone.Serial)
	if !ok {
		return c, nil
	}
	if inputs, err := v.flashInputs(ctx, c.phone); err == nil && inputs == flashed.Inputs {
		c.flash = &flashed
	}
	return c, ctx.Err()
}

// unchanged tells whether a step's inputs are those of its last run.
func (v *Voyage) unchanged(ctx context.Context, s Step) bool {
	last, ok := v.journal.Last(s.ID(), v.serial())
	inputs, err := s.Inputs(ctx)
	return ok && err == nil && inputs == last.Inputs
}

// write journals what touch did of the other steps' work.
func (c *carriers) write(ctx context.Context) error {
	v := c.v
	at := v.cfg.Now()
	entry := func(step StepID, inputs, summary string, outputs map[string]string) error {
		return v.append(Entry{Step: step, State: StateFinished, Inputs: inputs, At: at, Summary: summary, Outputs: outputs})
	}
	inputs, err := (&describeStep{v}).Inputs(ctx)
	if err == nil {
		err = entry(StepDescribe, inputs, "by the touch step", nil)
	}
	if err == nil {
		inputs, err = (&generateStep{v}).Inputs(ctx)
	}
	if err == nil {
		err = entry(StepGenerate, inputs, "by the touch step", nil)
	}
	if err == nil {
		inputs, err = v.buildInputs()
	}
	if err == nil {
		err = entry(StepBuild, inputs, "by the touch step", v.buildOutputs())
	}
	if err != nil || c.image == nil {
		return err
	}
	const why = "this phone has them, and got the new device package over SSH"
	if inputs, err = v.imageInputs(ctx); err != nil {
		return err
	}
	if err := entry(StepImage, inputs, why, c.outputs(c.image)); err != nil || c.flash == nil {
		return err
	}
	if inputs, err = v.flashInputs(ctx, c.phone); err != nil {
		return err
	}
	return entry(StepFlash, inputs, why, c.outputs(c.flash))
}

func (c *carriers) outputs(e *Entry) map[string]string {
	out := maps.Clone(e.Outputs)
	if out == nil {
		out = map[string]string{}
	}
	out[carriedKey] = c.phone.Serial
	return out
}
