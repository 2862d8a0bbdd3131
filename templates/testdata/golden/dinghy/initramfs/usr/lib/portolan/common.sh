# shellcheck shell=dash
# What the scripts of the initramfs share: messages, kernel parameters, modules.

. /etc/portolan.conf

LOG=/run/portolan-initramfs.log

# consoles prints the device of each console that the kernel writes to.
consoles() {
	read -r active </sys/class/tty/console/active 2>/dev/null || active=console
	for console in $active; do
		[ -c "/dev/$console" ] && echo "/dev/$console"
	done
}

# say shows one line on every console and keeps it in the log.
say() {
	read -r uptime _ </proc/uptime
	echo "[$uptime] $*" >>"$LOG"
	for console in $(consoles); do
		printf 'portolan: %s\n' "$*" >"$console" 2>/dev/null
	done
}

# has_parameter tells whether the kernel command line has the word $1.
has_parameter() {
	read -r cmdline </proc/cmdline
	for word in $cmdline; do
		[ "$word" = "$1" ] && return 0
	done
	return 1
}

# parameter prints the value of the last $1=VALUE on the kernel command line.
parameter() {
	value=
	read -r cmdline </proc/cmdline
	for word in $cmdline; do
		case $word in "$1"=*) value=${word#*=} ;; esac
	done
	echo "$value"
}

# load_modules loads what the port lists. A module that this kernel has built
# in, or has not at all, is only noted: the phone may well boot without it.
load_modules() {
	[ -s /etc/modules-initfs ] || return 0
	while read -r module; do
		case $module in '' | '#'*) continue ;; esac
		modprobe "$module" 2>>"$LOG" || built_in "$module" || say "module $module is not in this kernel's initramfs"
	done </etc/modules-initfs
}

# built_in tells whether module $1 is part of the kernel itself. File names may
# have hyphens where module names have underscores.
built_in() {
	wanted=$(echo "$1" | tr - _)
	tr - _ 2>/dev/null <"/lib/modules/$(uname -r)/modules.builtin" | grep -q "/$wanted\.ko"
}

# fail says what is wrong and waits for a person. Before the shell opens, an
# unlocked root partition is locked again.
fail() {
	say "cannot boot: $1"
	umount /sysroot 2>/dev/null
	if ! has_parameter portolan.debug-shell; then
		[ -e /dev/mapper/root ] && cryptsetup close root 2>>"$LOG"
		[ -n "$INTERFACE" ] && debug_shell
	fi
	[ -n "$INTERFACE" ] || say "there is no network either: read the messages above on a serial line or the screen"
	while :; do
		sleep 3600
	done
}
