package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"portolan/flashers/bootimg"
	"portolan/flashers/sparse"
	"portolan/usb"
	"portolan/usb/practice"
	"portolan/wizard"
)

// rehearsalMount is how the practice phone's touchscreen is built in unless
// told otherwise: wrong in both ways, so that the touch step has work to do.
var rehearsalMount = practice.Mount{Rotate: 90, Mirror: true}

// practiceState is the practice phone's folder.
func (o *options) practiceState() (string, error) {
	work, err := o.workDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(work, "practice"), nil
}

// practicePhone hands the practice phone what it may not import: how a
// bootloader reads its boot partition, and how sparse data is expanded.
func practicePhone(s practice.Settings) practice.Config {
	return practice.Config{
		Settings: s,
		ParseBoot: func(r io.ReaderAt, size int64) (practice.Boot, error) {
			img, err := bootimg.Read(r, size)
			if err != nil {
				return practice.Boot{}, err
			}
			return practice.Boot{Kernel: img.Kernel, Ramdisk: img.Ramdisk, Cmdline: img.Cmdline}, nil
		},
		MakeBoot: makeStockBoot,
		Unsparse: func(src io.ReaderAt, size int64, dst io.WriterAt) error {
			r, err := sparse.NewReader(src, size)
			if err != nil {
				return err
			}
			return r.WriteRaw(dst)
		},
		Log: func(line string) {
			fmt.Fprintf(os.Stderr, "%s %s\n", time.Now().Format(time.TimeOnly), line)
		},
	}
}

func practiceCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "practice",
		Short:   "The virtual phone to rehearse on",
		GroupID: "phone",
		Long: `The practice phone has a bootloader that speaks fastboot over TCP (so that the
fastboot program can talk to it too), partitions that are files, and a QEMU
machine that boots what was flashed.`,
	}
	cmd.AddCommand(practiceStart(o), practiceServe(),
		practiceDo(o, "stop", "Switch it off; no process is left", 0, func(ctx context.Context, dir string, _ []string, out io.Writer) error {
			return practice.Stop(ctx, dir)
		}),
		practiceDo(o, "status", "Tell its mode, port and folders", 0, func(ctx context.Context, dir string, _ []string, out io.Writer) error {
			st, err := practice.GetStatus(ctx, dir)
			if err != nil {
				return notRunning(err)
			}
			return printPracticeStatus(out, st, o.json)
		}),
		practiceDo(o, "tap X Y", "Touch the screen; X and Y are pixels as a person sees it", 2, practiceTap),
		practiceDo(o, "screenshot FILE", "Photograph the screen as PNG", 1, func(ctx context.Context, dir string, args []string, out io.Writer) error {
			png, err := practice.Screenshot(ctx, dir)
			if err != nil {
				return notRunning(err)
			}
			return os.WriteFile(args[0], png, 0o644)
		}),
		practiceDo(o, "unplug", "Pull the cable", 0, func(ctx context.Context, dir string, _ []string, _ io.Writer) error {
			return notRunning(practice.Plug(ctx, dir, false))
		}),
		practiceDo(o, "plug", "Put the cable in", 0, func(ctx context.Context, dir string, _ []string, _ io.Writer) error {
			return notRunning(practice.Plug(ctx, dir, true))
		}),
		practiceDo(o, "power on|off", "Boot its boot partition, or switch it off", 1, func(ctx context.Context, dir string, args []string, _ io.Writer) error {
			if args[0] != "on" && args[0] != "off" {
				return &wizard.UsageError{Text: fmt.Sprintf("practice power %q: choose on or off", args[0])}
			}
			return notRunning(practice.Power(ctx, dir, args[0] == "on"))
		}),
		practiceDo(o, "bootloader", "Hold the buttons: into fastboot", 0, func(ctx context.Context, dir string, _ []string, _ io.Writer) error {
			return notRunning(practice.ToBootloader(ctx, dir))
		}))
	return cmd
}

// practiceDo is a subcommand that asks the running phone for one thing.
func practiceDo(o *options, use, short string, args int, do func(ctx context.Context, dir string, args []string, out io.Writer) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: usageArgs(cobra.ExactArgs(args)),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := o.practiceState()
			if err != nil {
				return err
			}
			return do(cmd.Context(), dir, args, cmd.OutOrStdout())
		},
	}
}

// notRunning gives a phone that does not answer the exit code of a lost one.
func notRunning(err error) error {
	if errors.Is(err, practice.ErrNotRunning) {
		return &wizard.PhoneError{Tried: "talk to the practice phone", Err: err}
	}
	return err
}

func practiceTap(ctx context.Context, dir string, args []string, _ io.Writer) error {
	var at [2]float64
	for i, size := range []float64{practice.ScreenWidth, practice.ScreenHeight} {
		v, err := strconv.ParseFloat(args[i], 64)
		if err != nil || v < 0 || v >= size {
			return &wizard.UsageError{Text: fmt.Sprintf("practice tap: %q is not between 0 and %.0f pixels", args[i], size-1)}
		}
		at[i] = v / size
	}
	return notRunning(practice.Tap(ctx, dir, at[0], at[1]))
}

func practiceStart(o *options) *cobra.Command {
	s := practice.Settings{Mount: rehearsalMount}
	cmd := &cobra.Command{
		Use: "start", Short: "Plug it in; it runs until stop", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := o.practiceState()
			if err != nil {
				return err
			}
			s.StateDir = dir
			run, err := startPractice(cmd.Context(), s, false)
			if err != nil {
				return err
			}
			return printPracticeStatus(cmd.OutOrStdout(), run.Status, o.json)
		},
	}
	f := cmd.Flags()
	f.IntVar(&s.Port, "tcp-port", practice.DefaultPort, "TCP `port` of its fastboot on 127.0.0.1; 0 chooses a free one")
	f.IntVar(&s.Mount.Rotate, "rotate", s.Mount.Rotate, "degrees clockwise by which its touchscreen is turned: 0, 90, 180, 270")
	f.BoolVar(&s.Mount.Mirror, "mirror", s.Mount.Mirror, "its touchscreen is mirrored")
	return cmd
}

// practiceServe is the phone's own process, started by practice start.
func practiceServe() *cobra.Command {
	return &cobra.Command{
		Use: "serve SETTINGS", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := practice.ParseSettings(args[0])
			if err != nil {
				return err
			}
			return practice.Serve(cmd.Context(), practicePhone(s))
		},
	}
}

func printPracticeStatus(out io.Writer, st practice.Status, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(st)
	}
	plugged := "plugged in"
	if !st.Plugged {
		plugged = "unplugged"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s, %s\n", st.Device, plugged)
	fmt.Fprintf(&b, "  fastboot    fastboot -s tcp:127.0.0.1:%d getvar all\n", st.Port)
	fmt.Fprintf(&b, "  serial log  %s\n  process     %d", st.SerialLog, st.PID)
	if st.QEMU != 0 {
		fmt.Fprintf(&b, ", qemu %d", st.QEMU)
	}
	b.WriteByte('\n')
	if st.Device.Hint != "" {
		fmt.Fprintf(&b, "  %s\n", st.Device.Hint)
	}
	_, err := b.WriteTo(out)
	return err
}

// usbSources are the places where phones are looked for.
func (o *options) usbSources() ([]usb.Source, error) {
	dir, err := o.practiceState()
	if err != nil {
		return nil, err
	}
	sources := []usb.Source{practice.Source{StateDir: dir}}
	if !o.practice {
		sources = append(sources, realPhones()...)
	}
	return sources, nil
}
