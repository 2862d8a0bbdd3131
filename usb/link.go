package usb

import (
	"context"
	"net/netip"
)

// Link is the computer's end of a phone's USB network.
type Link struct {
	Interface string       // as the computer names it, e.g. "enx9ac1d3f0a5b2"
	Driver    string       // kernel module behind it, e.g. "cdc_ncm"; empty if unknown
	Up        bool         // administratively up
	Addresses []netip.Addr // IPv4 addresses the computer has on it
}

// Linker is what the handle of a phone on a real cable offers besides: a look
// at the network interface that the phone brought, to explain a wait.
type Linker interface {
	// Link fails with ErrWrongMode while the phone brings no network
	// interface and with ErrGone once it is unplugged.
	Link(ctx context.Context) (Link, error)
}
