// Package rooms plugs the rooms below the wizard into its borders: the chroot
// engine and Debian's builder, the boot image writer, the flash methods.
package rooms

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"portolan/chroot/debian"
	"portolan/flashers/bootimg"
	"portolan/flashers/fastboot"
	"portolan/flashers/methods"
	"portolan/usb"
	"portolan/wizard"
)

// Config says where the rooms work.
type Config struct {
	Work    string // the work folder
	Jobs    int    // 0: one for each processor
	Offline bool
	Mirror  string // of the Debian archive; empty: the host's own
}

// Set are the real rooms. Nothing is opened before it is needed.
type Set struct{ workshop *Workshop }

// New plugs the rooms together. Close lets go of them.
func New(c Config) *Set { return &Set{workshop: &Workshop{config: c}} }

// Rooms are the borders for wizard.Config.
func (s *Set) Rooms() wizard.Rooms {
	return wizard.Rooms{
		Workshop:   s.workshop,
		Recipe:     debian.Recipe(),
		Flasher:    methods.ByName,
		Bootloader: openBootloader,
		StockImage: readStock,
	}
}

// Close closes the engine, if a job opened it.
func (s *Set) Close() error { return s.workshop.close() }

// bootloader reads over fastboot.
type bootloader struct {
	conn   usb.PacketConn
	client *fastboot.Client
}

func openBootloader(ctx context.Context, h usb.Handle) (wizard.Bootloader, error) {
	conn, err := h.Fastboot(ctx)
	if err != nil {
		return nil, err
	}
	return &bootloader{conn: conn, client: fastboot.NewClient(conn)}, nil
}

func (b *bootloader) Vars(ctx context.Context) (map[string]string, error) {
	return b.client.GetVarAll(ctx)
}

func (b *bootloader) Fetch(ctx context.Context, partition string, size int64, w io.Writer) error {
	text, err := b.client.GetVar(ctx, "max-fetch-size")
	if err != nil {
		return err
	}
	piece, err := strconv.ParseInt(text, 0, 64)
	if err != nil || piece <= 0 {
		return fmt.Errorf("the phone gives %q bytes at a time, which is no number", text)
	}
	for off := int64(0); off < size; off += piece {
		if err := b.client.Fetch(ctx, partition, off, min(piece, size-off), w, nil); err != nil {
			return err
		}
	}
	return nil
}

func (b *bootloader) Reboot(ctx context.Context) error { return b.client.Reboot(ctx, "") }
func (b *bootloader) Close() error                     { return b.conn.Close() }

// readImage reads a boot image file.
func readImage(file string) (*bootimg.Image, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return bootimg.Read(f, info.Size())
}

func readStock(file string) (wizard.Stock, error) {
	img, err := readImage(file)
	if err != nil {
		return wizard.Stock{}, err
	}
	in := img.Info()
	s := wizard.Stock{
		Arch: in.Kernel.Arch, KernelVersion: in.Kernel.Version,
		HeaderVersion: int(in.Header.Version), PageSize: int(in.Header.PageSize), Cmdline: strings.TrimSpace(in.Header.Cmdline),
		Properties: img.Properties(),
	}
	if in.Header.Version < 3 {
		o := in.Offsets
		s.Offsets = map[string]uint32{"base": uint32(o.Base), "kernel": uint32(o.Kernel), "ramdisk": uint32(o.Ramdisk), "tags": uint32(o.Tags)}
		if o.Second != 0 {
			s.Offsets["second"] = uint32(o.Second)
		}
		if in.Header.Version == 2 {
			s.Offsets["dtb"] = uint32(o.DTB)
		}
	}
	return s, nil
}

// errNoDTB says that a header needs what the stock image has not.
var errNoDTB = errors.New("header version 2 carries a device tree, and the stock boot image has none to take over; answer header_version with 1 or 0, or put the phone's boot image into stock/boot.img")
