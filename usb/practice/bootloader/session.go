package bootloader

import (
	"errors"
	"fmt"
	"io"
	"os"

	"portolan/usb"
)

// session is one client's visit: its connection and what it has downloaded.
type session struct {
	b    *Bootloader
	conn usb.PacketConn
	file *os.File // the last download, already unlinked; nil if there is none
	size int64
}

func (s *session) ok(text string) error { return s.conn.WritePacket(reply("OKAY", text)) }

func (s *session) fail(format string, args ...any) error {
	return s.conn.WritePacket(reply("FAIL", fmt.Sprintf(format, args...)))
}

func (s *session) info(text string) error { return s.conn.WritePacket(reply("INFO", text)) }

// handle does one command. An error means that the client is lost; whatever
// the client did wrong it is told with FAIL.
func (s *session) handle(packet []byte) (Request, error) {
	cmd, err := ParseCommand(packet)
	if err != nil {
		return Request{}, s.fail("%v", err)
	}
	switch cmd.Name {
	case "getvar":
		return Request{}, s.getvar(cmd.Arg)
	case "download":
		return Request{}, s.download(cmd.Size)
	case "flash", "erase":
		return Request{}, s.write(cmd.Name, cmd.Arg)
	case "fetch":
		return Request{}, s.fetch(cmd)
	case "boot":
		return s.boot()
	case "continue":
		return Request{Next: Continue}, s.ok("")
	case "reboot":
		return s.reboot(cmd.Arg)
	case "oem":
		return Request{}, s.fail("this phone knows no oem commands")
	default:
		return Request{}, s.fail("%s is not supported by this phone", cmd.Name)
	}
}

// drop forgets the download.
func (s *session) drop() {
	if s.file != nil {
		s.file.Close()
	}
	s.file, s.size = nil, 0
}

// download takes size bytes. They go to a file without a name: it is gone
// with the session, however that ends.
func (s *session) download(size int64) error {
	s.drop()
	if size <= 0 || size > s.b.cfg.MaxDownload {
		return s.fail("download of %d bytes; this phone takes 1 to %d at a time", size, s.b.cfg.MaxDownload)
	}
	f, err := os.CreateTemp(s.b.cfg.Scratch, "download-")
	if err != nil {
		return s.fail("no room for a download: %v", err)
	}
	s.file = f
	if err := os.Remove(f.Name()); err != nil {
		return s.fail("no room for a download: %v", err)
	}
	if err := s.conn.WritePacket(fmt.Appendf(nil, "DATA%08x", size)); err != nil {
		return err
	}
	var wrong error
	for got := int64(0); got < size; {
		part, err := s.conn.ReadPacket()
		if err != nil {
			return fmt.Errorf("the client went away after %d of %d bytes of a download: %w", got, size, err)
		}
		if int64(len(part)) > size-got {
			// Out of step: nothing that follows could be told from data.
			return errors.Join(s.fail("more data than the %d bytes announced", size),
				fmt.Errorf("the client sent more than the %d bytes it announced", size))
		}
		if wrong == nil {
			_, wrong = f.Write(part)
		}
		got += int64(len(part))
	}
	if wrong != nil {
		s.drop()
		return s.fail("storing the download: %v", wrong)
	}
	s.size = size
	return s.ok("")
}

// write flashes or erases a partition.
func (s *session) write(verb, name string) error {
	p, ok := s.b.Partition(name)
	if !ok {
		return s.fail("no partition %.40q", name)
	}
	if p.Protected {
		return s.fail("partition is protected")
	}
	if verb == "erase" {
		if err := p.erase(); err != nil {
			return s.fail("erasing %s: %v", name, err)
		}
		return s.ok("")
	}
	if s.size == 0 {
		return s.fail("nothing was downloaded to flash")
	}
	err := p.flash(s.file, s.size, s.b.cfg.Unsparse)
	s.drop()
	if err != nil {
		return s.fail("flashing %s: %v", name, err)
	}
	return s.ok("")
}

// fetchPart is how much of a partition goes into one packet.
const fetchPart = 1 << 20

// fetch reads a partition back.
func (s *session) fetch(cmd Command) error {
	p, ok := s.b.Partition(cmd.Arg)
	if !ok {
		return s.fail("no partition %.40q", cmd.Arg)
	}
	if cmd.Offset > p.Size {
		return s.fail("offset %d is behind the end of %s (%d bytes)", cmd.Offset, p.Name, p.Size)
	}
	size := cmd.Size
	if size < 0 {
		size = p.Size - cmd.Offset
	}
	if size > p.Size-cmd.Offset {
		return s.fail("%d bytes at %d are behind the end of %s (%d bytes)", size, cmd.Offset, p.Name, p.Size)
	}
	if size > s.b.cfg.MaxDownload {
		return s.fail("fetch of %d bytes; this phone gives %d at a time", size, s.b.cfg.MaxDownload)
	}
	f, err := p.open()
	if err != nil {
		return s.fail("reading %s: %v", p.Name, err)
	}
	defer f.Close()
	if err := s.conn.WritePacket(fmt.Appendf(nil, "DATA%08x", size)); err != nil {
		return err
	}
	buf := make([]byte, min(size, fetchPart))
	r := io.NewSectionReader(f, cmd.Offset, size)
	for left := size; left > 0; {
		n, err := io.ReadFull(r, buf[:min(left, int64(len(buf)))])
		if err != nil {
			return fmt.Errorf("reading %s: %w", p.Name, err)
		}
		if err := s.conn.WritePacket(buf[:n]); err != nil {
			return err
		}
		left -= int64(n)
	}
	return s.ok("")
}

// boot hands the downloaded image over if it can be booted.
func (s *session) boot() (Request, error) {
	if s.size == 0 {
		return Request{}, s.fail("nothing was downloaded to boot")
	}
	if check := s.b.cfg.CheckBoot; check != nil {
		if err := check(s.file, s.size); err != nil {
			return Request{}, s.fail("not booted: %v", err)
		}
	}
	image := make([]byte, s.size)
	if _, err := s.file.ReadAt(image, 0); err != nil {
		return Request{}, s.fail("reading the download: %v", err)
	}
	return Request{Next: Boot, Image: image}, s.ok("")
}

// reboot targets are those of the fastboot program; the practice phone has no
// recovery and no userspace fastboot.
func (s *session) reboot(target string) (Request, error) {
	switch target {
	case "", "system":
		return Request{Next: Reboot}, s.ok("")
	case "bootloader":
		return Request{Next: ToBootloader}, s.ok("")
	default:
		return Request{}, s.fail("this phone has no %.32q to reboot to", target)
	}
}
