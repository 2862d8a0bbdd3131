package wizard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"portolan/usb"
	"portolan/wizard/porttoml"
)

// detectStep finds the phone and keeps what its bootloader tells: the variables
// in stock/vars.toml, the boot image it came with in stock/boot.img.
type detectStep struct{ v *Voyage }

func (*detectStep) ID() StepID { return StepDetect }

// Inputs is empty: which phone is on the cable has to be looked at every time.
func (*detectStep) Inputs(context.Context) (string, error) { return "", nil }

func (*detectStep) Fresh(context.Context, Entry) (bool, string) { return false, "" }

func (s *detectStep) Outputs() map[string]string {
	return map[string]string{"serial": s.v.serial()}
}

func (s *detectStep) Run(ctx context.Context, _ Emitter) (string, error) {
	d, err := s.v.phone(ctx, StepDetect)
	if err != nil {
		return "", err
	}
	if d.Mode != usb.ModeFastboot && d.Mode != usb.ModeBootFailed {
		if _, err := os.Stat(s.v.port.Path("stock", "vars.toml")); err != nil {
			s.v.line(ctx, StepDetect, LineWarning, "the phone is not in its bootloader, so it tells little of itself; answers have to be typed")
		}
		return d.String(), nil
	}
	h, err := s.v.open(ctx, d)
	if err != nil {
		return "", err
	}
	defer h.Close()
	boot, err := s.v.cfg.Rooms.Bootloader(ctx, h)
	if err != nil {
		return "", phoneTrouble("talk to the bootloader of "+d.String(), err)
	}
	defer boot.Close()
	vars, err := boot.Vars(ctx)
	if err != nil {
		return "", phoneTrouble("read the variables of "+d.String(), err)
	}
	if err := s.keepVars(d, vars); err != nil {
		return "", err
	}
	kept, err := s.keepBoot(ctx, d, boot, vars)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s; %d variables read%s", d, len(vars), kept), nil
}

// keepVars writes stock/vars.toml, unless it already says the same.
func (s *detectStep) keepVars(d usb.Device, vars map[string]string) error {
	var b bytes.Buffer
	b.WriteString("# What the bootloader of " + Printable(d.Manufacturer+" "+d.Product) + " tells of itself (fastboot getvar all).\n")
	names := make([]string, 0, len(vars))
	for name := range vars {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		key, err := porttoml.Quote(name)
		value, err2 := porttoml.Quote(vars[name])
		if errors.Join(err, err2) != nil {
			continue // not text: of no use to anybody
		}
		b.WriteString(key + " = " + value + "\n")
	}
	path := s.v.port.Path("stock", "vars.toml")
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, b.Bytes()) {
		return nil
	}
	if err := writeAtomic(path, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("keep what the bootloader tells: %w", err)
	}
	return nil
}

// maxStock bounds the boot partition that is read: phones have 8 to 128 MiB.
const maxStock = 256 << 20

// trimZeros leaves off the rest of a partition: zeros at its end, but no part of
// a last page of up to 128 KiB, the largest that boot images have.
func trimZeros(b []byte) []byte {
	const page = 128 << 10
	n := len(bytes.TrimRight(b, "\x00"))
	return b[:min((n+page-1)/page*page, len(b))]
}

// keepBoot reads the boot partition once, before anything was flashed.
func (s *detectStep) keepBoot(ctx context.Context, d usb.Device, boot Bootloader, vars map[string]string) (string, error) {
	path := s.v.port.Path("stock", "boot.img")
	if _, err := os.Stat(path); err == nil {
		return "", nil
	}
	if _, flashed := s.v.journal.Last(StepFlash, d.Serial); flashed || s.v.journal.Torn(StepFlash, d.Serial) {
		return "", nil // the boot partition holds what we wrote
	}
	size, err := strconv.ParseInt(vars["partition-size:boot"], 0, 64)
	if vars["max-fetch-size"] == "" || err != nil || size <= 0 || size > maxStock {
		s.v.note(ctx, StepDetect, "this bootloader does not give its boot image; name one that the phone came with by --boot-image, and more questions are answered by it")
		return "", nil
	}
	s.v.note(ctx, StepDetect, "reading the boot image that the phone came with")
	var data bytes.Buffer
	if err := boot.Fetch(ctx, "boot", size, &limitedWriter{w: &data, left: size}); err != nil {
		return "", phoneTrouble("read the boot partition of "+d.String(), err)
	}
	image := trimZeros(data.Bytes())
	if len(image) == 0 {
		return "; its boot partition is empty", nil
	}
	if err := s.v.keepStock(image); err != nil {
		return "", err
	}
	if _, err := s.v.cfg.Rooms.StockImage(path); err != nil {
		s.v.line(ctx, StepDetect, LineWarning, fmt.Sprintf("the boot partition is kept in %s, but holds no boot image that can be read: %v", path, err))
		return "; its boot partition kept", nil
	}
	return "; its boot image kept", nil
}

// keepStock writes stock/boot.img and its sum.
func (v *Voyage) keepStock(image []byte) error {
	path := v.port.Path("stock", "boot.img")
	err := writeAtomic(path+".sha256", []byte(sha256Hex(image)+"  boot.img\n"), 0o644)
	if err == nil {
		err = writeAtomic(path, image, 0o644)
	}
	if err != nil {
		return hostTrouble("keep the stock boot image", err)
	}
	return nil
}

// limitedWriter refuses more than was asked for.
type limitedWriter struct {
	w    io.Writer
	left int64
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		return 0, errors.New("the phone sends more than it was asked for")
	}
	l.left -= int64(len(p))
	return l.w.Write(p)
}
