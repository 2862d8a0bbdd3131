package kernel

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Multicast groups of NETLINK_KOBJECT_UEVENT: what the kernel says, and what
// udev says once it has set a device's owner and names (systemd,
// device-monitor.c: MONITOR_GROUP_KERNEL, MONITOR_GROUP_UDEV).
const (
	groupKernel = 1
	groupUdev   = 2
)

// listener hears something in a netlink socket.
type listener struct {
	file *os.File
	buf  []byte
}

// listenUevents hears the kernel's and udev's events about devices.
func listenUevents() (*listener, error) {
	return listenNetlink(unix.NETLINK_KOBJECT_UEVENT, groupKernel|groupUdev)
}

// listenLinks hears of changes of network interfaces and their addresses.
func listenLinks() (*listener, error) {
	return listenNetlink(unix.NETLINK_ROUTE, unix.RTMGRP_LINK|unix.RTMGRP_IPV4_IFADDR)
}

func listenNetlink(family int, groups uint32) (*listener, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, family)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	// Room for a whole hub being plugged in; the default will do if refused.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<20)
	return &listener{file: os.NewFile(uintptr(fd), fmt.Sprintf("netlink-%d", family)), buf: make([]byte, maxUevent)}, nil
}

// next waits for a message. lost says that the kernel had to drop some.
func (l *listener) next() (msg []byte, lost bool, err error) {
	n, err := l.file.Read(l.buf)
	if errors.Is(err, syscall.ENOBUFS) {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	return l.buf[:n], false, nil
}

// close ends a next that waits.
func (l *listener) close() { l.file.Close() }
