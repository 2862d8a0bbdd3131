# shellcheck shell=sh
# Native apt finds and downloads what the packages in /debs need beyond the root
# in /target: "portolan: need FILE" for each, in /apt/archives.
# shellcheck source=apt.sh
. /scripts/apt.sh
# Nothing to fetch is the usual case, and needs no list of the mirror's.
if apt-get -qq --no-download --print-uris -o Dir::Cache::archives=/tmp/none -o Dir::State::Lists=/tmp/none install /debs/*.deb >/tmp/uris 2>/dev/null; then
	exit 0
fi
download install /debs/*.deb
sed "s/^/portolan: need /" /tmp/debs
