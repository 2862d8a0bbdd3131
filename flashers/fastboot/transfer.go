package fastboot

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// packet is how much of a data phase is sent at once. Beside the fastboot
// program on the practice phone 2 MiB did best of 256 KiB to 8 MiB: fewer
// wake-ups of the phone, and still a short time between two words of progress.
const packet = 2 << 20

// Download sends size bytes of r into the phone's memory, where Flash and Boot
// find them. progress, if any, gets the bytes sent so far after each packet.
func (c *Client) Download(ctx context.Context, r io.Reader, size int64, progress func(sent int64)) error {
	command := fmt.Sprintf("download:%08x", size)
	if size < 0 || size > 1<<32-1 {
		return fmt.Errorf("fastboot download of %d bytes: the protocol has 32 bits for the size", size)
	}
	return c.do(ctx, command, func() error {
		if err := c.send(command); err != nil {
			return err
		}
		d, err := c.await(command, c.Timeouts.Command, c.Log)
		if err != nil {
			return err
		}
		if d.kind != data || d.size != size {
			return &ProtocolError{Command: command, Got: d.String(), Why: fmt.Sprintf("it should be ready for %d bytes", size)}
		}
		buf := make([]byte, min(packet, size))
		for sent := int64(0); sent < size; {
			b := buf[:min(int64(len(buf)), size-sent)]
			if n, err := io.ReadFull(r, b); err != nil {
				if errors.Is(err, io.EOF) {
					err = io.ErrUnexpectedEOF
				}
				return fmt.Errorf("read what is sent, %d of %d bytes came: %w", sent+int64(n), size, err)
			}
			if err := c.arm(c.Timeouts.Data); err != nil {
				return err
			}
			if err := c.conn.WritePacket(b); err != nil {
				return err
			}
			sent += int64(len(b))
			if progress != nil {
				progress(sent)
			}
		}
		return c.finish(command)
	})
}

// Fetch reads size bytes at off of a partition back and writes them to w. Few
// bootloaders know it; others answer a *FailError. size must not be beyond the
// phone's max-fetch-size.
func (c *Client) Fetch(ctx context.Context, partition string, off, size int64, w io.Writer, progress func(got int64)) error {
	// As AOSP's FetchCommand formats it.
	command := fmt.Sprintf("fetch:%s:0x%08x:0x%08x", partition, off, size)
	if off < 0 || size < 0 || size > 1<<32-1 {
		return fmt.Errorf("fastboot %s: the protocol has 32 bits for the size", command)
	}
	return c.do(ctx, command, func() error {
		if err := c.send(command); err != nil {
			return err
		}
		d, err := c.await(command, c.Timeouts.Command, c.Log)
		if err != nil {
			return err
		}
		if d.kind != data || d.size != size {
			return &ProtocolError{Command: command, Got: d.String(), Why: fmt.Sprintf("%d bytes were asked for", size)}
		}
		for got := int64(0); got < size; {
			if err := c.arm(c.Timeouts.Data); err != nil {
				return err
			}
			p, err := c.conn.ReadPacket()
			if err != nil {
				return err
			}
			if int64(len(p)) > size-got || len(p) == 0 {
				return &ProtocolError{Command: command, Got: fmt.Sprintf("a packet of %d bytes", len(p)), Why: fmt.Sprintf("%d of %d bytes were left", size-got, size)}
			}
			if _, err := w.Write(p); err != nil {
				return fmt.Errorf("keep what was read: %w", err)
			}
			got += int64(len(p))
			if progress != nil {
				progress(got)
			}
		}
		return c.finish(command)
	})
}

// finish waits for the OKAY after a data phase.
func (c *Client) finish(command string) error {
	r, err := c.await(command, c.Timeouts.Write, c.Log)
	if err != nil {
		return err
	}
	if r.kind != okay {
		return &ProtocolError{Command: command, Got: r.String(), Why: "OKAY or FAIL ends a transfer"}
	}
	return nil
}

// String is the reply as it was on the wire.
func (r reply) String() string {
	if r.kind == data {
		return fmt.Sprintf("DATA%08x", r.size)
	}
	return string(r.kind) + r.text
}
