// Package flashers writes images to phones. A Flasher makes a pure, printable
// Plan first; nothing is sent to a phone that the plan did not show.
package flashers

import (
	"context"
	"fmt"
	"strings"

	"portolan/usb"
)

// Port is what a flasher must know of the port: which phone the images are for.
type Port struct {
	Codename string   // of the port, typed by a person to confirm
	Products []string // values of the bootloader's "product" that mean this phone
	Never    []string // partitions that are never written (bootloader, calibration data …)
	Practice bool
}

// Image is one file for one partition.
type Image struct {
	Partition string `json:"partition"`
	Path      string `json:"path"`
	Size      int64  `json:"size"`   // bytes once written (a sparse file is expanded)
	SHA256    string `json:"sha256"` // of the bytes once written, hex
}

// Facts are what was read from the phone for the plan; keys as the protocol names them.
type Facts struct {
	Vars map[string]string `json:"vars"`
}

// Check is one safety rule and how it ended.
type Check struct {
	Name   string `json:"name"`
	Detail string `json:"detail"`
	OK     bool   `json:"ok"`
}

// Action is one thing done to the phone.
type Action struct {
	Verb        string `json:"verb"` // flash, erase, boot, reboot …
	Image       Image  `json:"image"`
	Destructive bool   `json:"destructive"`
	Room        int64  `json:"room"`    // bytes of the partition, 0 if nothing is written
	Command     string `json:"command"` // the same as a shell line of the method's own program
}

// Plan is everything that Run will do. It is a value and prints itself.
type Plan struct {
	Method  string     `json:"method"`
	Device  usb.Device `json:"device"`
	Port    Port       `json:"port"`
	Checks  []Check    `json:"checks"`
	Actions []Action   `json:"actions"`
}

// Refusal returns a *RefusedError when a check failed, else nil.
func (p Plan) Refusal() error {
	var why []string
	for _, c := range p.Checks {
		if !c.OK {
			why = append(why, c.Name+": "+c.Detail)
		}
	}
	if len(why) == 0 {
		return nil
	}
	return &RefusedError{Device: p.Device, Reasons: why}
}

// RefusedError says that flashing was not safe and nothing was sent (exit code 5).
type RefusedError struct {
	Device  usb.Device
	Reasons []string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("refused to flash %s, nothing was written: %s", e.Device, strings.Join(e.Reasons, "; "))
}

// Progress of a run. Done and Total are bytes of the action at hand.
type Progress struct {
	Action      int
	Done, Total int64
	Note        string // a line for the log: what the phone said, what is verified
}

// Result of a run.
type Result struct {
	Bytes    int64    // sent over the cable
	Verified []string // one line a partition: how it was verified, or why it could not be
}

// Flasher is one method.
type Flasher interface {
	Name() string
	// Inspect reads from the phone what Plan needs.
	Inspect(ctx context.Context, h usb.Handle) (Facts, error)
	// Plan is pure: the same arguments give the same plan.
	Plan(port Port, images []Image, device usb.Device, facts Facts) (Plan, error)
	// Run does what the plan says. It refuses a plan whose Refusal is not nil.
	Run(ctx context.Context, plan Plan, h usb.Handle, progress func(Progress)) (Result, error)
}
