package main

import (
	"io"

	"portolan/flashers/bootimg"
	"portolan/usb/practice"
)

// makeStockBoot writes the practice phone's factory boot image with the same
// writer as every other boot image.
func makeStockBoot(w io.Writer, b practice.StockBoot) error {
	img := &bootimg.Image{
		Header: bootimg.Header{
			Version:    uint32(b.HeaderVersion),
			PageSize:   uint32(b.PageSize),
			Name:       b.Name,
			Cmdline:    b.Cmdline,
			OSVersion:  b.OSVersion,
			PatchLevel: b.OSPatchLevel,
		},
		Kernel:  b.Kernel,
		Ramdisk: b.Ramdisk,
	}
	bootimg.Offsets{
		Base:    bootimg.Hex(b.Base),
		Kernel:  bootimg.Hex(b.KernelOffset),
		Ramdisk: bootimg.Hex(b.RamdiskOffset),
		Second:  bootimg.Hex(b.SecondOffset),
		Tags:    bootimg.Hex(b.TagsOffset),
	}.Apply(img)
	return img.Write(w)
}
