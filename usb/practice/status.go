package practice

import (
	"errors"
	"fmt"

	"portolan/usb"
)

// Status is everything the practice phone tells of itself.
type Status struct {
	Device    usb.Device `json:"device"` // as the computer sees it
	Plugged   bool       `json:"plugged"`
	Screen    string     `json:"screen"`   // what the bootloader shows; empty while a system runs
	Fastboot  string     `json:"fastboot"` // for the fastboot program: fastboot -s tcp:127.0.0.1:5554
	Port      int        `json:"port"`
	Mount     Mount      `json:"mount"`
	StateDir  string     `json:"state_dir"`
	SerialLog string     `json:"serial_log"` // what the kernels wrote to their UART
	PID       int        `json:"pid"`        // of the phone's process
	QEMU      int        `json:"qemu"`       // process of the running machine, or 0
	Boots     int        `json:"boots"`      // times a kernel was started
}

// InUseError says that another process has what a second phone would need.
type InUseError struct {
	What string `json:"what"` // "state folder /…" or "TCP port 5554"
	PID  int    `json:"pid"`  // of the holder, or 0 if it cannot be seen
	Name string `json:"name"` // of its program, if it can be seen
}

func (e *InUseError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
		if e.Name != "" {
			who += " (" + e.Name + ")"
		}
	}
	return fmt.Sprintf("the practice phone's %s is held by %s; stop that one, or choose another", e.What, who)
}

// ExitCode is that of every Portolan that refuses what another one has.
func (*InUseError) ExitCode() int { return 5 }

// MissingError says which program the host lacks.
type MissingError struct {
	Program string `json:"program"`
	Package string `json:"package"` // Debian's
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not installed; on Debian: apt install %s", e.Program, e.Package)
}

// ErrNotRunning says that no practice phone answers in the state folder.
var ErrNotRunning = errors.New("the practice phone is not running; start it with: portolan practice start")
