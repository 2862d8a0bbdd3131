// Package bootloader is the fastboot side of a phone: it answers getvar,
// download, flash and the rest over any usb.PacketConn and knows neither the
// transport below nor what the phone does after a reboot.
//
// The protocol is Android's, as described in system/core/fastboot/README.md of
// the Android Open Source Project: commands are short ASCII packets, answers
// start with OKAY, FAIL, INFO or DATA.
package bootloader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"portolan/usb"
)

// Unsparse expands an Android sparse image of size bytes at src onto dst.
// Chunks that the image does not care about are not written.
type Unsparse func(src io.ReaderAt, size int64, dst io.WriterAt) error

// CheckBoot says whether an image can be booted, in words for a person.
type CheckBoot func(image io.ReaderAt, size int64) error

// Var is one variable of "getvar".
type Var struct{ Name, Value string }

// Config is what a bootloader is made of.
type Config struct {
	Vars        []Var       // besides those of the partitions, in the order of "getvar all"
	Partitions  []Partition // what can be flashed, and what can not
	MaxDownload int64       // bytes the phone takes in one download; also of one fetch
	Scratch     string      // folder for what is being downloaded
	Unsparse    Unsparse    // nil: sparse images are refused
	CheckBoot   CheckBoot   // nil: every image may be booted
}

// Next is what the phone does once its client has been answered.
type Next string

// What a client can ask for.
const (
	Stay         Next = ""           // the client went away; the bootloader waits for another
	Reboot       Next = "reboot"     // start again: its own boot partition
	Continue     Next = "continue"   // go on booting: its own boot partition
	ToBootloader Next = "bootloader" // start again into the bootloader
	Boot         Next = "boot"       // boot the image in Request.Image
)

// Request is the outcome of one client's visit.
type Request struct {
	Next  Next
	Image []byte // a boot image that was downloaded, with Boot
}

// Bootloader serves one client at a time.
type Bootloader struct {
	cfg  Config
	turn chan struct{} // holds one element while a client is served
}

// New checks the configuration and makes a bootloader of it. Partition files
// must exist.
func New(cfg Config) (*Bootloader, error) {
	if cfg.MaxDownload <= 0 {
		return nil, errors.New("a bootloader needs a largest download size")
	}
	seen := map[string]bool{}
	for _, p := range cfg.Partitions {
		if p.Name == "" || p.Size <= 0 || seen[p.Name] {
			return nil, fmt.Errorf("partition %q of %d bytes: names are unique and sizes above zero", p.Name, p.Size)
		}
		seen[p.Name] = true
		if _, err := os.Stat(p.Path); err != nil {
			return nil, fmt.Errorf("the file of partition %s: %w", p.Name, err)
		}
	}
	return &Bootloader{cfg: cfg, turn: make(chan struct{}, 1)}, nil
}

// Partition finds a partition by its name.
func (b *Bootloader) Partition(name string) (Partition, bool) {
	for _, p := range b.cfg.Partitions {
		if p.Name == name {
			return p, true
		}
	}
	return Partition{}, false
}

// Serve talks to one client until it goes away, asks for a reboot or ctx ends.
// While another client is served the new one is answered FAIL. conn is closed
// in every case.
func (b *Bootloader) Serve(ctx context.Context, conn usb.PacketConn) (Request, error) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	if !b.enter(ctx) {
		if ctx.Err() != nil {
			return Request{}, ctx.Err()
		}
		return Request{}, refuse(conn)
	}
	defer b.leave()
	s := &session{b: b, conn: conn}
	defer s.drop()
	for {
		packet, err := conn.ReadPacket()
		if err != nil {
			if ctx.Err() != nil {
				return Request{}, ctx.Err()
			}
			if errors.Is(err, io.EOF) { // hung up between two commands
				return Request{}, nil
			}
			return Request{}, fmt.Errorf("reading a fastboot command: %w", err)
		}
		req, err := s.handle(packet)
		if err != nil {
			return Request{}, err
		}
		if req.Next != Stay {
			return req, nil
		}
	}
}

// turnWait is how long a client waits for the one before it: a program that
// has hung up is noticed a moment after the next one may have connected.
const turnWait = time.Second

func (b *Bootloader) enter(ctx context.Context) bool {
	timer := time.NewTimer(turnWait)
	defer timer.Stop()
	select {
	case b.turn <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (b *Bootloader) leave() { <-b.turn }

// refuseWait bounds how long a client that came second may take to ask
// something; it is answered once and cut off.
const refuseWait = 2 * time.Second

func refuse(conn usb.PacketConn) error {
	if err := conn.SetDeadline(time.Now().Add(refuseWait)); err != nil {
		return err
	}
	if _, err := conn.ReadPacket(); err != nil {
		return fmt.Errorf("turning away a second fastboot client: %w", err)
	}
	return conn.WritePacket(reply("FAIL", "another program is talking to this phone; wait for it to end"))
}
