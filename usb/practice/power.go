package practice

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"portolan/usb"
	"portolan/usb/practice/bootloader"
	"portolan/usb/practice/qemu"
)

// order is something that only the goroutine of run does.
type order struct {
	what  bootloader.Next // Reboot, Boot, ToBootloader, or off
	image []byte          // with Boot
	done  chan<- struct{}
}

// off is an order besides those of the bootloader.
const off bootloader.Next = "off"

// give hands an order to run and waits until it is carried out.
func (p *phone) give(ctx context.Context, what bootloader.Next, image []byte) error {
	done := make(chan struct{})
	select {
	case p.orders <- order{what, image, done}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Resets before the network was up, one after the other, that the bootloader
// puts up with; then it stops and says so, as bootloaders with a retry count do.
const maxResets = 5

// run is the phone's board: it owns the machine. No machine is left when it
// returns.
func (p *phone) run(ctx context.Context) {
	resets := 0
	defer p.halt()
	for {
		var ended <-chan struct{}
		m := p.current()
		if m != nil {
			ended = m.Done()
		}
		select {
		case <-ctx.Done():
			return
		case o := <-p.orders:
			resets = 0
			p.obey(ctx, o)
			close(o.done)
		case <-ended:
			reached := p.reached()
			p.halt()
			switch end := m.End(); end.Reason {
			case qemu.Reset:
				if resets++; reached {
					resets = 0
				}
				if resets >= maxResets {
					p.failed(fmt.Errorf("the kernel in the boot partition reset the phone %d times before its network was up; read %s",
						resets, filepath.Join(p.cfg.StateDir, qemu.SerialFile)))
					continue
				}
				p.boot(ctx, nil)
			case qemu.Shutdown:
				p.show(usb.ModeOff, hintOff, "")
			default:
				p.failed(fmt.Errorf("QEMU ended by itself: %s", end.Detail))
			}
		}
	}
}

func (p *phone) obey(ctx context.Context, o order) {
	p.halt()
	switch o.what {
	case bootloader.Reboot, bootloader.Continue, bootloader.Boot:
		p.boot(ctx, o.image)
	case bootloader.ToBootloader:
		p.show(usb.ModeFastboot, hintFastboot, screenFastboot(p.cfg.Serial))
	case off:
		p.show(usb.ModeOff, hintOff, "")
	}
}

func (p *phone) current() *qemu.Machine {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.machine
}

// reached says whether the running system's network was seen.
func (p *phone) reached() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode == usb.ModeNetwork
}

// halt takes the power away. Connections over the cable break.
func (p *phone) halt() {
	p.mu.Lock()
	m := p.machine
	p.machine = nil
	p.mu.Unlock()
	p.cut(true, true)
	if m != nil {
		m.Stop()
	}
	p.following.Wait()
}

// failed shows a bootloader that could not boot. It stays reachable.
func (p *phone) failed(err error) {
	p.show(usb.ModeBootFailed, "the bootloader could not boot: "+err.Error()+"; flash the boot partition again",
		"DINGHY BOOTLOADER\nERROR\n"+err.Error()+"\nFASTBOOT MODE")
}

// boot does what a bootloader does at power-on. Without an image it takes its
// boot partition.
func (p *phone) boot(ctx context.Context, image []byte) {
	p.show(usb.ModeBooting, hintBooting, "")
	p.cut(true, false) // the bootloader is over
	m, err := p.launch(ctx, image)
	if err != nil {
		p.failed(err)
		return
	}
	p.mu.Lock()
	p.machine = m
	p.boots++
	link := !p.unplug
	p.changed()
	p.mu.Unlock()
	// The cable may have moved while QEMU started; what it is now counts.
	if err := m.SetLink(ctx, link); err != nil {
		p.cfg.Log("setting the network link: " + err.Error())
	}
	p.following.Go(func() { p.follow(ctx, m) })
}

// loaderCmdline is what the bootloader adds to a command line, as Android's do.
// kpti=off: the emulated CPU has no Meltdown to be kept from, and emulating
// that protection makes every system call flush the TLB; a boot took 1.7 times
// the CPU time with it.
const loaderCmdline = " kpti=off androidboot.serialno="

// launch starts the machine on a boot image.
func (p *phone) launch(ctx context.Context, image []byte) (*qemu.Machine, error) {
	boot, err := p.read(image)
	if err != nil {
		return nil, err
	}
	dir := p.cfg.StateDir
	if err := os.WriteFile(filepath.Join(dir, qemu.KernelFile), boot.Kernel, 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, qemu.RamdiskFile), boot.Ramdisk, 0o600); err != nil {
		return nil, err
	}
	if err := p.openSerialLog(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	unplugged := p.unplug
	p.mu.Unlock()
	return qemu.Start(ctx, qemu.Spec{
		Dir:      dir,
		Marker:   p.cfg.Marker,
		Ramdisk:  len(boot.Ramdisk) > 0,
		Cmdline:  boot.Cmdline + loaderCmdline + p.cfg.Serial,
		Disk:     partUserdata + ".img",
		Host:     usb.HostAddr,
		Width:    ScreenWidth,
		Height:   ScreenHeight,
		Memory:   1024,
		LinkDown: unplugged,
	})
}

// read takes the boot image apart, from image or from the boot partition.
func (p *phone) read(image []byte) (Boot, error) {
	if image != nil {
		return p.parse(bytes.NewReader(image), int64(len(image)))
	}
	part, _ := p.loader.Partition(partBoot)
	f, err := os.Open(part.Path)
	if err != nil {
		return Boot{}, err
	}
	defer f.Close()
	return p.parse(f, part.Size)
}

// maxCmdline is what an arm64 kernel keeps (COMMAND_LINE_SIZE of Linux).
const maxCmdline = 2048

func (p *phone) parse(r io.ReaderAt, size int64) (Boot, error) {
	boot, err := p.cfg.ParseBoot(io.NewSectionReader(r, 0, size), size)
	switch {
	case err != nil:
		return Boot{}, fmt.Errorf("its boot image cannot be read: %w", err)
	case !isArm64(boot.Kernel):
		return Boot{}, errors.New("its boot image holds no arm64 kernel (an Image, or one packed with gzip)")
	case isGzip(boot.Kernel):
		if err := unpacks(boot.Kernel); err != nil {
			return Boot{}, fmt.Errorf("the kernel in its boot image cannot be unpacked: %w", err)
		}
	}
	switch {
	case len(boot.Cmdline) > maxCmdline:
		return Boot{}, fmt.Errorf("its boot image has a command line of %d bytes, a kernel takes %d", len(boot.Cmdline), maxCmdline)
	case bytes.IndexByte([]byte(boot.Cmdline), 0) >= 0:
		return Boot{}, errors.New("its boot image has a zero byte inside the command line")
	}
	return boot, nil
}

// isArm64 knows an Image by the magic in its header (booting.rst of Linux). The
// head of gzip says nothing of what is inside.
func isArm64(kernel []byte) bool {
	const at = 56
	return len(kernel) > at+4 && string(kernel[at:at+4]) == "ARM\x64" || isGzip(kernel)
}

func isGzip(kernel []byte) bool { return bytes.HasPrefix(kernel, []byte{0x1f, 0x8b}) }

// maxKernel is what QEMU unpacks of a gzip kernel (LOAD_IMAGE_MAX_GUNZIP_BYTES).
const maxKernel = 256 << 20

// unpacks tells whether a gzip kernel is whole, as a bootloader that unpacks it
// does. QEMU starts with what it gets, and nothing more is seen of it.
func unpacks(kernel []byte) error {
	z, err := gzip.NewReader(bytes.NewReader(kernel))
	if err != nil {
		return err
	}
	z.Multistream(false) // what lies behind it belongs to others, a device tree for one
	n, err := io.Copy(io.Discard, io.LimitReader(z, maxKernel+1))
	if err == nil && n > maxKernel {
		err = fmt.Errorf("it has more than %d MiB", maxKernel>>20)
	}
	return err
}

// maxSerial is the size from which the serial log begins anew at power-on.
const maxSerial = 8 << 20

// openSerialLog marks the power-on in the log that QEMU appends to.
func (p *phone) openSerialLog() error {
	path := filepath.Join(p.cfg.StateDir, qemu.SerialFile)
	if info, err := os.Stat(path); err == nil && info.Size() > maxSerial {
		if err := os.Rename(path, path+".old"); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "\n--- power on, %s ---\n", time.Now().UTC().Format(time.RFC3339))
	return errors.Join(err, f.Close())
}
