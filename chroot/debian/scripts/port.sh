# shellcheck shell=sh
# In the phone's own root: install the packages of a port, then what makes the
# root one person's: a tar of files on standard input. "$@" are archives that
# the port's packages need, in /apt/archives.
set -eu
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true LC_ALL=C.UTF-8
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
cat >/tmp/apt.conf <<CONF
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dpkg::Use-Pty "false";
DPkg::Options { "--force-unsafe-io"; "--force-confold"; };
CONF
export APT_CONFIG=/tmp/apt.conf
needed=$*
set --
for f in $needed; do set -- "$@" "/apt/archives/$f"; done
for f in /debs/*.deb; do [ ! -e "$f" ] || set -- "$@" "$f"; done
if [ $# -gt 0 ]; then
	echo "portolan: install the port's packages"
	apt-get -q -y install "$@"
	if [ -n "$needed" ]; then
		names=$(for f in $needed; do dpkg-deb -f "/apt/archives/$f" Package; done)
		# shellcheck disable=SC2086 # a list of words
		apt-mark auto $names >/dev/null
	fi
fi

echo "portolan: user, keys and configuration"
useradd --create-home --user-group --uid 1000 --shell /bin/bash "$PHONE_USER"
for g in audio video render input netdev plugdev; do
	! grep -q "^$g:" /etc/group || usermod -aG "$g" "$PHONE_USER"
done
tar --extract --preserve-permissions --numeric-owner --keep-directory-symlink --directory=/ --file=-
systemctl --quiet enable systemd-networkd.service
# A unit that is linked to /dev/null cannot be started by anything.
systemctl --quiet mask systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer \
	dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service getty-static.service
[ -e /usr/lib/systemd/system/dbus.service ] || systemctl --quiet mask systemd-logind.service
systemctl --quiet enable portolan-growfs.service

echo "portolan: tidy"
audit=$(dpkg --audit)
[ -z "$audit" ] || { echo "E: packages are not installed properly: $audit"; exit 1; }
rm -f /usr/sbin/policy-rc.d /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid- \
	/var/log/dpkg.log /var/log/alternatives.log /var/log/apt/*.log /var/log/apt/*.xz /var/lib/dpkg/*-old
: >/etc/machine-id
# Without these two, the first boot rebuilds indexes that are right already
# (systemd.unit(5), ConditionNeedsUpdate): half a minute on a slow phone.
for d in /etc /var; do
	printf 'TIMESTAMP_NSEC=%s\n' "$(date +%s%N)" >"$d/.updated"
done
