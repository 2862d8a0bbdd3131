package practice

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"portolan/usb/practice/bootloader"
	"portolan/usb/practice/qemu"
	"portolan/usb/tcp"
)

// Serve is the practice phone: it starts in its bootloader and runs until ctx
// ends, it is stopped over its control socket, or (with Lifeline) its starter
// ends. A second phone on the same state or port gets *InUseError; without
// QEMU the error is *MissingError.
func Serve(ctx context.Context, cfg Config) error {
	in := inherit(cfg.Settings)
	err := serve(ctx, cfg, &in)
	in.report(Status{}, err) // says nothing once it has started
	return err
}

func serve(ctx context.Context, cfg Config, in *inherited) error {
	if err := cfg.check(); err != nil {
		return err
	}
	if _, err := exec.LookPath(qemu.Program); err != nil {
		return &MissingError{Program: qemu.Program, Package: qemu.Package}
	}
	held, err := lock(cfg.StateDir)
	if err != nil {
		return err
	}
	defer held.Close()
	if err := sweep(cfg.StateDir, false); err != nil { // a machine that outlived its phone would share the disk
		return err
	}
	l, err := listen(cfg.Port)
	if err != nil {
		return err
	}
	defer l.Close()
	control, err := listenControl(cfg.StateDir)
	if err != nil {
		return err
	}
	defer os.Remove(filepath.Join(cfg.StateDir, socketName))
	defer control.Close()

	p, err := newPhone(cfg)
	if err != nil {
		return err
	}
	p.port = l.Addr().(*net.TCPAddr).Port

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	in.follow(stop)
	var all sync.WaitGroup
	all.Go(func() { p.run(ctx) })
	all.Go(func() { accept(ctx, l, &all, func(c net.Conn) { p.client(ctx, c) }) })
	all.Go(func() { accept(ctx, control, &all, func(c net.Conn) { p.control(ctx, c.(*net.UnixConn), stop) }) })
	in.report(p.status(), nil)
	<-ctx.Done()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cut(true, true)
	l.Close()
	control.Close()
	all.Wait()
	return nil
}

// listen opens the fastboot port, on loopback only.
func listen(port int) (net.Listener, error) {
	l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, portHolder(port)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the practice phone's fastboot port: %w", err)
	}
	return l, nil
}

// accept serves connections until the listener is closed or ctx ends.
func accept(ctx context.Context, l net.Listener, all *sync.WaitGroup, serve func(net.Conn)) {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // a connection that was gone before it was taken
		}
		all.Go(func() {
			defer c.Close()
			serve(c)
		})
	}
}

// client is one computer on the fastboot port. While there is no bootloader,
// or no cable, it is hung up on.
func (p *phone) client(ctx context.Context, c net.Conn) {
	if !p.cross(c, true) {
		return
	}
	defer p.crossed(c)
	conn, err := tcp.Accept(ctx, c)
	if err != nil {
		p.cfg.Log(err.Error())
		return
	}
	req, err := p.loader.Serve(ctx, conn)
	if err != nil {
		p.cfg.Log("fastboot: " + err.Error())
		return
	}
	if req.Next == bootloader.Stay {
		return
	}
	p.cfg.Log("fastboot: " + string(req.Next))
	if err := p.give(ctx, req.Next, req.Image); err != nil {
		p.cfg.Log(err.Error())
	}
}
