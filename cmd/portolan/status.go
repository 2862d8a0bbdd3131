package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"portolan/usb/practice"
	"portolan/wizard"
)

// portStatus is what `portolan status --json` prints.
type portStatus struct {
	Port     string           `json:"port"`
	Codename string           `json:"codename"`
	Work     string           `json:"work"`
	Steps    []wizard.Entry   `json:"steps"`
	Practice *practice.Status `json:"practice,omitempty"`
}

func statusCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show how far the port is", GroupID: "host", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := o.status(cmd)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if o.json {
				return json.NewEncoder(out).Encode(st)
			}
			name := st.Codename
			if name == "" {
				name = "no phone described yet; begin with: portolan new"
			}
			fmt.Fprintf(out, "port    %s  (%s)\nwork    %s\n", st.Port, name, st.Work)
			for _, id := range wizard.StepIDs {
				i := slices.IndexFunc(st.Steps, func(e wizard.Entry) bool { return e.Step == id })
				if i < 0 {
					fmt.Fprintf(out, "  %-9s to do\n", id)
					continue
				}
				e := st.Steps[i]
				text := e.Summary
				if e.Error != "" {
					text = e.Error
				}
				fmt.Fprintf(out, "  %-9s %-8s %s ago  %s\n", id, e.State, time.Since(e.At).Round(time.Second), text)
			}
			if st.Practice != nil {
				fmt.Fprintf(out, "practice phone: %s\n", st.Practice.Device.Mode)
			}
			return nil
		},
	}
}

// status reads the port and the journal, and starts nothing.
func (o *options) status(cmd *cobra.Command) (portStatus, error) {
	dir, err := o.portDir()
	if err != nil {
		return portStatus{}, err
	}
	work, err := o.workDir()
	if err != nil {
		return portStatus{}, err
	}
	st := portStatus{Port: dir, Work: work}
	if _, err := os.Stat(filepath.Join(dir, "port.toml")); err == nil {
		port, err := wizard.OpenPort(dir)
		if err != nil {
			return st, err
		}
		st.Codename = port.Snapshot().Get("codename")
	}
	journal, err := wizard.ReadJournal(dir)
	if err != nil {
		return st, err
	}
	for _, id := range wizard.StepIDs { // the last word on each step
		for i := len(journal) - 1; i >= 0; i-- {
			if journal[i].Step == id {
				st.Steps = append(st.Steps, journal[i])
				break
			}
		}
	}
	if ps, err := practice.GetStatus(cmd.Context(), filepath.Join(work, "practice")); err == nil {
		st.Practice = &ps
	}
	return st, nil
}
