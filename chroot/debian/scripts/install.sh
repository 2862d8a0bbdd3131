# shellcheck shell=sh
# Install "$@" into this chroot, natively.
# shellcheck source=apt.sh
. /scripts/apt.sh
install -m 644 /scripts/dpkg.cfg /etc/dpkg/dpkg.cfg.d/portolan
download install "$@"
echo "portolan: phase install"
apt-get -q --no-download install "$@"
