package fastboot

import (
	"errors"
	"fmt"

	"portolan/flashers"
)

// IncompleteError says that writing a partition ended before its end. It wraps
// the cause: usb.ErrGone, a context's error, a *FailError …
type IncompleteError struct {
	Partition string
	Sent      int64 // bytes sent over the cable
	Total     int64 // bytes to send
	// Touched: the phone had begun to write. Until then an image lies in its
	// memory only, and the partition holds what it held.
	Touched bool
	Err     error
}

func (e *IncompleteError) Error() string {
	state := fmt.Sprintf("the partition %s is incomplete now and the phone cannot use it", e.Partition)
	var refused *FailError
	if errors.As(e.Err, &refused) {
		state = fmt.Sprintf("the phone refused, so what the partition %s holds now is not sure", e.Partition)
	}
	if !e.Touched {
		state = fmt.Sprintf("nothing was written to the partition %s yet, it holds what it held", e.Partition)
	}
	return fmt.Sprintf("flashing %s stopped after %s of %s: %s; restart the phone into its bootloader (fastboot), plug it in and flash again (%s)",
		e.Partition, flashers.Bytes(e.Sent), flashers.Bytes(e.Total), state, e.Err)
}

func (e *IncompleteError) Unwrap() error { return e.Err }

// ChangedError says that a file is no longer what the plan showed. Nothing of
// it was written or started.
type ChangedError struct {
	Path string
	What string
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s is not what the plan shows: %s; nothing of it was written, make a new plan", e.Path, e.What)
}

// VerifyError says that a partition, read back, does not hold the image.
type VerifyError struct {
	Partition string
	Want, Got string // SHA-256, hex
}

func (e *VerifyError) Error() string {
	return fmt.Sprintf("the partition %s, read back, has sha256 %s, its image %s: the phone did not keep what it was sent; flash it again, with another cable or port",
		e.Partition, e.Got, e.Want)
}
