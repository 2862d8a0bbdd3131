# shellcheck shell=sh
# Sourced by the other scripts: apt of the toolbox on private lists and caches.
# From the caller come SOURCES (sources.list lines), APT_ARCH, APT_STATUS (a dpkg
# status file, empty for the chroot's own) and OFFLINE. /apt/lists and
# /apt/archives are the kept caches.
set -eu
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true LC_ALL=C.UTF-8
mkdir -p /apt/lists/partial /apt/archives/partial /tmp/none/partial
printf '%s\n' "$SOURCES" >/tmp/sources.list
cat >/tmp/apt.conf <<CONF
APT::Architecture "$APT_ARCH";
APT::Architectures { "$APT_ARCH"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Get::Assume-Yes "true";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
Dir::State::Lists "/apt/lists";
Dir::Cache::archives "/apt/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "/apt/srcpkgcache.bin";
Dir::Etc::SourceList "/tmp/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dpkg::Use-Pty "false";
DPkg::Options { "--force-unsafe-io"; "--force-confold"; };
CONF
if [ -n "$APT_STATUS" ]; then
	printf 'Dir::State::status "%s";\n' "$APT_STATUS" >>/tmp/apt.conf
fi
export APT_CONFIG=/tmp/apt.conf

# update reads the lists anew unless that was done within the hour from the same
# sources; "update now" does it in any case.
update() {
	[ -z "$OFFLINE" ] || return 0
	if [ "${1:-}" != now ] && cmp -s /tmp/sources.list /apt/sources.list &&
		[ -n "$(find /apt/sources.list -mmin -60)" ]; then
		return 0
	fi
	rm -f /apt/sources.list
	echo "portolan: phase update"
	apt-get -q update --error-on=any
	cp /tmp/sources.list /apt/sources.list
	touch /apt/sources.list
}

# download gets what "$@" (arguments of apt-get) needs into /apt/archives; the
# files' names come out in /tmp/debs.
download() {
	update
	if ! try_download "$@"; then # a list of an hour ago may name what the mirror has replaced
		[ -z "$OFFLINE" ] || return 1
		update now
		try_download "$@"
	fi
}

try_download() {
	# With an empty archive folder --print-uris names every file, cached or not;
	# package files named by "$@" itself have no http address.
	apt-get -qq -o Dir::Cache::archives=/tmp/none --print-uris "$@" >/tmp/uris || return 1
	sed -n "s/^'http[^']*' \([^ /]*\.deb\) .*/\1/p" /tmp/uris >/tmp/debs
	echo "portolan: phase download"
	if [ -n "$OFFLINE" ]; then
		apt-get -q --no-download --download-only "$@"
	else
		apt-get -q --download-only "$@"
	fi
}
