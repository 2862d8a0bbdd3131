# shellcheck shell=sh
# Make a Debian root of architecture APT_ARCH in /target, from the essential
# packages, apt and "$@". PHONE_SOURCES becomes its sources.list.
#
# Emulation makes fork and exec some twenty times slower, and installing Debian
# is little else than running shell. So this script unpacks with the toolbox's
# own dpkg, and for the configuration lays the toolbox's native programs over
# their foreign twins with bind mounts in this private mount namespace. Nothing
# native stays: the mounts end with the script.
# shellcheck source=apt.sh
. /scripts/apt.sh
T=/target A=/apt/archives
download install '?essential' apt usr-is-merged "$@"
echo "portolan: phase install"

# deb NAME prints the chosen package file of that name, if there is one.
deb() { sed -n "s|^\($1_.*\)|$A/\1|p" /tmp/debs; }

# Merged /usr, as usr-is-merged expects it.
mkdir -p "$T/usr/bin" "$T/usr/sbin" "$T/usr/lib" "$T/etc/dpkg/dpkg.cfg.d" "$T/proc" "$T/dev" "$T/sys" \
	"$T/var/lib/dpkg/info" "$T/var/lib/dpkg/updates" "$T/var/lib/dpkg/triggers"
for d in bin sbin lib; do ln -s "usr/$d" "$T/$d"; done
: >"$T/var/lib/dpkg/status"
: >"$T/var/lib/dpkg/available"
mkdir -m 1777 "$T/tmp"
install -m 644 /scripts/dpkg.cfg "$T/etc/dpkg/dpkg.cfg.d/portolan"
mount -t proc proc "$T/proc"
mount --rbind /dev "$T/dev"
dpkg_in() { dpkg --root="$T" --force-architecture --force-depends --force-unsafe-io "$@"; }

# No daemon starts while the root is made (policy-rc.d, Debian policy 9.3.3).
mkdir -p "$T/usr/sbin"
printf '#!/bin/sh\nexit 101\n' >"$T/usr/sbin/policy-rc.d"
chmod 755 "$T/usr/sbin/policy-rc.d"

echo "portolan: unpack what the scripts of other packages run on"
for p in libc6 dash; do # the first preinst needs a shell before dpkg has brought one
	dpkg-deb --fsys-tarfile "$(deb $p)" | tar -C "$T" --keep-directory-symlink -x
done
native="coreutils tar dpkg sed grep mawk perl-base debianutils diffutils findutils util-linux dash bash hostname login passwd gzip sysvinit-utils mount"
first=
for p in libgmp10 libattr1 libacl1 libpcre2-8-0 libselinux1 coreutils libmd0 libbz2-1.0 liblzma5 zlib1g libzstd1 tar dpkg sed \
	libcrypt1 perl-base debianutils libc6 libtinfo6 libgcc-s1 gcc-12-base grep mawk findutils diffutils dash bash gzip \
	hostname init-system-helpers usr-is-merged util-linux login passwd sysvinit-utils mount; do
	first="$first $(deb $p)"
done
# shellcheck disable=SC2086 # a list of words
dpkg_in --unpack $first
# Its postinst removes an empty /lib64, which is a mount point from here on.
dpkg_in --configure usr-is-merged

own=$(dpkg --print-architecture)
if [ "$own" = amd64 ] && [ "$APT_ARCH" != amd64 ]; then
	echo "portolan: lay native programs over the foreign ones"
	mkdir -p "$T/lib64" "$T/usr/lib/x86_64-linux-gnu"
	mount --bind /usr/lib64 "$T/lib64"
	mount --bind /usr/lib/x86_64-linux-gnu "$T/usr/lib/x86_64-linux-gnu"
	# dpkg itself stays foreign: it must say the phone's architecture.
	# shellcheck disable=SC2086
	for f in $(dpkg -L $native | grep -E '^/(usr/)?s?bin/'); do
		case $f in */dpkg | */nologin) continue ;; esac
		if [ -f "$f" ] && [ ! -L "$f" ] && [ -f "$T$f" ] && [ ! -L "$T$f" ]; then
			mount --bind "$f" "$T$f"
		fi
	done
fi

echo "portolan: unpack everything"
# Host keys belong to one phone, not to a layer that many are made from.
mkdir -p "$T/etc/ssh"
for k in rsa ecdsa ed25519; do : >"$T/etc/ssh/ssh_host_${k}_key"; done
sed "s|^|$A/|" /tmp/debs | xargs dpkg --root="$T" --force-architecture --force-depends --force-unsafe-io \
	--skip-same-version --unpack

echo "portolan: configure"
chroot "$T" dpkg --force-unsafe-io --configure -a

echo "portolan: tidy"
audit=$(chroot "$T" dpkg --audit)
[ -z "$audit" ] || { echo "E: packages are not installed properly: $audit"; exit 1; }
sed -n 's/^Package: //p' "$T/var/lib/dpkg/status" >/tmp/installed
printf '%s\n' apt "$@" >/tmp/wanted
cat >/tmp/mark.conf <<CONF
APT::Architecture "$APT_ARCH";
APT::Architectures { "$APT_ARCH"; };
Dir::State::status "$T/var/lib/dpkg/status";
Dir::State::extended_states "$T/var/lib/apt/extended_states";
Dir::State::Lists "/nonexistent";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
CONF
mkdir -p "$T/var/lib/apt"
grep -vxFf /tmp/wanted /tmp/installed | APT_CONFIG=/tmp/mark.conf xargs apt-mark auto >/dev/null
rm -f "$T"/etc/ssh/ssh_host_*_key "$T/usr/sbin/policy-rc.d" "$T/var/lib/dbus/machine-id" \
	"$T"/var/lib/dpkg/*-old "$T"/var/cache/debconf/*-old "$T"/etc/passwd- "$T"/etc/group- "$T"/etc/shadow- "$T"/etc/gshadow- \
	"$T"/var/log/dpkg.log "$T"/var/log/alternatives.log "$T"/var/log/apt/*.log "$T/etc/resolv.conf"
: >"$T/etc/machine-id"
mkdir -p "$T/etc/apt"
printf '%s\n' "$PHONE_SOURCES" >"$T/etc/apt/sources.list"

umount -l "$T/dev" "$T/proc"
if [ -d "$T/lib64" ]; then
	umount -l "$T/lib64" "$T/usr/lib/x86_64-linux-gnu"
	rmdir "$T/lib64" "$T/usr/lib/x86_64-linux-gnu"
fi
