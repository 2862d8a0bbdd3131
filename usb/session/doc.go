// Package session talks to a phone that is up: over telnet while it waits for
// the passphrase of its encrypted root, over SSH once it has booted.
//
// The order of a first contact:
//
//	reached, err := session.Wait(ctx, session.Target{Watcher: w, Device: id, Port: session.PortTelnet}, observe)
//	t := session.NewTelnet(reached.Conn, 80, 24)
//	prompt, err := session.WaitPrompt(ctx, t, show)       // shows banner and prompt
//	outcome, err := session.Unlock(ctx, t, passphrase, show)
//	reached, err = session.Wait(ctx, session.Target{Watcher: w, Device: id, Port: session.PortSSH}, observe)
//	phone, err := session.DialSSH(ctx, reached.Conn, session.SSHConfig{User: user, Key: key, HostKey: line})
//	result, err := phone.Run(ctx, "uname -a", nil)
//
// Nothing here knows a terminal or keeps a passphrase.
package session

// TCP ports of the phone on its USB network.
const (
	PortSSH    = 22   // after boot
	PortTelnet = 23   // the LUKS prompt, while in the initramfs
	PortDebug  = 2323 // a root shell, in the initramfs, when the kernel command line has portolan.debug-shell
)
