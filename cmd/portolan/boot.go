package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"portolan/flashers"
	"portolan/flashers/fastboot"
	"portolan/usb"
	"portolan/wizard"
)

// bootCommand boots an image that is handed over the cable. Nothing is
// written, so it is the first thing to try on a phone whose bootloader allows it.
func bootCommand(o *options) *cobra.Command {
	var device string
	cmd := &cobra.Command{
		Use: "boot [FILE]", Short: "Boot an image without flashing it (default: the port's boot.img)", GroupID: "phone",
		Args: usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := o.portDir()
			if err != nil {
				return err
			}
			path := filepath.Join(dir, "out", "images", "boot.img")
			if len(args) == 1 {
				path = args[0]
			}
			if _, err := readBootImage(path); err != nil {
				return err // a phone would only hang on it
			}
			port, err := wizard.FlashPort(dir)
			if err != nil {
				return err
			}
			image, err := bootable(cmd.Context(), path)
			if err != nil {
				return err
			}
			return o.withFastboot(cmd, device, func(ctx context.Context, d usb.Device, h usb.Handle) error {
				return bootOnce(ctx, cmd, port, image, d, h)
			})
		},
	}
	cmd.Flags().StringVar(&device, "device", "", "`id` or serial of the phone, where several are plugged in")
	return cmd
}

// bootOnce plans, as flashing does, which refuses any other phone than the
// port's, shows the plan and sends the image.
func bootOnce(ctx context.Context, cmd *cobra.Command, port flashers.Port, image flashers.Image, d usb.Device, h usb.Handle) error {
	var f fastboot.Flasher
	facts, err := f.Inspect(ctx, h)
	if err != nil {
		return err
	}
	plan, err := f.Plan(port, []flashers.Image{image}, d, facts)
	if err != nil {
		return err
	}
	if err := plan.Fprint(cmd.ErrOrStderr()); err != nil {
		return err
	}
	if _, err := f.Run(ctx, plan, h, nil); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s boots it; nothing was written\n", d)
	return nil
}

// bootable is an image for the phone's memory.
func bootable(ctx context.Context, path string) (flashers.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return flashers.Image{}, fmt.Errorf("read the boot image: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return flashers.Image{}, fmt.Errorf("read the boot image: %w", err)
	}
	return flashers.Image{Path: path, Size: size, SHA256: hex.EncodeToString(sum.Sum(nil))}, ctx.Err()
}

// withFastboot opens the only phone that is in its bootloader.
func (o *options) withFastboot(cmd *cobra.Command, device string, use func(context.Context, usb.Device, usb.Handle) error) error {
	w, err := o.watcher()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	defer func() { cancel(); <-ended }() //nolint:errcheck // the watcher ends with the context

	look, done := context.WithTimeout(ctx, settleTime)
	defer done()
	d, err := onlyPhone(look, w, device, func(d usb.Device) bool { return d.Mode == usb.ModeFastboot || d.Mode == usb.ModeBootFailed })
	if errors.Is(err, context.DeadlineExceeded) {
		err = &wizard.PhoneError{Tried: "look for a phone in fastboot mode", Err: usb.ErrNotFound, Next: "bring it to its bootloader; portolan detect shows what is there"}
	}
	if err != nil {
		return err
	}
	h, err := w.Open(ctx, d.ID)
	if err != nil {
		return err
	}
	defer h.Close()
	return use(ctx, d, h)
}

// onlyPhone waits for a phone that fits. Where none is named, it looks on for a
// moment and refuses to choose among several.
func onlyPhone(ctx context.Context, w *usb.Watcher, device string, fits func(usb.Device) bool) (usb.Device, error) {
	meant := func(d usb.Device) bool {
		return (device == "" || d.ID == device || d.Serial == device) && fits(d)
	}
	d, err := w.Wait(ctx, meant)
	if err != nil || device != "" {
		return d, err
	}
	select {
	case <-time.After(lookOn):
	case <-ctx.Done(): // what was seen so far has to do
	}
	var names []string
	for _, d := range w.Devices() {
		if meant(d) {
			names = append(names, fmt.Sprintf("%s (%s)", d.ID, d))
		}
	}
	if len(names) > 1 {
		return usb.Device{}, &wizard.UsageError{Key: "device", Text: "several phones are plugged in: " + strings.Join(names, "; ") + "; name one with --device, or unplug the others"}
	}
	return d, nil
}

// lookOn is how long the other sources have to tell of a phone as well.
const lookOn = settleTime / 2
