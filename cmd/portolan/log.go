package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"portolan/wizard"
)

func logCommand(o *options) *cobra.Command {
	var path bool
	cmd := &cobra.Command{
		Use: "log [STEP]", Short: "Print the log of the last run", GroupID: "host", Args: usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			work, err := o.workDir()
			if err != nil {
				return err
			}
			run, err := lastRun(filepath.Join(work, "logs"))
			if err != nil {
				return err
			}
			files, err := filepath.Glob(filepath.Join(run, "*"))
			if err != nil {
				return err
			}
			slices.Sort(files)
			if len(args) == 1 {
				files = slices.DeleteFunc(files, func(f string) bool { return !strings.Contains(filepath.Base(f), args[0]) })
				if len(files) == 0 {
					return &wizard.UsageError{Text: fmt.Sprintf("the last run has no log of %q; it is in %s", args[0], run)}
				}
			}
			for _, f := range files {
				if path {
					fmt.Fprintln(cmd.OutOrStdout(), f)
					continue
				}
				if err := printLog(cmd.OutOrStdout(), f); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&path, "path", false, "print the names of the files only")
	return cmd
}

// lastRun is the newest folder of logs; their names are times.
func lastRun(logs string) (string, error) {
	entries, err := os.ReadDir(logs)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the logs: %w", err)
	}
	for _, e := range slices.Backward(entries) {
		if e.IsDir() {
			return filepath.Join(logs, e.Name()), nil
		}
	}
	return "", fmt.Errorf("there is no log in %s yet; run a step first", logs)
}

func printLog(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	defer f.Close()
	fmt.Fprintf(w, "== %s\n", path)
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadString('\n')
		if line != "" {
			fmt.Fprintln(w, wizard.Printable(strings.TrimRight(line, "\n")))
		}
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the log %s: %w", path, err)
		}
	}
}
