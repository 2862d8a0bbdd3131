package fastboot

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"portolan/flashers"
	"portolan/usb"
)

// slotted gives the partition that a name means on this phone: on phones with
// two slots the one of the current slot.
func slotted(vars map[string]string, partition string) string {
	has, _ := yes(vars["has-slot:"+partition])
	slot := strings.TrimPrefix(vars["current-slot"], "_")
	if !has || slot == "" {
		return partition
	}
	return partition + "_" + slot
}

// Plan implements flashers.Flasher. It writes the images in their order,
// whatever is booted comes last, then the phone is restarted.
func (f Flasher) Plan(port flashers.Port, images []flashers.Image, device usb.Device, facts flashers.Facts) (flashers.Plan, error) {
	if len(images) == 0 {
		return flashers.Plan{}, errors.New("plan to flash: there is no image; run the image step first")
	}
	p := flashers.Plan{Method: Name, Device: device, Port: port}
	p.Checks = phoneChecks(port, device, facts.Vars)
	seen := map[string]bool{}
	var boots []flashers.Action
	for _, img := range images {
		img.Partition = strings.TrimSpace(img.Partition)
		if img.Partition == "" {
			p.Checks = append(p.Checks, bootChecks(img, facts.Vars)...)
			boots = append(boots, flashers.Action{Verb: "boot", Image: img, Command: command(device, "boot", img.Path)})
			continue
		}
		name := img.Partition
		img.Partition = slotted(facts.Vars, name)
		p.Checks = append(p.Checks, imageChecks(port, name, img, facts.Vars)...)
		if seen[img.Partition] {
			p.Checks = append(p.Checks, flashers.Check{Name: name + ": once", Detail: "two images are for this partition; keep one"})
		}
		seen[img.Partition] = true
		room, _ := number(facts.Vars["partition-size:"+img.Partition])
		p.Actions = append(p.Actions, flashers.Action{
			Verb: "flash", Image: img, Destructive: true, Room: room,
			Command: command(device, "flash", img.Partition, img.Path),
		})
	}
	switch {
	case len(boots) > 1:
		return flashers.Plan{}, fmt.Errorf("plan to flash: %d images are to be booted, a phone boots one", len(boots))
	case len(boots) == 1:
		p.Actions = append(p.Actions, boots[0])
	case !f.StayInBootloader:
		p.Actions = append(p.Actions, flashers.Action{Verb: "reboot", Command: command(device, "reboot")})
	}
	return p, nil
}

// command is the line that does the same with AOSP's fastboot program.
func command(d usb.Device, words ...string) string {
	line := []string{"fastboot"}
	switch {
	case strings.HasPrefix(d.Path, "tcp:"):
		line = append(line, "-s", d.Path)
	case d.Serial != "":
		line = append(line, "-s", d.Serial)
	}
	line = append(line, words...)
	for i, w := range line {
		q, err := syntax.Quote(w, syntax.LangPOSIX)
		if err != nil { // a control character, which POSIX cannot quote
			q = fmt.Sprintf("%q", w)
		}
		line[i] = q
	}
	return strings.Join(line, " ")
}

// phoneChecks are the rules about the phone as a whole.
func phoneChecks(port flashers.Port, d usb.Device, vars map[string]string) []flashers.Check {
	// A bootloader that refused its boot partition waits in fastboot, too.
	mode := flashers.Check{Name: "mode", OK: d.Mode == usb.ModeFastboot || d.Mode == usb.ModeBootFailed, Detail: "the phone is in its bootloader (fastboot)"}
	if !mode.OK {
		mode.Detail = fmt.Sprintf("the phone is in mode %s; restart it into its bootloader (fastboot)", d.Mode)
	}
	perm := flashers.Check{Name: "permission", OK: d.Permission == usb.PermissionOK, Detail: "this user may open the phone"}
	if !perm.OK {
		perm.Detail = fmt.Sprintf("this user may not open the phone (%s); 'portolan doctor' says what is missing", d.Permission)
	}
	return append([]flashers.Check{mode, perm}, factChecks(port, d, vars)...)
}

