// Package initramfs packs the first root filesystem of a phone: a cpio archive
// in the "newc" format, gzipped (kernel, Documentation/driver-api/early-userspace/buffer-format.rst).
//
// Programs and kernel modules are taken out of a root filesystem that may be a
// stack of overlay layers, with all that they depend on. Nothing is executed
// and nothing is mounted. The same input gives the same bytes.
package initramfs
