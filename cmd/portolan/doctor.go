package main

import (
	"encoding/json"
	"fmt"
	"os/exec"

	"github.com/spf13/cobra"

	"portolan/chroot"
	"portolan/wizard"
)

// hostPrograms are what the host must bring besides the kernel's capabilities.
var hostPrograms = []struct{ program, pkg, use string }{
	{"mmdebstrap", "mmdebstrap", "bootstraps the toolbox"},
	{"qemu-system-aarch64", "qemu-system-arm", "runs the practice phone"},
	{"fastboot", "fastboot", "is the other fastboot client, to compare with (optional)"},
}

func doctorCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check what this computer can do, and say how to mend it", GroupID: "host",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			work, err := o.workDir()
			if err != nil {
				return err
			}
			list := chroot.Probe(cmd.Context(), work)
			for _, p := range hostPrograms {
				c := chroot.Capability{Name: p.program, OK: true, Detail: p.use}
				if _, err := exec.LookPath(p.program); err != nil {
					c.OK, c.Required, c.Detail, c.Fix = false, p.program != "fastboot", "not installed; it "+p.use, "apt install "+p.pkg
				}
				list = append(list, c)
			}
			if o.json {
				if err := json.NewEncoder(cmd.OutOrStdout()).Encode(list); err != nil {
					return err
				}
			}
			lacks := ""
			for _, c := range list {
				mark := "ok     "
				if !c.OK {
					mark = "missing"
					if !c.Required {
						mark = "weaker "
					} else if lacks == "" {
						lacks = c.Name
					}
				}
				if !o.json {
					fmt.Fprintf(cmd.OutOrStdout(), "%s  %-24s %s\n", mark, c.Name, c.Detail)
					if c.Fix != "" {
						fmt.Fprintf(cmd.OutOrStdout(), "         fix: %s\n", c.Fix)
					}
				}
			}
			if lacks != "" {
				return &wizard.HostError{Tried: "check this computer", Lacks: lacks, Fix: "see the fix above"}
			}
			return nil
		},
	}
}
