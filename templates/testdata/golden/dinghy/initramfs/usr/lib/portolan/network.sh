# shellcheck shell=dash
# The network over the USB cable: phone 172.16.42.1, computer 172.16.42.2.

PHONE=172.16.42.1
INTERFACE=

# network_up leaves the name of the interface in INTERFACE, empty if there is
# none. A USB device controller may appear some seconds after its driver.
network_up() {
	tries=0
	while [ "$tries" -lt 50 ]; do
		usb_gadget && break
		ethernet && break
		[ "$tries" = 0 ] && say "waiting for a USB device controller or a network card"
		tries=$((tries + 1))
		sleep 0.2
	done
	if [ -z "$INTERFACE" ]; then
		say "no USB device controller and no network card: nobody can connect"
		return 1
	fi
	ip link set lo up
	ip addr add "$PHONE/24" broadcast + dev "$INTERFACE" 2>>"$LOG"
	ip link set "$INTERFACE" up 2>>"$LOG" || say "cannot bring up $INTERFACE"
	sed "s/@INTERFACE@/$INTERFACE/" /etc/udhcpd.conf >/run/portolan/udhcpd.conf
	: >/run/portolan/udhcpd.leases
	udhcpd -f -S /run/portolan/udhcpd.conf >>"$LOG" 2>&1 &
	DHCP_PID=$!
	say "network on $INTERFACE: this phone is $PHONE, the computer gets 172.16.42.2"
}

# usb_gadget makes a network card of the USB port through configfs (kernel
# documentation, usb/gadget_configfs). NCM first; RNDIS where NCM is missing.
usb_gadget() {
	[ -d /sys/class/udc ] || return 1
	udc=
	for entry in /sys/class/udc/*; do
		[ -e "$entry" ] && udc=${entry##*/} && break
	done
	[ -n "$udc" ] || return 1
	modprobe -q libcomposite 2>/dev/null
	mount -t configfs configfs /sys/kernel/config 2>/dev/null
	gadget=/sys/kernel/config/usb_gadget/g1
	mkdir -p "$gadget/strings/0x409" "$gadget/configs/c.1/strings/0x409" 2>>"$LOG" || return 1
	echo 0x18d1 >"$gadget/idVendor"
	echo 0xd001 >"$gadget/idProduct"
	echo portolan >"$gadget/strings/0x409/serialnumber"
	echo "$DEVICE_MANUFACTURER" >"$gadget/strings/0x409/manufacturer"
	echo "$DEVICE_NAME" >"$gadget/strings/0x409/product"
	echo "USB network" >"$gadget/configs/c.1/strings/0x409/configuration"
	for kind in ncm rndis; do
		modprobe -q "usb_f_$kind" 2>/dev/null
		function=$gadget/functions/$kind.usb0
		mkdir -p "$function" 2>>"$LOG" || continue
		ln -s "$function" "$gadget/configs/c.1/" 2>>"$LOG"
		if echo "$udc" >"$gadget/UDC" 2>>"$LOG"; then
			read -r INTERFACE <"$function/ifname"
			say "USB gadget: $kind on $udc"
			return 0
		fi
		rm -f "$gadget/configs/c.1/$kind.usb0"
		rmdir "$function" 2>/dev/null
	done
	return 1
}

# ethernet takes the first wired network card, as an emulated phone has one.
ethernet() {
	for entry in /sys/class/net/*; do
		[ -e "$entry/device" ] || continue
		[ -e "$entry/wireless" ] || [ -e "$entry/phy80211" ] && continue
		read -r kind <"$entry/type"
		# 1 is ARPHRD_ETHER (linux/if_arp.h).
		[ "$kind" = 1 ] || continue
		INTERFACE=${entry##*/}
		return 0
	done
	return 1
}

# debug_shell opens a root shell for telnet on port 2323.
debug_shell() {
	[ -z "$DEBUG_PID" ] || return 0
	telnetd -F -b "$PHONE:2323" -l /usr/bin/debug-shell >>"$LOG" 2>&1 &
	DEBUG_PID=$!
	say "debug shell, without a password: telnet $PHONE 2323"
}

# sessions_end waits, for a second at most, until telnetd has closed the
# sessions that ended by themselves: their last lines are then on their way.
sessions_end() {
	tries=0
	while [ "$tries" -lt 10 ]; do
		open=
		for entry in /dev/pts/[0-9]*; do
			[ -e "$entry" ] && open=$entry
		done
		[ -n "$open" ] || return 0
		tries=$((tries + 1))
		sleep 0.1
	done
}

# stop_services ends what must not outlive the initramfs. The interface keeps
# its address, so that a connection to the booted system needs no new lease.
stop_services() {
	sessions_end
	# shellcheck disable=SC2086 # each is one process id or empty
	kill $UNLOCK_PID $DEBUG_PID $DHCP_PID $PROMPT_PIDS 2>/dev/null
	killall -q debug-shell unlock telnetd udhcpd 2>/dev/null
	wait
}
