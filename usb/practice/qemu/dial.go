package qemu

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"portolan/usb/practice/qmp"
)

// dialPoll is how often QEMU is asked how far a connection has come.
const dialPoll = 10 * time.Millisecond

// Dial connects to a TCP port of the phone. QEMU's user network can only be
// entered through a listener on the host: one is opened on loopback, used
// once, and closed again. That listener accepts before the phone was asked, so
// the connection is given out only once the phone has accepted it too.
func (m *Machine) Dial(ctx context.Context, phone netip.Addr, port int) (net.Conn, error) {
	to := netip.AddrPortFrom(phone, uint16(port))
	conn, way, err := m.enter(ctx, to)
	if err == nil {
		accepted := func(state string) bool { return state != "" && state != "SYN_SENT" }
		if err = m.until(ctx, conn, way, accepted); err == nil {
			return conn, nil
		}
		conn.Close()
	}
	return nil, fmt.Errorf("connecting to %s: %w", to, err)
}

// way is a passage into the user network: from a port of its own on loopback.
// Connections through it are listed with the same two ends.
type way struct{ from, to netip.AddrPort }

// enter makes a connection as far as into QEMU's user network.
func (m *Machine) enter(ctx context.Context, to netip.AddrPort) (net.Conn, way, error) {
	m.dialMu.Lock()
	defer m.dialMu.Unlock()
	out, err := m.mon.Monitor(ctx, fmt.Sprintf("hostfwd_add %s tcp:127.0.0.1:0-%s", netdevID, to))
	if err != nil {
		return nil, way{}, err
	}
	if out = strings.TrimSpace(out); out != "" {
		return nil, way{}, fmt.Errorf("QEMU opens no way there: %s", out)
	}
	flows, err := m.flows(ctx)
	if err != nil {
		return nil, way{}, err
	}
	w := way{to: to}
	for _, f := range flows {
		if f.state == listening && f.dst == to {
			w.from = f.src
		}
	}
	if !w.from.IsValid() {
		return nil, way{}, errors.New("QEMU lists no way there")
	}
	defer func() {
		remove := fmt.Sprintf("hostfwd_remove %s tcp:127.0.0.1:%d", netdevID, w.from.Port())
		if _, err := m.mon.Monitor(context.WithoutCancel(ctx), remove); err != nil && !errors.Is(err, qmp.ErrClosed) {
			_, _ = m.log.Write([]byte(err.Error()))
		}
	}()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", w.from.String())
	if err != nil {
		return nil, way{}, err
	}
	// The listener may go only once QEMU has taken the connection off it.
	if err := m.until(ctx, conn, w, func(state string) bool { return state != "" }); err != nil {
		conn.Close()
		return nil, way{}, err
	}
	return conn, w, nil
}

// until waits for a state of a connection, or its end.
func (m *Machine) until(ctx context.Context, conn net.Conn, w way, reached func(state string) bool) error {
	for {
		flows, err := m.flows(ctx)
		if err != nil {
			return err
		}
		state := ""
		for _, f := range flows {
			if f.state != listening && f.src == w.from && f.dst == w.to {
				state = f.state
			}
		}
		if reached(state) {
			return nil
		}
		if state == "" && closed(conn) {
			return syscall.ECONNREFUSED
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-m.done:
			return errors.New("the machine ended")
		case <-time.After(dialPoll):
		}
	}
}

// closed peeks whether the other side has hung up.
func closed(conn net.Conn) bool {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return true
	}
	over := false
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		over = n == 0 && err == nil || errors.Is(err, syscall.ECONNRESET)
	})
	return err != nil || over
}

// listening is the state of a way in.
const listening = "HOST_FORWARD"

// flow is one line of "info usernet".
type flow struct {
	state    string // listening, SYN_SENT, ESTABLISHED …
	src, dst netip.AddrPort
}

func (m *Machine) flows(ctx context.Context) ([]flow, error) {
	out, err := m.mon.Monitor(ctx, "info usernet")
	if err != nil {
		return nil, err
	}
	return parseFlows(out), nil
}

// parseFlows reads QEMU's table of the user network's connections:
//
//	Hub 0 (cable):
//	  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
//	  TCP[HOST_FORWARD]  14       127.0.0.1 34567     172.16.42.1    23     0     0
func parseFlows(text string) []flow {
	var flows []flow
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 6 || !strings.HasPrefix(fields[0], "TCP[") || !strings.HasSuffix(fields[0], "]") {
			continue
		}
		src, ok1 := addrPort(fields[2], fields[3])
		dst, ok2 := addrPort(fields[4], fields[5])
		if ok1 && ok2 {
			flows = append(flows, flow{strings.TrimSuffix(fields[0][4:], "]"), src, dst})
		}
	}
	return flows
}

func addrPort(addr, port string) (netip.AddrPort, bool) {
	if addr == "*" {
		addr = "0.0.0.0"
	}
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return netip.AddrPort{}, false
	}
	p, err := strconv.ParseUint(port, 10, 16)
	return netip.AddrPortFrom(a, uint16(p)), err == nil
}
