package fastboot

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"portolan/flashers"
	"portolan/usb"
)

// runner does one plan over one connection.
type runner struct {
	c        *Client
	plan     flashers.Plan
	progress func(flashers.Progress)
	result   flashers.Result
	action   int
	limit    int64 // max-download-size
	fetch    int64 // max-fetch-size, 0 if the phone cannot be read back
}

// Run implements flashers.Flasher. Before the first byte it checks that the
// phone still is the plan's, and before an image is written that its file is. Errors:
// *flashers.RefusedError, *IncompleteError, *ChangedError, *VerifyError, those
// of Client. The Result tells what was done up to an error.
func (Flasher) Run(ctx context.Context, plan flashers.Plan, h usb.Handle, progress func(flashers.Progress)) (flashers.Result, error) {
	if err := plan.Refusal(); err != nil {
		return flashers.Result{}, err
	}
	if plan.Method != Name {
		return flashers.Result{}, fmt.Errorf("flash %s: the plan is for %s, this is %s", plan.Device, plan.Method, Name)
	}
	conn, err := h.Fastboot(ctx)
	if err != nil {
		return flashers.Result{}, fmt.Errorf("flash %s: %w", plan.Device, err)
	}
	defer conn.Close()
	if progress == nil {
		progress = func(flashers.Progress) {}
	}
	r := &runner{c: NewClient(conn), plan: plan, progress: progress}
	r.c.Log = func(line string) { r.note("the phone says: " + line) }
	if err := r.samePhone(ctx); err != nil {
		return r.result, err
	}
	for i, a := range plan.Actions {
		r.action = i
		if err := r.do(ctx, a); err != nil {
			return r.result, err
		}
	}
	return r.result, nil
}

func (r *runner) note(line string) { r.progress(flashers.Progress{Action: r.action, Note: line}) }

// samePhone asks again for what may have changed since the plan was made:
// another phone on the cable, other limits.
func (r *runner) samePhone(ctx context.Context) error {
	get := func(name string) (string, error) {
		v, err := r.c.GetVar(ctx, name)
		var failed *FailError
		if errors.As(err, &failed) {
			return "", nil
		}
		return v, err
	}
	product, err := get("product")
	if err != nil {
		return err
	}
	if !productMatches(r.plan.Port, product) {
		return &flashers.RefusedError{Device: r.plan.Device, Reasons: []string{fmt.Sprintf("phone: the one on the cable now calls itself %q", product)}}
	}
	serial, err := get("serialno")
	if err != nil {
		return err
	}
	if want := r.plan.Device.Serial; serial != "" && want != "" && serial != want {
		return &flashers.RefusedError{Device: r.plan.Device, Reasons: []string{fmt.Sprintf("phone: the one on the cable now has serial %s", serial)}}
	}
	for name, into := range map[string]*int64{"max-download-size": &r.limit, "max-fetch-size": &r.fetch} {
		v, err := get(name)
		if err != nil {
			return err
		}
		*into, _ = number(v)
	}
	if r.limit == 0 {
		return &flashers.RefusedError{Device: r.plan.Device, Reasons: []string{"download size: the phone no longer says how much it takes at once"}}
	}
	return nil
}

func (r *runner) do(ctx context.Context, a flashers.Action) error {
	switch a.Verb {
	case "flash":
		return r.flash(ctx, a.Image)
	case "boot":
		return r.boot(ctx, a.Image)
	case "reboot":
		r.note("restarting the phone")
		return r.c.Reboot(ctx, "")
	}
	return fmt.Errorf("flash %s: the plan has an action %q, which fastboot does not know", r.plan.Device, a.Verb)
}

// flash writes one partition and reads it back where the phone can.
func (r *runner) flash(ctx context.Context, img flashers.Image) error {
	r.note("checking " + img.Path)
	src, err := open(ctx, img)
	if err != nil {
		return err
	}
	defer src.Close()
	pieces, err := src.pieces(r.limit)
	if err != nil {
		return fmt.Errorf("flash %s: %w", img.Partition, err)
	}
	var total, sent int64
	for _, p := range pieces {
		total += p.size
	}
	if len(pieces) > 1 || total < img.Size {
		r.note(fmt.Sprintf("sending %s as %s in %d sparse images", flashers.Bytes(img.Size), flashers.Bytes(total), len(pieces)))
	}
	for i, p := range pieces {
		at, touched := sent, i > 0
		err := r.c.Download(ctx, p.open(), p.size, func(n int64) {
			sent = at + n
			r.progress(flashers.Progress{Action: r.action, Done: sent, Total: total})
		})
		r.result.Bytes += sent - at
		if err == nil && i == 0 {
			if err := src.matches(); err != nil {
				return err
			}
		}
		if err == nil {
			touched = true
			err = r.c.Flash(ctx, img.Partition)
		}
		if err != nil {
			return &IncompleteError{Partition: img.Partition, Sent: sent, Total: total, Touched: touched, Err: err}
		}
	}
	line, err := r.verify(ctx, img, src)
	if err != nil {
		return err
	}
	r.result.Verified = append(slices.Clip(r.result.Verified), line)
	r.note(line)
	return nil
}

// boot sends an image to memory and starts it.
func (r *runner) boot(ctx context.Context, img flashers.Image) error {
	src, err := open(ctx, img)
	if err != nil {
		return err
	}
	defer src.Close()
	if src.fileSize > r.limit {
		return fmt.Errorf("boot %s: it has %s, the phone takes %s at once", img.Path, flashers.Bytes(src.fileSize), flashers.Bytes(r.limit))
	}
	var sent int64
	err = r.c.Download(ctx, src.whole(), src.fileSize, func(n int64) {
		sent = n
		r.progress(flashers.Progress{Action: r.action, Done: n, Total: src.fileSize})
	})
	r.result.Bytes += sent
	if err != nil {
		return fmt.Errorf("boot %s, %s of %s were sent, nothing on the phone was changed: %w", img.Path, flashers.Bytes(sent), flashers.Bytes(src.fileSize), err)
	}
	if err := src.matches(); err != nil {
		return err
	}
	if err := r.c.Boot(ctx); err != nil {
		return fmt.Errorf("boot %s: %w", img.Path, err)
	}
	return nil
}
