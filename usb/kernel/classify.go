package kernel

import "portolan/usb"

// Descriptor is what the kernel tells of one USB device, before it is judged.
type Descriptor struct {
	Path         string // bus path, e.g. "1-2.3"
	Bus, Number  int    // of the device node /dev/bus/usb/BBB/DDD
	Vendor       uint16
	ProductID    uint16
	Class        uint8
	Serial       string
	Manufacturer string
	Product      string
	Interfaces   []Interface
}

// Interface is one USB interface of a device.
type Interface struct {
	Class, SubClass, Protocol uint8
	Driver                    string   // the kernel driver that holds it, or empty
	Net                       []string // network interfaces it became
}

// rule is one line of the table that tells modes apart.
type rule struct {
	mode  usb.Mode
	match func(Descriptor) bool
	hint  string
	// source says where the numbers are from.
	source string
}

// rules are tried in order, the first that matches counts: a serial number
// that names the system says more than a borrowed vendor and product number,
// and an interface says more than both.
var rules = []rule{
	{
		mode:   usb.ModeFastboot,
		match:  hasInterface(0xff, 0x42, 0x03),
		hint:   "in its bootloader, ready to be flashed",
		source: "AOSP system/core fastboot/README.md: interface class 0xff, subclass 0x42, protocol 0x03",
	},
	{
		mode: usb.ModeNetwork,
		match: func(d Descriptor) bool {
			return (d.Serial == "postmarketOS" || d.Serial == "portolan") && d.networked()
		},
		hint:   "Linux runs on it; unlock it or log in",
		source: "postmarketos-initramfs, init_functions.sh: iSerial of the configfs gadget; templates/initramfs of Portolan",
	},
	{
		mode: usb.ModeNetwork,
		match: func(d Descriptor) bool {
			return d.Vendor == 0x18d1 && d.ProductID == 0xd001 && d.networked()
		},
		hint:   "Linux runs on it; unlock it or log in",
		source: "postmarketos-initramfs, init_functions.sh: default idVendor and idProduct; legacy android_usb sets no strings",
	},
	{
		mode:   usb.ModeAndroid,
		match:  hasInterface(0xff, 0x42, 0x01),
		hint:   "Android runs on it; adb reboot bootloader takes it to fastboot",
		source: "AOSP packages/modules/adb adb.h: ADB_CLASS 0xff, ADB_SUBCLASS 0x42, ADB_PROTOCOL 0x1",
	},
	{
		mode:   usb.ModeDownload,
		match:  is(0x04e8, 0x685d),
		hint:   "in Samsung's download mode; hold Volume-Down and Power to leave it",
		source: "Heimdall, heimdall/source/BridgeManager.h: vendor 0x04e8, product 0x685d",
	},
	{
		mode:   usb.ModeEDL,
		match:  is(0x05c6, 0x9008),
		hint:   "in Qualcomm's emergency mode, which Portolan does not use; hold Power for 15 seconds to leave it",
		source: "Linux drivers/usb/serial/qcserial.c: Gobi QDL device, 05c6:9008 QDLoader",
	},
	{
		mode:   usb.ModePreloader,
		match:  is(0x0e8d, 0x2000),
		hint:   "MediaTek's preloader is here for two seconds only; let the phone start, or hold a volume key for another mode",
		source: "mtkclient, mtkclient/config/usb_ids.py: preloader 0e8d:2000",
	},
	{
		mode:   usb.ModeBROM,
		match:  is(0x0e8d, 0x0003),
		hint:   "in MediaTek's boot ROM, which Portolan does not use; take the battery out or hold Power to leave it",
		source: "mtkclient, mtkclient/config/usb_ids.py: boot ROM 0e8d:0003",
	},
}

// Classify tells the mode of a phone and what to do next. It is false for
// what is no phone in a mode that is known.
func Classify(d Descriptor) (mode usb.Mode, hint string, ok bool) {
	for _, r := range rules {
		if r.match(d) {
			return r.mode, r.hint, true
		}
	}
	return usb.ModeUnknown, "", false
}

func is(vendor, product uint16) func(Descriptor) bool {
	return func(d Descriptor) bool { return d.Vendor == vendor && d.ProductID == product }
}

func hasInterface(class, sub, protocol uint8) func(Descriptor) bool {
	return func(d Descriptor) bool {
		for _, i := range d.Interfaces {
			if i.Class == class && i.SubClass == sub && i.Protocol == protocol {
				return true
			}
		}
		return false
	}
}

// networked tells whether the device has a USB network: CDC ECM or NCM
// (02/06, 02/0d: usb.org, Class Definitions for Communications Devices 1.2,
// table 4), or RNDIS as Linux gadgets announce it (02/02/ff and e0/01/03:
// drivers/net/usb/rndis_host.c).
func (d Descriptor) networked() bool {
	for _, i := range d.Interfaces {
		switch {
		case len(i.Net) > 0:
			return true
		case i.Class == 0x02 && (i.SubClass == 0x06 || i.SubClass == 0x0d):
			return true
		case i.Class == 0x02 && i.SubClass == 0x02 && i.Protocol == 0xff:
			return true
		case i.Class == 0xe0 && i.SubClass == 0x01 && i.Protocol == 0x03:
			return true
		}
	}
	return false
}
