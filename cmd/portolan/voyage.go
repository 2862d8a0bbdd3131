package main

import (
	"context"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"portolan/wizard"
)

// runFlags are the flags of the commands that run steps.
type runFlags struct {
	answers string
	kernel  string
	device  string
	confirm string
	boot    string // a stock boot image from a file
	from    string
	to      string
	force   bool
	dryRun  bool // flash: show the plan only
}

func (r *runFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.answers, "answers", "", "`file` with answers to the questions")
	f.StringVar(&r.kernel, "kernel", "", "which kernel: archive or source")
	f.StringVar(&r.device, "device", "", "`id` or serial of the phone, where several are plugged in")
	f.StringVar(&r.boot, "boot-image", "", "`file` with the boot image that the phone came with")
	f.StringVar(&r.confirm, "confirm", "", "`codename` of the phone, to flash without being asked for it")
}

func voyageCommand(o *options) *cobra.Command {
	r := &runFlags{}
	cmd := &cobra.Command{
		Use:     "voyage",
		Short:   "The whole way: from a phone on the cable to a shell on it",
		GroupID: "voyage",
		Long: `Runs the steps detect, describe, generate, build, image, flash, attach and
touch, and leaves out those whose inputs are unchanged. Interrupted, it goes on
where it was when it is run again.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runSteps(cmd, o, r, wizard.RunSteps{From: wizard.StepID(r.from), To: wizard.StepID(r.to), Force: r.force || r.from != ""})
		},
	}
	r.add(cmd)
	cmd.Flags().StringVar(&r.from, "from", "", "first `step`, run even if nothing changed")
	cmd.Flags().StringVar(&r.to, "to", "", "last `step`")
	return cmd
}

// stepCommands are the steps as commands of their own. Some also run the steps
// before them where those are not done yet; --force is about the last one.
func stepCommands(o *options) []*cobra.Command {
	type step struct {
		use, short string
		from, to   wizard.StepID
		aliases    []string
	}
	var all []*cobra.Command
	for _, s := range []step{
		{use: "new", short: "Describe a phone and generate its packages", from: wizard.StepDescribe, to: wizard.StepGenerate},
		{use: "generate", short: "Write the packages of the port from its answers", from: wizard.StepGenerate, to: wizard.StepGenerate},
		{use: "build", short: "Build the kernel and the packages", from: wizard.StepGenerate, to: wizard.StepBuild},
		{use: "image", short: "Make the root filesystem, the initramfs and the boot image", from: wizard.StepGenerate, to: wizard.StepImage},
		{use: "flash", short: "Flash what image made, after showing the plan", from: wizard.StepDetect, to: wizard.StepFlash},
		{use: "touch", short: "Calibrate the touchscreen", from: wizard.StepTouch, to: wizard.StepTouch},
		{use: "loop", short: "Rebuild, flash and attach", from: wizard.StepDetect, to: wizard.StepAttach},
	} {
		r := &runFlags{}
		cmd := &cobra.Command{
			Use: s.use, Short: s.short, Aliases: s.aliases, GroupID: "voyage",
			Args: usageArgs(cobra.NoArgs),
			RunE: func(cmd *cobra.Command, _ []string) error {
				steps := wizard.RunSteps{From: s.from, To: s.to}
				if r.force {
					steps.Again = s.to
				}
				return runSteps(cmd, o, r, steps)
			},
		}
		r.add(cmd)
		cmd.Flags().BoolVar(&r.force, "force", false, "run even if nothing changed")
		if s.to == wizard.StepFlash {
			cmd.Flags().BoolVar(&r.dryRun, "dry-run", false, "show the plan for the phone in its bootloader, write nothing")
		}
		all = append(all, cmd)
	}
	return all
}

// detectTimeout is how long a voyage waits for a phone where nobody watches.
const detectTimeout = time.Minute

// runSteps runs steps with the plain or the JSON face.
func runSteps(cmd *cobra.Command, o *options, r *runFlags, steps wizard.RunSteps) error {
	var answers *wizard.Answers
	if r.answers != "" {
		var err error
		if answers, err = wizard.ReadAnswers(r.answers); err != nil {
			return err
		}
	}
	override := map[string]string{}
	if r.kernel != "" {
		override["kernel"] = r.kernel
	}
	h, err := o.openHouse(cmd.Context())
	if err != nil {
		return err
	}
	cfg, err := h.voyageConfig()
	if err != nil {
		return err
	}
	failed := &failureSeen{Emitter: o.reader(cmd.OutOrStdout())}
	cfg.Emitter = failed
	cfg.Answers, cfg.Override, cfg.Device, cfg.Confirm = answers, override, r.device, r.confirm
	cfg.BootImage = r.boot
	cfg.Answerer = newPrompter(os.Stderr)
	if cfg.Answerer == nil {
		cfg.DetectTimeout = detectTimeout // nobody is there to plug one in
	}
	return h.run(cmd.Context(), cfg, func(ctx context.Context, v *wizard.Voyage) error {
		if r.dryRun {
			return v.PlanFlash(ctx)
		}
		err := v.Run(ctx, steps)
		if err != nil && failed.seen.Load() {
			return &shownError{err}
		}
		return err
	})
}

// failureSeen remembers that the reader was told of a failure, so that it is
// not printed twice.
type failureSeen struct {
	wizard.Emitter
	seen atomic.Bool
}

// Emit passes the event on.
func (f *failureSeen) Emit(e wizard.Event) {
	if _, ok := e.(wizard.StepFailed); ok {
		f.seen.Store(true)
	}
	f.Emitter.Emit(e)
}
