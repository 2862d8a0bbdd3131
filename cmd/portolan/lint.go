package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"portolan/templates"
	"portolan/wizard"
)

// maxLinted bounds a file that is linted: package recipes are a few KiB, kernel
// configurations some hundreds.
const maxLinted = 4 << 20

func lintCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "lint [DIR]", Short: "Check the packages of a port by pmaports' rules", GroupID: "voyage", Args: usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := o.portDir()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				dir = args[0]
			}
			files, err := packageFiles(dir)
			if err != nil {
				return err
			}
			findings := templates.Lint(files)
			if o.json {
				if findings == nil {
					findings = []templates.Finding{}
				}
				if err := json.NewEncoder(cmd.OutOrStdout()).Encode(findings); err != nil {
					return err
				}
			}
			for _, f := range findings {
				if !o.json {
					fmt.Fprintln(cmd.OutOrStdout(), f)
				}
			}
			if len(findings) > 0 {
				return fmt.Errorf("lint of %s: %d findings in %d files", dir, len(findings), len(files))
			}
			return nil
		},
	}
}

// packageFiles reads both package trees of a port.
func packageFiles(dir string) ([]templates.File, error) {
	var files []templates.File
	for _, tree := range []string{"postmarketos", "debian"} {
		err := filepath.WalkDir(filepath.Join(dir, tree), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			if info.Size() > maxLinted {
				return fmt.Errorf("%s has %d bytes, more than a file of a package should", path, info.Size())
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			files = append(files, templates.File{Path: filepath.ToSlash(rel), Mode: info.Mode().Perm(), Data: data})
			return nil
		})
		if err != nil && !os.IsNotExist(err) {
			return nil, fmt.Errorf("read the packages: %w", err)
		}
	}
	if len(files) == 0 {
		return nil, &wizard.UsageError{Text: fmt.Sprintf("there are no packages in %s; make them with: portolan generate", dir)}
	}
	return files, nil
}
