package fastboot

import (
	"context"
	"errors"
	"fmt"

	"portolan/flashers"
	"portolan/usb"
)

// Name of the method, as deviceinfo's flash_method has it.
const Name = "fastboot"

// Flasher writes partitions by fastboot. An Image without Partition is booted
// from memory instead of written.
type Flasher struct {
	// StayInBootloader leaves out the restart at the end.
	StayInBootloader bool
}

var _ flashers.Flasher = Flasher{}

// Name implements flashers.Flasher.
func (Flasher) Name() string { return Name }

// asked are variables that Plan wants and some phones leave out of "getvar all".
var asked = []string{"product", "serialno", "unlocked", "max-download-size", "max-fetch-size", "battery-soc-ok", "battery-voltage", "current-slot", "slot-count"}

// usual are partitions asked for where "getvar all" lists none.
var usual = []string{"boot", "recovery", "system", "userdata", "cache", "vendor", "vendor_boot", "init_boot", "dtbo", "vbmeta", "super"}

// Inspect implements flashers.Flasher: it asks for all variables, and one by
// one for those that are missing.
func (Flasher) Inspect(ctx context.Context, h usb.Handle) (flashers.Facts, error) {
	conn, err := h.Fastboot(ctx)
	if err != nil {
		return flashers.Facts{}, fmt.Errorf("ask the phone for its fastboot variables: %w", err)
	}
	defer conn.Close()
	vars, err := inspect(ctx, NewClient(conn))
	if err != nil {
		return flashers.Facts{}, fmt.Errorf("ask the phone for its fastboot variables: %w", err)
	}
	return flashers.Facts{Vars: vars}, nil
}

func inspect(ctx context.Context, c *Client) (map[string]string, error) {
	vars, err := c.GetVarAll(ctx)
	var failed *FailError
	if err != nil && !errors.As(err, &failed) { // some old phones know no "all"
		return nil, err
	}
	ask := func(names ...string) error {
		for _, name := range names {
			if _, ok := vars[name]; ok {
				continue
			}
			v, err := c.GetVar(ctx, name)
			if err != nil && !errors.As(err, &failed) {
				return err
			}
			if err == nil && v != "" {
				vars[name] = v
			}
		}
		return nil
	}
	if err := ask(asked...); err != nil {
		return nil, err
	}
	for name := range vars {
		if len(name) > len("partition-size:") && name[:len("partition-size:")] == "partition-size:" {
			return vars, nil
		}
	}
	for _, p := range usual {
		if err := ask("has-slot:" + p); err != nil {
			return nil, err
		}
		if err := ask("partition-size:" + slotted(vars, p)); err != nil {
			return nil, err
		}
	}
	return vars, nil
}
