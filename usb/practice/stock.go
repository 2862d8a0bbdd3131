package practice

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"

	"github.com/u-root/u-root/pkg/cpio"
)

// StockMessage is what the stock kernel writes to the serial port.
const StockMessage = "stock Android (practice phone): nothing to see, hold the buttons for fastboot"

// stockBoot is what the factory's boot image says of the phone. The wizard
// reads it to suggest answers. RAM of QEMU's virt board begins at 0x40000000;
// the offsets are mkbootimg's customs for arm64.
func stockBoot(ramdisk []byte) StockBoot {
	return StockBoot{
		Name:          Codename,
		Cmdline:       "console=ttyAMA0 androidboot.hardware=dinghy androidboot.selinux=permissive buildvariant=userdebug",
		HeaderVersion: 0,
		PageSize:      2048,
		Base:          0x40000000,
		KernelOffset:  0x00080000,
		RamdiskOffset: 0x08000000,
		SecondOffset:  0x00f00000,
		TagsOffset:    0x00000100,
		OSVersion:     "7.1.2",
		OSPatchLevel:  "2017-06",
		Kernel:        stockKernel(),
		Ramdisk:       ramdisk,
	}
}

// stockRamdisk is an Android ramdisk cut down to the properties that tell
// which phone it is.
func stockRamdisk(serial string) ([]byte, error) {
	props := "# begin build properties\n" +
		"ro.product.manufacturer=" + Manufacturer + "\n" +
		"ro.product.brand=" + Manufacturer + "\n" +
		"ro.product.model=" + Manufacturer + " " + Product + "\n" +
		"ro.product.name=" + Codename + "\n" +
		"ro.product.device=" + Codename + "\n" +
		"ro.product.board=" + Codename + "\n" +
		"ro.product.cpu.abi=arm64-v8a\n" +
		"ro.build.version.release=7.1.2\n" +
		"ro.build.version.security_patch=2017-06-01\n" +
		"ro.build.type=userdebug\n" +
		"ro.sf.lcd_density=320\n" +
		"ro.serialno=" + serial + "\n"
	var out bytes.Buffer
	gz := gzip.NewWriter(&out)
	w := cpio.Newc.Writer(gz)
	for _, r := range []cpio.Record{
		cpio.StaticFile("build.prop", props, 0o644),
		cpio.StaticFile("default.prop", props, 0o644),
		cpio.StaticFile("init.dinghy.rc", "on init\n    write /dev/kmsg \"nothing to see\"\n", 0o750),
	} {
		if err := w.WriteRecord(cpio.MakeReproducible(r)); err != nil {
			return nil, fmt.Errorf("%s: %w", r.Name, err)
		}
	}
	if err := cpio.WriteTrailer(w); err != nil {
		return nil, err
	}
	if err := gz.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// stockKernel is an arm64 Image (header as in Documentation/arm64/booting.rst
// of Linux) that writes StockMessage to the PL011 UART of QEMU's virt board
// and sleeps. It stands where a real phone has its vendor's kernel.
func stockKernel() []byte {
	code := []uint32{
		0xd2a12001, // 0x40       mov   x1, #0x09000000  // UART
		0x10000140, // 0x44       adr   x0, 0x6c         // message
		0x38401402, // 0x48 next: ldrb  w2, [x0], #1
		0x340000a2, // 0x4c       cbz   w2, idle
		0xb9401823, // 0x50 wait: ldr   w3, [x1, #0x18]  // UARTFR
		0x372fffe3, // 0x54       tbnz  w3, #5, wait     // transmitter full
		0x39000022, // 0x58       strb  w2, [x1]         // UARTDR
		0x17fffffb, // 0x5c       b     next
		0xd503207f, // 0x60 idle: wfi
		0x17ffffff, // 0x64       b     idle
		0xd503201f, // 0x68       nop
	}
	const headerSize = 0x40
	message := StockMessage + "\r\n\x00"
	size := headerSize + 4*len(code) + len(message)
	image := make([]byte, 0, size)
	le := binary.LittleEndian
	image = le.AppendUint32(image, 0x14000000|headerSize/4) // code0: b 0x40
	image = le.AppendUint32(image, 0)                       // code1
	image = le.AppendUint64(image, 0)                       // text_offset from a 2 MiB boundary
	image = le.AppendUint64(image, 0x1000)                  // image_size in memory
	image = le.AppendUint64(image, 0xa)                     // flags: little endian, 4 KiB pages, anywhere
	image = append(image, make([]byte, 24)...)              // res2 to res4
	image = append(image, "ARM\x64"...)                     // magic at 56
	image = append(image, make([]byte, 4)...)               // no EFI header
	for _, word := range code {
		image = le.AppendUint32(image, word)
	}
	return append(image, message...)
}
