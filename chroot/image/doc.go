// Package image makes what is flashed as the root: an ext4 filesystem in a
// plain file, encrypted with LUKS2 if wanted. No loop device, no device mapper
// and no root are needed.
//
// The programs (mke2fs, cryptsetup) are taken from a chroot of the caller's
// choice: the toolbox layer, or the host. Every file is made beside its final
// place and renamed, so that an interruption leaves the old one or none.
package image
