package wizard

// dinghy are answers for the practice phone to every question.
var dinghy = map[string]string{
	"manufacturer": "Portolan", "name": "Portolan Dinghy", "vendor": "portolan", "codename": "dinghy",
	"year": "2026", "arch": "aarch64", "chassis": "handset", "external_storage": "false",
	"screen_width": "720", "screen_height": "1280", "touchscreen": "QEMU Virtio Tablet", "touch_matrix": "0 -1 1 1 0 0",
	"flash_method": "fastboot", "fastboot_product": "dinghy", "partition_kernel": "boot", "partition_rootfs": "userdata",
	"header_version": "2", "flash_pagesize": "4096", "flash_offset_base": "0x40000000", "flash_offset_kernel": "0x00080000",
	"flash_offset_ramdisk": "0x04000000", "flash_offset_second": "0x00f00000", "flash_offset_tags": "0x00000100", "flash_offset_dtb": "0x01f00000",
	"kernel": "archive", "kernel_cmdline": "console=ttyAMA0 loglevel=4", "modules_initfs": "virtio_blk virtio_pci", "debug_shell": "true",
	"suite": "bookworm", "hostname": "dinghy", "user": "sailor", "ui": "none", "encryption": "true",
	"maintainer_name": "Jo Porter", "maintainer_email": "jo@example.org",
}
