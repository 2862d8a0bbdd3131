package wizard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"portolan/flashers"
	"portolan/usb"
)

// flashStep writes the images to the phone.
type flashStep struct {
	v     *Voyage
	bytes int64
}

func (*flashStep) ID() StepID { return StepFlash }

// Inputs needs to know which phone; it waits for it.
func (s *flashStep) Inputs(ctx context.Context) (string, error) {
	d, err := s.v.phone(ctx, StepFlash)
	if err != nil {
		return "", err
	}
	return s.v.flashInputs(ctx, d)
}

func (v *Voyage) flashInputs(ctx context.Context, d usb.Device) (string, error) {
	images, err := v.images()
	if err != nil {
		return "", err
	}
	h := newDigest("flash 1")
	h.add("phone", d.Source, d.Serial)
	h.add("method", v.port.Get("flash_method"))
	for _, i := range images {
		h.add(i.Partition, i.SHA256)
	}
	return h.sum(), ctx.Err()
}

// images lists what is flashed where: what the image step left.
func (v *Voyage) images() ([]flashers.Image, error) {
	last, ok := v.journal.Last(StepImage, v.serial())
	boot, root, known := entryImages(last)
	if !ok || !known {
		return nil, &UsageError{Text: "there are no images yet; run the image step first"}
	}
	v.reportImage(root)
	var list []flashers.Image
	for id, p := range map[string]ReportPackage{"partition_kernel": boot, "partition_rootfs": root} {
		if _, err := os.Stat(p.Path); err != nil {
			return nil, &UsageError{Text: "an image is missing, run the image step again", Err: err}
		}
		list = append(list, flashers.Image{Partition: v.port.Get(id), Path: p.Path, Size: p.Size, SHA256: p.SHA256})
	}
	if list[0].Path != boot.Path {
		list[0], list[1] = list[1], list[0]
	}
	return list, nil
}

// Fresh compares the phone's boot partition with boot.img where the phone is in
// its bootloader and gives it: a phone that was flashed with something else
// since is flashed again.
func (s *flashStep) Fresh(ctx context.Context, last Entry) (bool, string) {
	s.v.mu.Lock()
	d := s.v.device
	s.v.mu.Unlock()
	if s.v.journal.Torn(StepFlash, d.Serial) {
		return false, "the last flashing of this phone was not finished"
	}
	if n, err := strconv.ParseInt(last.Outputs["bytes"], 10, 64); err == nil {
		s.v.reportFlashed(n)
	}
	reason := "this phone has these images"
	if last.Outputs[carriedKey] != "" {
		reason = last.Summary
	}
	if d.Mode != usb.ModeFastboot && d.Mode != usb.ModeBootFailed {
		return true, reason
	}
	images, err := s.v.images()
	if err != nil {
		return false, err.Error()
	}
	same, err := s.v.holds(ctx, d, images[0])
	if err != nil {
		s.v.note(ctx, StepFlash, "the boot partition could not be compared: %v", err)
		return true, reason
	}
	if !same {
		return false, "the boot partition of the phone holds something else"
	}
	return true, reason + ", as its boot partition shows"
}

// holds tells whether a partition of the phone begins with an image.
func (v *Voyage) holds(ctx context.Context, d usb.Device, image flashers.Image) (bool, error) {
	h, err := v.open(ctx, d)
	if err != nil {
		return false, err
	}
	defer h.Close()
	boot, err := v.cfg.Rooms.Bootloader(ctx, h)
	if err != nil {
		return false, err
	}
	defer boot.Close()
	vars, err := boot.Vars(ctx)
	if err != nil {
		return false, err
	}
	if vars["max-fetch-size"] == "" {
		return false, errors.New("this bootloader does not give its partitions")
	}
	sum := sha256.New()
	if err := boot.Fetch(ctx, image.Partition, image.Size, &limitedWriter{w: sum, left: image.Size}); err != nil {
		return false, err
	}
	return hex.EncodeToString(sum.Sum(nil)) == image.SHA256, nil
}

func (v *Voyage) reportFlashed(n int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Flashed = n
}

func (s *flashStep) Outputs() map[string]string {
	return map[string]string{"serial": s.v.serial(), "bytes": strconv.FormatInt(s.bytes, 10)}
}

