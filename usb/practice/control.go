package practice

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"time"

	"portolan/usb/practice/bootloader"
)

// maxRequest bounds what a client of the control socket may ask.
const maxRequest = 4096

// control answers one client of the control socket. What it asked for is
// given up when it hangs up.
func (p *phone) control(ctx context.Context, c *net.UnixConn, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	unblock := context.AfterFunc(ctx, func() { c.Close() })
	defer unblock()
	r := bufio.NewReader(c)
	line, err := readLine(r, maxRequest)
	if err != nil {
		return
	}
	var req request
	if err := json.Unmarshal(line, &req); err != nil {
		_ = send(c, answerError(fmt.Errorf("the practice phone got a request that it cannot read: %w", err)))
		return
	}
	if req.Do == doDial {
		p.controlDial(ctx, c, r, req.Port)
		return
	}
	go func() { // clients say nothing more: the next thing read is their end
		_, _ = io.Copy(io.Discard, r)
		cancel()
	}()
	switch req.Do {
	case doWatch:
		p.controlWatch(ctx, c)
	case doStop:
		_ = send(c, answer{})
		stop()
	default:
		a, err := p.perform(ctx, req)
		if err != nil {
			a = answerError(err)
		}
		_ = send(c, a)
	}
}

func send(w io.Writer, a answer) error {
	line, err := json.Marshal(a)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// perform does what has one answer.
func (p *phone) perform(ctx context.Context, req request) (answer, error) {
	switch req.Do {
	case doStatus:
		st := p.status()
		return answer{Status: &st}, nil
	case doTap:
		return answer{}, p.tap(ctx, req.X, req.Y)
	case doScreenshot:
		png, err := p.screenshot(ctx)
		return answer{PNG: png}, err
	case doPlug:
		return answer{}, p.plug(ctx, req.On)
	case doPower:
		what := off
		if req.On {
			what = bootloader.Reboot
		}
		return answer{}, p.give(ctx, what, nil)
	case doBootloader:
		return answer{}, p.give(ctx, bootloader.ToBootloader, nil)
	case doLease:
		lease, err := p.lease(ctx)
		return answer{Lease: &lease}, err
	default:
		return answer{}, fmt.Errorf("the practice phone knows no request %.20q", req.Do)
	}
}

func (p *phone) controlWatch(ctx context.Context, c io.Writer) {
	kick, stop := p.watch()
	defer stop()
	for {
		st := p.status()
		if send(c, answer{Status: &st}) != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-kick:
		}
	}
}

// dialWait bounds how long the phone may take to accept a connection: a system
// that neither accepts nor refuses is not heard of again.
const dialWait = 10 * time.Second

// controlDial turns the control connection into one to the phone.
func (p *phone) controlDial(ctx context.Context, c *net.UnixConn, r *bufio.Reader, port int) {
	dialing, cancel := context.WithTimeout(ctx, dialWait)
	wire, err := p.dial(dialing, port)
	cancel()
	if err != nil {
		_ = send(c, answerError(err))
		return
	}
	if err := send(c, answer{}); err != nil {
		wire.Close()
		return
	}
	p.carry(r, c, wire)
}