func factChecks(port flashers.Port, d usb.Device, vars map[string]string) []flashers.Check {
	phone := flashers.Check{Name: "phone", Detail: fmt.Sprintf("it calls itself %q, as port %s expects", vars["product"], port.Codename)}
	switch {
	case port.Practice && !d.Practice:
		phone.Detail = "the port is for the practice phone, this one is real"
	case vars["product"] == "":
		phone.Detail = "it does not say which product it is, so it cannot be told from another one"
	case !productMatches(port, vars["product"]):
		phone.Detail = fmt.Sprintf("it calls itself %q, port %s is for %s; plug in the right phone or correct the port", vars["product"], port.Codename, strings.Join(products(port), ", "))
	default:
		phone.OK = true
	}
	lock := flashers.Check{Name: "bootloader lock", OK: true, Detail: "unlocked"}
	switch open, known := yes(vars["unlocked"]); {
	case !known:
		lock.Detail = "the phone does not say; if it is locked it will refuse"
	case !open:
		lock.OK, lock.Detail = false, "locked; unlock it first (fastboot flashing unlock, or as its maker says), which erases the phone"
	}
	download := flashers.Check{Name: "download size", Detail: "the phone does not say how much it takes at once (max-download-size)"}
	if n, ok := number(vars["max-download-size"]); ok && n > 0 {
		download.OK, download.Detail = true, "the phone takes "+flashers.Bytes(n)+" at once"
	}
	checks := []flashers.Check{phone, lock, battery(vars), download}
	if slot := vars["current-slot"]; slot != "" {
		checks = append(checks, flashers.Check{Name: "slot", OK: true, Detail: "slot " + strings.TrimPrefix(slot, "_") + " is booted and written"})
	}
	return checks
}

// products are the names that mean the port's phone.
func products(port flashers.Port) []string {
	if len(port.Products) == 0 && port.Codename != "" {
		return []string{port.Codename}
	}
	return port.Products
}

func productMatches(port flashers.Port, product string) bool {
	for _, p := range products(port) {
		if p != "" && strings.EqualFold(p, product) {
			return true
		}
	}
	return false
}

func battery(vars map[string]string) flashers.Check {
	enough, said := yes(vars["battery-soc-ok"])
	mv, measured := millivolts(vars["battery-voltage"])
	volts := fmt.Sprintf("%d.%02d V", mv/1000, mv%1000/10)
	switch {
	case said && !enough:
		return flashers.Check{Name: "battery", Detail: "the phone says it is too low to flash; charge it first"}
	case measured && mv < lowBattery:
		return flashers.Check{Name: "battery", Detail: volts + " is low; charge the phone first"}
	case measured:
		return flashers.Check{Name: "battery", OK: true, Detail: volts}
	case said:
		return flashers.Check{Name: "battery", OK: true, Detail: "enough, the phone says"}
	}
	return flashers.Check{Name: "battery", OK: true, Detail: "the phone does not say; charge it before"}
}

// fileCheck: the file is named, and what it holds is known.
func fileCheck(name string, img flashers.Image) flashers.Check {
	c := flashers.Check{Name: name + ": file", OK: true, Detail: filepath.Base(img.Path) + ", " + flashers.Bytes(img.Size)}
	if sum, err := hex.DecodeString(img.SHA256); err != nil || len(sum) != 32 || img.Size <= 0 || img.Path == "" {
		c.OK, c.Detail = false, "its name, size or SHA-256 is not known; run the image step again"
	}
	return c
}

func bootChecks(img flashers.Image, vars map[string]string) []flashers.Check {
	fits := flashers.Check{Name: "boot image: fits", Detail: flashers.Bytes(img.Size) + " are sent at once"}
	if limit, ok := number(vars["max-download-size"]); ok && img.Size <= limit {
		fits.OK = true
	} else {
		fits.Detail = fmt.Sprintf("%s do not fit into the %s that the phone takes at once", flashers.Bytes(img.Size), flashers.Bytes(limit))
	}
	return []flashers.Check{fileCheck("boot image", img), fits}
}

// imageChecks are the rules about one partition. name is what was asked for,
// img.Partition what it means on this phone.
func imageChecks(port flashers.Port, name string, img flashers.Image, vars map[string]string) []flashers.Check {
	allowed := flashers.Check{Name: name + ": allowed", OK: true, Detail: "a partition of the phone that ports write"}
	if !isPartitionName(name) {
		allowed.OK, allowed.Detail = false, "this is no name of a partition on a phone; disks of this computer are never written"
	} else if why := whyProtected(name); why != "" {
		allowed.OK, allowed.Detail = false, why
	} else {
		for _, n := range port.Never {
			if strings.EqualFold(n, name) || baseName(n) == baseName(name) {
				allowed.OK, allowed.Detail = false, "the port says that it is never written"
			}
		}
	}
	fits := flashers.Check{Name: name + ": fits"}
	room, ok := number(vars["partition-size:"+img.Partition])
	switch {
	case !ok || room == 0:
		fits.Detail = fmt.Sprintf("the phone knows no partition %s; 'fastboot getvar all' lists those it has", img.Partition)
	case img.Size > room:
		fits.Detail = fmt.Sprintf("the image has %s, the partition %s; make the image smaller by %s", flashers.Bytes(img.Size), flashers.Bytes(room), flashers.Bytes(img.Size-room))
	default:
		fits.OK, fits.Detail = true, fmt.Sprintf("%s of %s", flashers.Bytes(img.Size), flashers.Bytes(room))
	}
	return []flashers.Check{allowed, fileCheck(name, img), fits}
}
