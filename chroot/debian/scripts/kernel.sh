# shellcheck shell=sh
# Download the newest kernel of architecture APT_ARCH into /apt/archives and
# print "portolan: kernel FILE VERSION".
# shellcheck source=apt.sh
. /scripts/apt.sh
update
meta=linux-image-$APT_ARCH
name=$(apt-cache depends --important "$meta" | sed -n 's/^ *Depends: \(linux-image-[0-9][^: ]*\).*/\1/p' | head -n 1)
[ -n "$name" ] || { echo "E: the archive has no kernel package behind $meta"; exit 1; }
fetch() {
	uri=$(apt-get -qq --print-uris -o Dir::Cache::archives=/tmp/none download "$name") || return 1
	file=$(printf '%s\n' "$uri" | sed -n "s/^'http[^']*' \([^ /]*\.deb\) .*/\1/p")
	echo "portolan: phase download"
	# apt downloads into the current folder and checks what is there already.
	(cd /apt/archives && apt-get -q download "$name")
}
if ! fetch; then
	update now
	fetch
fi
echo "portolan: kernel $file $(dpkg-deb -f "/apt/archives/$file" Version)"
