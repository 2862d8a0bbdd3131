package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"portolan/usb"
)

// settleTime is how long one look at the cable lasts: every source has told of
// what is plugged in by then (the practice source asks its socket, sysfs is read).
const settleTime = time.Second

func detectCommand(o *options) *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:     "detect",
		Short:   "Show the phones on the cable",
		GroupID: "phone",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := o.watcher()
			if err != nil {
				return err
			}
			if watch {
				return followPhones(cmd.Context(), w, cmd.OutOrStdout(), o.json)
			}
			return listPhones(cmd.Context(), w, cmd.OutOrStdout(), o.json)
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "go on and print every change")
	return cmd
}

// followPhones prints changes until ctx ends.
func followPhones(ctx context.Context, w *usb.Watcher, out io.Writer, asJSON bool) error {
	done := make(chan error, 1)
	changes := w.Subscribe(ctx)
	go func() { done <- w.Run(ctx) }()
	for c := range changes {
		if asJSON {
			if err := json.NewEncoder(out).Encode(c); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(out, "%s %-8s ", time.Now().Format("15:04:05"), c.Kind)
		printPhone(out, c.Device)
	}
	return <-done
}

// listPhones prints what is plugged in now. None is exit code 4.
func listPhones(ctx context.Context, w *usb.Watcher, out io.Writer, asJSON bool) error {
	look, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	if err := w.Run(look); err != nil && ctx.Err() != nil {
		return err
	}
	phones := w.Devices()
	if asJSON {
		if phones == nil {
			phones = []usb.Device{}
		}
		if err := json.NewEncoder(out).Encode(phones); err != nil {
			return err
		}
	}
	for _, d := range phones {
		if !asJSON {
			printPhone(out, d)
		}
	}
	if len(phones) == 0 {
		return fmt.Errorf("looked at USB and for a practice phone: %w; plug a phone in, or rehearse with: portolan practice start", usb.ErrNotFound)
	}
	return nil
}

func printPhone(out io.Writer, d usb.Device) {
	name := d.Manufacturer + " " + d.Product
	if d.Practice {
		name += " (practice)"
	}
	fmt.Fprintf(out, "%s  %s  %04x:%04x  serial %s  mode %s  permission %s\n", d.ID, name, d.VendorID, d.ProductID, d.Serial, d.Mode, d.Permission)
	if d.Hint != "" {
		fmt.Fprintf(out, "  %s\n", d.Hint)
	}
}