// current returns the images, unless the phone has something newer than they are.
func (s *flashStep) current() ([]flashers.Image, error) {
	images, err := s.v.images()
	if err != nil {
		return nil, err
	}
	if made, _ := s.v.journal.Last(StepImage, s.v.serial()); made.Outputs[carriedKey] != "" {
		return nil, &UsageError{Text: "the images are older than the device package that the touch step brought to this phone; make them anew: `portolan voyage --from image`"}
	}
	return images, nil
}

// plan asks the phone what planning needs and shows the plan. The caller closes
// the handle, which is nil with an error.
func (s *flashStep) plan(ctx context.Context, d usb.Device, images []flashers.Image) (flashers.Flasher, flashers.Plan, usb.Handle, error) {
	v := s.v
	none := func(err error) (flashers.Flasher, flashers.Plan, usb.Handle, error) {
		return nil, flashers.Plan{}, nil, err
	}
	flasher, err := v.cfg.Rooms.Flasher(v.port.Get("flash_method"))
	if err != nil {
		return none(err)
	}
	h, err := v.open(ctx, d)
	if err != nil {
		return none(err)
	}
	facts, err := flasher.Inspect(ctx, h)
	if err != nil {
		return none(errors.Join(phoneTrouble("ask "+d.String()+" what flashing needs to know", err), h.Close()))
	}
	plan, err := flasher.Plan(v.flashPort(), images, d, facts)
	if err != nil {
		return none(errors.Join(fmt.Errorf("plan the flashing of %s: %w", d, err), h.Close()))
	}
	v.emit(ctx, PlanReady{Plan: plan})
	if err := plan.Refusal(); err != nil {
		return none(errors.Join(err, h.Close()))
	}
	return flasher, plan, h, nil
}

// PlanFlash shows what the flash step would do to the phone that is in its
// bootloader, and the error with which it would refuse. Nothing is written.
func (v *Voyage) PlanFlash(ctx context.Context) error {
	if err := v.acquire(); err != nil {
		return err
	}
	if err := v.port.Reload(); err != nil {
		return err
	}
	d, err := v.phone(ctx, StepFlash)
	if err != nil {
		return err
	}
	s := &flashStep{v: v}
	images, err := s.current()
	if err != nil {
		return err
	}
	_, _, h, err := s.plan(ctx, d, images)
	if err != nil {
		return err
	}
	return h.Close()
}

func (s *flashStep) Run(ctx context.Context, _ Emitter) (string, error) {
	v := s.v
	images, err := s.current()
	if err != nil {
		return "", err
	}
	d, err := v.phone(ctx, StepFlash)
	if err != nil {
		return "", err
	}
	v.closeSessions("the phone is flashed")
	if d, err = v.toBootloader(ctx, d); err != nil {
		return "", err
	}
	flasher, plan, h, err := s.plan(ctx, d, images)
	if err != nil {
		return "", err
	}
	defer h.Close()
	if err := v.confirm(ctx, plan); err != nil {
		return "", err
	}
	writing := Entry{Step: StepFlash, State: StateWriting, At: v.cfg.Now(), Outputs: map[string]string{"serial": d.Serial}}
	if err := v.append(writing); err != nil {
		return "", hostTrouble("keep the journal", err)
	}
	result, err := flasher.Run(ctx, plan, h, func(p flashers.Progress) { v.flashProgress(ctx, plan, p) })
	if err != nil {
		return "", flashTrouble(plan, err)
	}
	for _, line := range result.Verified {
		v.note(ctx, StepFlash, "%s", line)
	}
	s.bytes = result.Bytes
	v.reportFlashed(result.Bytes)
	if !reboots(plan) {
		err = v.reboot(ctx, h)
	}
	if err != nil {
		v.line(ctx, StepFlash, LineWarning, fmt.Sprintf("everything is written, but the phone did not take the order to boot: %v", err))
	} else {
		v.awaitLeft(ctx, d)
	}
	return fmt.Sprintf("%s written to %s", flashers.Bytes(result.Bytes), d), nil
}

// flashPort says which phone the images are for. Which partitions are never
// written is the flash method's own knowledge.
func (v *Voyage) flashPort() flashers.Port {
	p := v.port.flashPort()
	p.Practice = v.cfg.Practice
	return p
}

