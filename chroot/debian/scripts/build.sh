# shellcheck shell=sh
# Build the Debian source package in /input/source for architecture BUILD_ARCH
# and put the packages into /out, with a list of them.
set -eu
# One path for every build: it gets into what compilers write.
mkdir -p /usr/src/portolan
cp -a /input/source "/usr/src/portolan/$1"
chown -R 0:0 "/usr/src/portolan/$1"
cd "/usr/src/portolan/$1"
chmod 755 debian/rules
# -d: the build dependencies are native, which dpkg-checkbuilddeps does not
# know how to ask for; they were installed before this.
dpkg-buildpackage -b -d -us -uc "-a$BUILD_ARCH"
cp ../*.deb /out/
for f in ../*.deb; do
	# shellcheck disable=SC2016 # fields of dpkg-deb
	dpkg-deb -W --showformat='${Package}\t${Version}\t${Architecture}\t' "$f"
	basename "$f"
done >/out/packages.tsv
