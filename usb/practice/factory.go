package practice

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"portolan/usb/practice/bootloader"
)

// Names of the partitions. The bootloader's own is there to be refused.
const (
	partBoot     = "boot"
	partUserdata = "userdata"
	partLoader   = "bootloader"
)

func partitions(dir string) []bootloader.Partition {
	file := func(name string) string { return filepath.Join(dir, name+".img") }
	return []bootloader.Partition{
		{Name: partBoot, Type: "raw", Size: bootSize, Path: file(partBoot)},
		{Name: partUserdata, Type: "ext4", Size: userdataSize, Path: file(partUserdata)},
		{Name: partLoader, Type: "raw", Size: loaderSize, Path: file(partLoader), Protected: true},
	}
}

// furnish makes the partitions that are missing, as the factory left them.
// Each appears whole or not at all.
func furnish(cfg Config) error {
	for _, p := range partitions(cfg.StateDir) {
		if _, err := os.Stat(p.Path); err == nil {
			continue
		} else if !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("partition %s of the practice phone: %w", p.Name, err)
		}
		var content bytes.Buffer
		switch p.Name {
		case partBoot:
			ramdisk, err := stockRamdisk(cfg.Serial)
			if err != nil {
				return fmt.Errorf("the stock ramdisk: %w", err)
			}
			if err := cfg.MakeBoot(&content, stockBoot(ramdisk)); err != nil {
				return fmt.Errorf("the stock boot image: %w", err)
			}
		case partLoader:
			content.WriteString("Portolan Dinghy bootloader\n")
		}
		if err := writeSparse(p.Path, content.Bytes(), p.Size); err != nil {
			return fmt.Errorf("partition %s of the practice phone: %w", p.Name, err)
		}
	}
	return nil
}

// writeSparse makes a file of size bytes that begins with content; the rest is
// a hole.
func writeSparse(path string, content []byte, size int64) error {
	if int64(len(content)) > size {
		return fmt.Errorf("%d bytes of content, room for %d", len(content), size)
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, content, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(tmp, size); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// vars are what the bootloader tells besides sizes and partitions; names as in
// fastboot's README, values of a phone of its time.
func vars(serial string) []bootloader.Var {
	return []bootloader.Var{
		{Name: "version", Value: "0.4"},
		{Name: "version-bootloader", Value: "dinghy-1.0"},
		{Name: "version-baseband", Value: "none"},
		{Name: "product", Value: Codename},
		{Name: "variant", Value: "practice"},
		{Name: "serialno", Value: serial},
		{Name: "secure", Value: "no"},
		{Name: "unlocked", Value: "yes"},
		{Name: "battery-voltage", Value: "4012"},
		{Name: "battery-soc", Value: "86"},
		{Name: "battery-soc-ok", Value: "yes"},
	}
}
