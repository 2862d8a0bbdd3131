package session

import (
	"fmt"
	"strings"

	"portolan/usb"
)

// seesMode says what is on the cable while the phone's network is waited for.
func seesMode(d usb.Device, present bool) string {
	if !present {
		return "nothing on the cable"
	}
	switch d.Mode {
	case usb.ModeFastboot:
		return "the phone is in its bootloader (fastboot)"
	case usb.ModeBooting:
		return "the phone is starting"
	case usb.ModeOff:
		return "the phone is off"
	case usb.ModeAndroid:
		return "the phone runs Android"
	case usb.ModeUnknown:
		return "the phone, in a mode that is not known"
	}
	return fmt.Sprintf("the phone in mode %s", d.Mode)
}

// seesLink says what the computer made of the phone's network.
func seesLink(l usb.Link) string {
	text := "network interface " + l.Interface
	if l.Driver != "" {
		text += " (" + l.Driver + ")"
	}
	if !l.Up {
		text += ", which is down"
	}
	if len(l.Addresses) == 0 {
		return text + ", without an address"
	}
	var list []string
	for _, a := range l.Addresses {
		list = append(list, a.String())
	}
	return text + " with " + strings.Join(list, ", ")
}

func serverName(port int) string {
	switch port {
	case PortSSH:
		return "SSH on the phone"
	case PortTelnet:
		return "the passphrase prompt of the phone"
	case PortDebug:
		return "the debug shell of the phone"
	}
	return "the phone"
}

// hintsFor lists what a person can do about a stage that takes long, the
// likeliest cause first.
func hintsFor(stage Stage, d usb.Device, present bool, port int) []string {
	var own []string
	if present && d.Hint != "" {
		own = []string{d.Hint}
	}
	if d.Practice {
		return append(own, practiceHints(stage)...)
	}
	switch stage {
	case StageMode:
		return append(own, modeHints(d, present)...)
	case StageLink:
		return append(own,
			"a kernel module for the phone's network may be missing: sudo modprobe -a cdc_ncm rndis_host cdc_ether, then replug",
			"look at the end of sudo dmesg on this computer for the name of the new interface")
	case StageLease:
		return append(own,
			"the computer must ask the phone for an address by DHCP: nmcli device connect, or sudo dhclient, on the new interface",
			"NetworkManager may be told to leave the interface alone: nmcli device set NAME managed yes",
			"a firewall must let DHCP through: UDP ports 67 and 68 on the new interface",
			"without DHCP: sudo ip address add 172.16.42.2/24 dev NAME && sudo ip link set NAME up")
	case StagePort:
		return append(own, portHints(port)...)
	}
	return own
}

func modeHints(d usb.Device, present bool) []string {
	switch {
	case !present:
		return []string{
			"try another cable: many carry power only",
			"plug into the computer itself, not into a hub or a front port",
			"is the phone on? Starting takes up to a minute",
		}
	case d.Mode == usb.ModeFastboot:
		return []string{
			"the phone stays in its bootloader: choose Start on its screen, or run fastboot reboot",
			"if it comes back here each time, its bootloader does not take the boot image",
		}
	case d.Mode == usb.ModeOff:
		return []string{"switch the phone on"}
	case d.Mode == usb.ModeAndroid:
		return []string{"the phone started Android, so the boot partition was not flashed, or another slot is active"}
	}
	return []string{
		"look at the phone's screen: a logo that stays may be a kernel that does not start",
		"the kernel may lack the USB gadget driver: its configuration needs USB_CONFIGFS_NCM or USB_CONFIGFS_RNDIS",
	}
}

func portHints(port int) []string {
	own := []string{
		"another network may use the same addresses: ip route get 172.16.42.1 must name the phone's interface",
		"a firewall or VPN on this computer may hold the connection up",
	}
	switch port {
	case PortSSH:
		return append([]string{
			"starting takes a while after the root is unlocked; old phones need minutes the first time",
			"if the phone still asks for its passphrase (port 23), unlock it first",
		}, own...)
	case PortTelnet:
		return append([]string{"the phone asks here only while its root is locked; if it is not encrypted, use SSH"}, own...)
	case PortDebug:
		return append([]string{"the debug shell answers only in the initramfs and with portolan.debug-shell on the kernel command line"}, own...)
	}
	return own
}

// practiceHints are for the virtual phone, which has no cable to shake.
func practiceHints(stage Stage) []string {
	if stage == StageMode {
		return []string{
			"is the practice phone plugged in and on? See portolan practice status",
			"its serial log tells how far it got; see portolan practice status for the file",
		}
	}
	return []string{
		"an emulated phone takes a minute or two to start on a slow computer",
		"its serial log tells how far it got; see portolan practice status for the file",
	}
}
