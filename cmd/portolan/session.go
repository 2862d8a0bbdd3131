package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"portolan/usb"
	"portolan/usb/session"
	"portolan/wizard"
)

// sessionCommands reach a phone that is up: its LUKS prompt, its debug shell,
// SSH, its logs.
func sessionCommands(o *options) []*cobra.Command {
	var device string
	var answers string
	unlock := &cobra.Command{
		Use: "unlock", Short: "Type the LUKS passphrase at the phone's prompt", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var a *wizard.Answers
			if answers != "" {
				var err error
				if a, err = wizard.ReadAnswers(answers); err != nil {
					return err
				}
			}
			return withPort(cmd, o, device, session.PortTelnet, func(ctx context.Context, at *session.Reached) error {
				return unlockPhone(ctx, at, a, cmd.OutOrStdout())
			})
		},
	}
	unlock.Flags().StringVar(&answers, "answers", "", "`file` whose passphrase_file holds the passphrase")
	shell := &cobra.Command{
		Use: "shell", Short: "Open the debug shell of the initramfs", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withPort(cmd, o, device, session.PortDebug, func(ctx context.Context, at *session.Reached) error {
				cols, rows := terminalSize()
				t := session.NewTelnet(at.Conn, cols, rows)
				return talk(ctx, t, t.Resize)
			})
		},
	}
	ssh := &cobra.Command{
		Use: "ssh [-- COMMAND…]", Short: "Log in over SSH, or run one command",
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withSSH(cmd, device, func(ctx context.Context, s *session.SSH) error {
				return sshSession(ctx, s, args, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	logs := &cobra.Command{
		Use: "logs", Short: "Print the phone's journal and kernel log", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.withSSH(cmd, device, func(ctx context.Context, s *session.SSH) error {
				return sshSession(ctx, s, []string{"journalctl --boot --no-pager 2>/dev/null || dmesg"}, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	all := []*cobra.Command{unlock, shell, ssh, logs}
	for _, c := range all {
		c.GroupID = "phone"
		c.Flags().StringVar(&device, "device", "", "`id` or serial of the phone, where several are plugged in")
	}
	return all
}

// withPort waits, with reasons, until a port of a phone answers.
func withPort(cmd *cobra.Command, o *options, device string, port int, use func(context.Context, *session.Reached) error) error {
	w, err := o.watcher()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	defer func() { cancel(); <-ended }() //nolint:errcheck // the watcher ends with the context

	fmt.Fprintln(cmd.ErrOrStderr(), "waiting for a phone; ctrl+c gives up")
	d, err := onlyPhone(ctx, w, device, func(usb.Device) bool { return true })
	var several *wizard.UsageError
	if errors.As(err, &several) {
		return err
	}
	if err != nil {
		return &wizard.PhoneError{Tried: "wait for a phone", Err: err}
	}
	at, err := session.Wait(ctx, session.Target{Watcher: w, Device: d.ID, Port: port}, func(s session.Waiting) {
		fmt.Fprintf(cmd.ErrOrStderr(), "waiting for %s; sees %s\n", s.For, s.Sees)
		for _, h := range s.Hints {
			fmt.Fprintf(cmd.ErrOrStderr(), "  try: %s\n", h)
		}
	})
	if err != nil {
		return &wizard.PhoneError{Tried: fmt.Sprintf("reach port %d of %s", port, d), Err: err}
	}
	defer at.Handle.Close()
	defer at.Conn.Close()
	return use(ctx, at)
}

// unlockPhone types the passphrase: the one of the answers' file once, a
// person's until it is right.
func unlockPhone(ctx context.Context, at *session.Reached, answers *wizard.Answers, out io.Writer) error {
	t := session.NewTelnet(at.Conn, 80, 24)
	device, err := session.WaitPrompt(ctx, t, nil)
	if err != nil {
		return err
	}
	fromFile := answers != nil && answers.PassphraseFile != ""
	if !fromFile && !isTerminal(os.Stdin) {
		return &wizard.UsageError{Text: "unlock needs a terminal to type the passphrase on, or --answers with a passphrase_file"}
	}
	for {
		var secret *wizard.Secret
		if fromFile {
			secret, err = wizard.ReadPassphrase(answers.PassphraseFile)
		} else {
			secret, err = readSecret(ctx, os.Stdin, os.Stderr, "Passphrase of "+device)
		}
		if err != nil {
			return err
		}
		outcome, err := session.Unlock(ctx, t, secret.Bytes(), nil)
		secret.Wipe()
		if err != nil {
			return err
		}
		if outcome.Result == session.Unlocked {
			fmt.Fprintf(out, "%s is unlocked; log in with: portolan ssh\n", outcome.Device)
			return nil
		}
		if fromFile || outcome.Closed {
			return &wizard.PhoneError{Tried: "unlock " + outcome.Device, Err: errors.New("the phone refused the passphrase"), Next: "run portolan unlock again with the right one"}
		}
		fmt.Fprintln(os.Stderr, "the phone refused the passphrase")
	}
}

// withSSH logs in on the phone with the port's keys.
func (o *options) withSSH(cmd *cobra.Command, device string, use func(context.Context, *session.SSH) error) error {
	dir, err := o.portDir()
	if err != nil {
		return err
	}
	keys, err := configDir()
	if err != nil {
		return err
	}
	cfg, err := wizard.SSHConfig(dir, keys)
	if err != nil {
		return err
	}
	return withPort(cmd, o, device, session.PortSSH, func(ctx context.Context, at *session.Reached) error {
		s, err := session.DialSSH(ctx, at.Conn, cfg)
		if err != nil {
			return &wizard.PhoneError{Tried: "log in on " + at.Device.String(), Err: err}
		}
		defer s.Close()
		return use(ctx, s)
	})
}

// sshSession runs a command, or a shell where there is none to run.
func sshSession(ctx context.Context, s *session.SSH, args []string, out, errOut io.Writer) error {
	if len(args) > 0 {
		stream, err := s.Stream(ctx, joinArgs(args), nil)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, stream)
		return errors.Join(err, stream.Close())
	}
	cols, rows := terminalSize()
	sh, err := s.Shell(ctx, cols, rows)
	if err != nil {
		return err
	}
	defer sh.Close()
	if err := talk(ctx, sh, sh.Resize); err != nil {
		return err
	}
	return sh.Wait()
}

func joinArgs(args []string) string {
	text := args[0]
	for _, a := range args[1:] {
		text += " " + a
	}
	return text
}

func terminalSize() (cols, rows int) {
	cols, rows, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return 80, 24
	}
	return cols, rows
}

// talk connects this terminal with a session until either side ends.
func talk(ctx context.Context, s io.ReadWriter, resize func(cols, rows int) error) error {
	fd := int(os.Stdin.Fd())
	if term.IsTerminal(fd) {
		state, err := term.MakeRaw(fd)
		if err != nil {
			return fmt.Errorf("take the terminal: %w", err)
		}
		defer func() { _ = term.Restore(fd, state) }()
		winch := make(chan os.Signal, 1)
		signal.Notify(winch, syscall.SIGWINCH)
		defer signal.Stop(winch)
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			for {
				select {
				case <-winch:
					_ = resize(terminalSize())
				case <-stop:
					return
				}
			}
		}()
	}
	ended := make(chan error, 1)
	go func() { // its owner is the process, which ends right after
		_, err := io.Copy(s, os.Stdin)
		if err == nil { // the input has ended: let the answer arrive
			time.Sleep(lastAnswer)
		}
		ended <- err
	}()
	go func() {
		_, err := io.Copy(os.Stdout, s)
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lastAnswer is how long a session goes on after its input, a pipe, has ended.
const lastAnswer = time.Second
