package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

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
			return o.withFastboot(cmd, device, func(ctx context.Context, d usb.Device, c *fastboot.Client) error {
				f, err := os.Open(path)
				if err != nil {
					return fmt.Errorf("read the boot image: %w", err)
				}
				defer f.Close()
				info, err := f.Stat()
				if err != nil {
					return fmt.Errorf("read the boot image: %w", err)
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "sending %s, %d bytes, to %s\n", path, info.Size(), d)
				if err := c.Download(ctx, f, info.Size(), nil); err != nil {
					return err
				}
				if err := c.Boot(ctx); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s boots it; nothing was written\n", d)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&device, "device", "", "`id` or serial of the phone, where several are plugged in")
	return cmd
}

// withFastboot opens the bootloader of the only phone that is in it.
func (o *options) withFastboot(cmd *cobra.Command, device string, use func(context.Context, usb.Device, *fastboot.Client) error) error {
	w, err := o.watcher()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	defer func() { cancel(); <-ended }()

	look, done := context.WithTimeout(ctx, settleTime)
	defer done()
	d, err := w.Wait(look, func(d usb.Device) bool {
		return d.Mode == usb.ModeFastboot && (device == "" || d.ID == device || d.Serial == device)
	})
	if err != nil {
		return &wizard.PhoneError{Tried: "look for a phone in fastboot mode", Err: usb.ErrNotFound, Next: "bring it to its bootloader; portolan detect shows what is there"}
	}
	h, err := w.Open(ctx, d.ID)
	if err != nil {
		return err
	}
	defer h.Close()
	conn, err := h.Fastboot(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return use(ctx, d, fastboot.NewClient(conn))
}
