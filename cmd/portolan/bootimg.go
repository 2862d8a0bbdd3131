package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"portolan/flashers/bootimg"
	"portolan/wizard"
)

func bootimgCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use: "bootimg", Short: "Look into boot images, take them apart, put them together", GroupID: "phone",
	}
	cmd.AddCommand(
		&cobra.Command{
			Use: "info FILE", Short: "Tell what a boot image says of its phone", Args: usageArgs(cobra.ExactArgs(1)),
			RunE: func(cmd *cobra.Command, args []string) error {
				img, err := readBootImage(args[0])
				if err != nil {
					return err
				}
				if o.json {
					enc := json.NewEncoder(cmd.OutOrStdout())
					enc.SetIndent("", "  ")
					return enc.Encode(img.Info())
				}
				return printBootImage(cmd.OutOrStdout(), img.Info())
			},
		},
		&cobra.Command{
			Use: "unpack FILE DIR", Short: "Write the parts and header.json to a folder", Args: usageArgs(cobra.ExactArgs(2)),
			RunE: func(_ *cobra.Command, args []string) error {
				img, err := readBootImage(args[0])
				if err != nil {
					return err
				}
				return img.Unpack(args[1])
			},
		},
		&cobra.Command{
			Use: "pack DIR FILE", Short: "Make a boot image of such a folder", Args: usageArgs(cobra.ExactArgs(2)),
			RunE: func(_ *cobra.Command, args []string) error {
				img, err := bootimg.Pack(args[0])
				if err != nil {
					return err
				}
				return writeWhole(args[1], img.Write)
			},
		})
	return cmd
}

func readBootImage(path string) (*bootimg.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the boot image: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the boot image: %w", err)
	}
	img, err := bootimg.Read(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("read the boot image %s: %w", path, err)
	}
	return img, nil
}

// writeWhole writes a file that appears whole or not at all.
func writeWhole(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := write(f); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Chmod(0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func printBootImage(w io.Writer, in bootimg.Info) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name string, format string, args ...any) {
		if text := fmt.Sprintf(format, args...); text != "" && text != `""` {
			fmt.Fprintf(tw, "%s\t%s\n", name, wizard.Printable(text))
		}
	}
	h := in.Header
	row("header version", "%d", h.Version)
	row("page size", "%d", h.PageSize)
	row("name", "%s", h.Name)
	row("command line", "%s", h.Cmdline)
	row("os version", "%s", h.OSVersion)
	row("patch level", "%s", h.PatchLevel)
	if h.Version < 3 {
		row("base", "%s", in.Offsets.Base)
		row("kernel offset", "%s", in.Offsets.Kernel)
		row("ramdisk offset", "%s", in.Offsets.Ramdisk)
		row("second offset", "%s", in.Offsets.Second)
		row("tags offset", "%s", in.Offsets.Tags)
	}
	row("kernel", "%d bytes, %s %s %s", in.Kernel.Size, in.Kernel.Compression, in.Kernel.Format, in.Kernel.Arch)
	row("kernel version", "%s", in.Kernel.Version)
	row("ramdisk", "%d bytes, %s", in.Ramdisk.Size, in.Ramdisk.Compression)
	for _, part := range []struct {
		name string
		size int
	}{{"second", in.Second}, {"dt", in.DT}, {"recovery dtbo", in.RecoveryDTBO}, {"dtb", in.DTB}, {"signature", in.Signature}, {"after the image", in.Trailer}} {
		if part.size > 0 {
			row(part.name, "%d bytes", part.size)
		}
	}
	return tw.Flush()
}
