// Package debian makes Debian systems with the chroot engine: a native toolbox,
// packages built in it, and the root filesystem of a phone.
//
// Everything is made of layers that are named after their recipes:
//
//	tools      mmdebstrap --variant=apt, native             13 s, 171 MB
//	toolbox    + dpkg-dev, debhelper, cryptsetup, …         10 s
//	buildroot  + the build dependencies of a package
//	phone      Debian for the phone's architecture          25 s, 170 MB
//	port       + the port's own packages, user, keys         5 s
//
// The toolbox is bootstrapped by mmdebstrap. The phone's Debian is not: under
// qemu-user every fork and exec costs some twenty times as much, and mmdebstrap
// runs dpkg, its helpers and all maintainer scripts there (measured on two
// cores: 106 s and 226 s for sets of about this size). Instead the native
// apt of the tools resolves, downloads and verifies for the phone's
// architecture, its dpkg unpacks with --root, and while the phone's own dpkg
// configures, the tools' shell, coreutils, perl and so on are bind-mounted over
// their foreign twins in the private mount namespace of that one command. They
// are the same programs of the same release, only for another processor, so the
// scripts do the same; and as mounts end with the namespace, nothing native can
// stay (a test looks at every file). The order of the first unpacks, which
// debootstrap and mmdebstrap solve with their own rules, is in scripts/root.sh.
//
// Lists and package files stay in cache/apt of the work folder; apt checks them
// against the archive's keyring whenever it uses them.
package debian