func (p *Port) flashPort() flashers.Port {
	products := strings.Fields(p.Get("fastboot_product"))
	if len(products) == 0 {
		products = []string{p.Get("codename")}
	}
	return flashers.Port{Codename: p.Get("codename"), Products: products}
}

// toBootloader brings the phone into its bootloader, by itself where it can.
func (v *Voyage) toBootloader(ctx context.Context, d usb.Device) (usb.Device, error) {
	if d.Mode == usb.ModeFastboot {
		return d, nil
	}
	if d.Practice {
		h, err := v.open(ctx, d)
		if err != nil {
			return d, err
		}
		defer h.Close()
		if p, ok := h.(usb.Practice); ok {
			v.note(ctx, StepFlash, "holding the practice phone's buttons: it restarts into its bootloader")
			if err := p.Bootloader(ctx); err != nil {
				return d, phoneTrouble("restart the practice phone into its bootloader", err)
			}
		}
	}
	hints := []string{"switch the phone off, then on while holding its volume-down key", "leave it on the cable; this goes on by itself"}
	return v.inMode(ctx, StepFlash, "the phone in its bootloader", hints, usb.ModeFastboot)
}

func reboots(plan flashers.Plan) bool {
	for _, a := range plan.Actions {
		if a.Verb == "reboot" {
			return true
		}
	}
	return false
}

// reboot leaves the bootloader.
func (v *Voyage) reboot(ctx context.Context, h usb.Handle) error {
	boot, err := v.cfg.Rooms.Bootloader(ctx, h)
	if err != nil {
		return err
	}
	return errors.Join(boot.Reboot(ctx), boot.Close())
}

func (v *Voyage) flashProgress(ctx context.Context, plan flashers.Plan, p flashers.Progress) {
	if p.Note != "" {
		v.line(ctx, StepFlash, LineOutput, Printable(p.Note))
	}
	if p.Total > 0 && p.Action >= 0 && p.Action < len(plan.Actions) {
		v.emit(ctx, Progress{Step: StepFlash, What: "bytes to " + plan.Actions[p.Action].Image.Partition, Done: p.Done, Total: p.Total})
	}
}

// confirm has the codename typed before anything is written. A practice phone
// that nobody watches needs no word: it is a file.
func (v *Voyage) confirm(ctx context.Context, plan flashers.Plan) error {
	want := plan.Port.Codename
	if v.cfg.Confirm == want {
		return nil
	}
	if v.cfg.Confirm != "" {
		return &UsageError{Key: "confirm", Text: fmt.Sprintf("%q is not the codename of this port, %s; nothing was written", v.cfg.Confirm, want)}
	}
	headless := !v.cfg.Interactive && v.cfg.Answerer == nil
	if headless && plan.Device.Practice {
		v.note(ctx, StepFlash, "the phone is a practice phone: flashing it needs no word")
		return nil
	}
	if headless {
		return &flashers.RefusedError{Device: plan.Device, Reasons: []string{fmt.Sprintf("nobody confirmed it; read the plan, then give --confirm %s", want)}}
	}
	q := Question{
		ID: "confirm", Section: sectionFlash, Kind: KindText, Title: fmt.Sprintf("Type %s to overwrite this phone", want),
		Why:     "Everything on " + plan.Device.String() + " is lost.",
		IfWrong: "Nothing is written.",
		Validate: func(s string) error {
			if s != want {
				return fmt.Errorf("%q is not %s; nothing was written", s, want)
			}
			return nil
		},
	}
	_, err := v.ask(ctx, Ask{Step: StepFlash, Title: "Overwrite " + plan.Device.String() + "?", Questions: []Question{q}}, nil)
	return err
}

// flashTrouble adds to a broken-off run, which says itself what it left on the
// phone, how to go on.
func flashTrouble(plan flashers.Plan, err error) error {
	tried := "flash " + plan.Device.String()
	if errors.Is(err, usb.ErrGone) || errors.Is(err, usb.ErrNotFound) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &PhoneError{Tried: tried, Err: err, Next: "its bootloader is untouched: run this again, and it continues with flashing"}
	}
	return fmt.Errorf("%s: %w", tried, err)
}
