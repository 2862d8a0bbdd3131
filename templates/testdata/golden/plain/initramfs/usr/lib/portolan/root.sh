# shellcheck shell=dash
# The root partition: found, unlocked, mounted.

ROOT_DEVICE=
REASON=

# is_luks tells whether $1 begins with the magic of LUKS (LUKS2 on-disk format
# specification, section 2.1). Reading six bytes beats starting cryptsetup for
# each of a phone's fifty partitions.
is_luks() {
	[ "$(xxd -p -l 6 "$1" 2>/dev/null)" = 4c554b53babe ]
}

# by_partition_name prints the device whose partition is named $1.
by_partition_name() {
	for uevent in /sys/class/block/*/uevent; do
		if grep -qxF "PARTNAME=$1" "$uevent" 2>/dev/null; then
			device=${uevent%/uevent}
			echo "/dev/${device##*/}"
			return 0
		fi
	done
	return 1
}

# root_candidate prints the root device if it is there now.
root_candidate() {
	wanted=$(parameter portolan.root)
	case $wanted in
	PARTLABEL=*) by_partition_name "${wanted#PARTLABEL=}" && return 0 ;;
	LABEL=* | UUID=*) findfs "$wanted" 2>/dev/null && return 0 ;;
	/dev/*) [ -b "$wanted" ] && echo "$wanted" && return 0 ;;
	'')
		for entry in /sys/class/block/*; do
			name=${entry##*/}
			case $name in ram* | loop* | zram* | dm-* | '*') continue ;; esac
			is_luks "/dev/$name" && echo "/dev/$name" && return 0
		done
		findfs LABEL=portolan-root 2>/dev/null && return 0
		;;
	esac
	return 1
}

# find_root waits for the root partition: storage may take a while to appear.
find_root() {
	tries=0
	while [ "$tries" -lt 300 ]; do
		ROOT_DEVICE=$(root_candidate) && say "root partition: $ROOT_DEVICE" && return 0
		[ $((tries % 50)) = 5 ] && say "waiting for the root partition$(wanted_text)"
		tries=$((tries + 1))
		sleep 0.1
	done
	REASON="no root partition$(wanted_text); the kernel sees: $(echo /sys/class/block/*)"
	return 1
}

wanted_text() {
	wanted=$(parameter portolan.root)
	if [ -n "$wanted" ]; then
		echo " $wanted"
	else
		echo " (a LUKS volume, or an ext4 file system labelled portolan-root)"
	fi
}

# unlock_root asks for the passphrase on every console and, once there is a
# network, over telnet. The prompt that succeeds writes to the pipe.
unlock_root() {
	echo "$ROOT_DEVICE" >/run/portolan/root-device
	mkfifo /run/portolan/unlocked
	if [ -n "$INTERFACE" ]; then
		telnetd -F -b "$PHONE:23" -l /usr/bin/unlock >>"$LOG" 2>&1 &
		UNLOCK_PID=$!
		say "waiting for the passphrase of $ROOT_DEVICE: telnet $PHONE"
	fi
	PROMPT_PIDS=
	for console in $(consoles); do
		setsid /usr/bin/unlock "$console" &
		PROMPT_PIDS="$PROMPT_PIDS $!"
	done
	read -r who </run/portolan/unlocked
	say "unlocked over $who"
	[ -e /dev/mapper/root ] && return 0
	REASON="$ROOT_DEVICE was unlocked but /dev/mapper/root did not appear"
	return 1
}

# mount_root mounts $1 on /sysroot and looks for an init there.
mount_root() {
	for kind in ext4 f2fs btrfs; do
		modprobe -q "$kind" 2>/dev/null
		grep -qw "$kind" /proc/filesystems || continue
		if mount -t "$kind" -o rw "$1" /sysroot 2>>"$LOG"; then
			say "mounted $1 as $kind"
			# A link may point to a path that is right only after the hand-over.
			[ -x /sysroot/sbin/init ] || [ -L /sysroot/sbin/init ] && return 0
			REASON="the file system on $1 has no /sbin/init: it is no root file system"
			return 1
		fi
	done
	REASON="cannot mount $1: $(tail -n 1 "$LOG")"
	return 1
}
