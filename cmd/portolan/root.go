package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"portolan/wizard"
)

// options are the global flags.
type options struct {
	port     string // folder of the port; empty: the current folder
	work     string // layers, caches, logs; empty: the user's cache folder
	jobs     int
	verbose  bool
	offline  bool
	mirror   string // of the Debian archive; empty: the host's own
	plain    bool
	json     bool
	practice bool   // work with the practice phone only
	kernel   string // which kernel the TUI's voyage takes; empty: what port.toml says
}

// newRoot builds the command tree. Bare `portolan` opens the TUI.
func newRoot() *cobra.Command {
	o := &options{}
	root := &cobra.Command{
		Use:   "portolan",
		Short: "From an old Android phone on a USB cable to Linux booting on it",
		Long: `Portolan detects a phone, asks what it cannot find out, writes its packages,
builds them, makes the image, flashes it and opens the phone's console.

Bare "portolan" opens the terminal UI. Every step has a command of its own.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the host lacks something
("portolan doctor" names it), 4 phone not found or lost, 5 refused because it
is not safe, 130 interrupted.`,
		Args:          usageArgs(cobra.NoArgs),
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.plain || o.json || !drawable() {
				return cmd.Help()
			}
			return runTUI(cmd.Context(), o)
		},
	}
	f := root.PersistentFlags()
	f.StringVar(&o.port, "port", "", "folder of the `port` (default: the current folder)")
	f.StringVar(&o.work, "work", "", "folder for layers, caches and logs (default: the user's cache folder)")
	f.IntVar(&o.jobs, "jobs", runtime.NumCPU(), "parallel jobs of a build")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "print every line of output")
	f.BoolVar(&o.offline, "offline", false, "use caches only, no network")
	f.StringVar(&o.mirror, "mirror", "", "`URL` of the Debian archive (default: the host's own)")
	f.BoolVar(&o.plain, "plain", false, "one line per event, no drawing")
	f.BoolVar(&o.json, "json", false, "one JSON object per event")
	f.BoolVar(&o.practice, "practice", false, "plug in the practice phone and look at no other")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return &wizard.UsageError{Text: err.Error()}
	})
	root.AddGroup(
		&cobra.Group{ID: "voyage", Title: "The voyage and its steps:"},
		&cobra.Group{ID: "phone", Title: "Phones:"},
		&cobra.Group{ID: "host", Title: "The engine and this computer:"},
	)
	root.Flags().StringVar(&o.kernel, "kernel", "", "which kernel: archive or source")
	for _, c := range commands(o) {
		root.AddCommand(c)
	}
	return root
}

// usageArgs turns a complaint about arguments into the exit code for wrong usage.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &wizard.UsageError{Text: fmt.Sprintf("%s: %v; see %q", cmd.CommandPath(), err, cmd.CommandPath()+" --help")}
		}
		return nil
	}
}

// drawable tells whether the TUI can be shown: a terminal on both sides that
// is not a dumb one, and nobody who asked for plain text.
func drawable() bool {
	return term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd())) &&
		os.Getenv("TERM") != "dumb" && os.Getenv("TERM") != "" && os.Getenv("ACCESSIBLE") == ""
}

// reader chooses the face that prints events.
func (o *options) reader(w io.Writer) wizard.Emitter {
	if o.json {
		return newJSONReader(w)
	}
	return newPlainReader(w, o.verbose)
}

// workDir returns the work folder, made if need be.
func (o *options) workDir() (string, error) {
	dir := o.work
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", &wizard.UsageError{Text: "no cache folder is known for this user; name one with --work: " + err.Error()}
		}
		dir = filepath.Join(cache, "portolan")
	}
	return absFolder(dir, 0o755)
}

// portDir returns the folder of the port. It need not be there: who writes to
// it makes it.
func (o *options) portDir() (string, error) {
	dir, err := filepath.Abs(o.port)
	if err != nil {
		return "", fmt.Errorf("find the folder %s: %w", o.port, err)
	}
	return dir, nil
}

func absFolder(dir string, mode os.FileMode) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the folder %s: %w", dir, err)
	}
	if err := os.MkdirAll(abs, mode); err != nil {
		return "", fmt.Errorf("make the folder %s: %w", abs, err)
	}
	return abs, nil
}

// configDir holds keys and config.toml.
func configDir() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find the configuration folder: %w", err)
	}
	return absFolder(filepath.Join(dir, "portolan"), 0o700)
}
