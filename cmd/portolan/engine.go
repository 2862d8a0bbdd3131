package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"portolan/chroot"
	"portolan/wizard"
)

// withEngine opens the engine for one command.
func (o *options) withEngine(ctx context.Context, use func(*chroot.Engine) error) (err error) {
	work, err := o.workDir()
	if err != nil {
		return err
	}
	e, err := chroot.Open(ctx, chroot.Config{Work: work, Jobs: o.jobs, Offline: o.offline})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return use(e)
}

func chrootCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "chroot [LAYER] [-- COMMAND…]", Short: "List the layers, or run a command in a throw-away copy of one", GroupID: "host",
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withEngine(cmd.Context(), func(e *chroot.Engine) error {
				if len(args) == 0 {
					return listLayers(cmd, e)
				}
				stack, err := e.Stack(args[0])
				if errors.Is(err, chroot.ErrNoLayer) {
					return &wizard.UsageError{Text: fmt.Sprintf("there is no layer %s; portolan chroot lists them", args[0])}
				} else if err != nil {
					return err
				}
				c := chroot.Cmd{Argv: []string{"/bin/sh"}}
				if len(args) > 1 {
					c.Argv = args[1:]
				}
				root := e.Chroot(args[0], stack...)
				root.Network = true
				if isTerminal(os.Stdin) && isTerminal(os.Stdout) {
					return runOnTerminal(cmd.Context(), root, c)
				}
				c.Stdin, c.Stdout = os.Stdin, cmd.OutOrStdout()
				return root.Run(cmd.Context(), c)
			})
		},
	}
}

func listLayers(cmd *cobra.Command, e *chroot.Engine) error {
	layers, err := e.LayerList()
	if err != nil {
		return err
	}
	for _, l := range layers {
		fmt.Fprintf(cmd.OutOrStdout(), "%s  %s  on %v\n", l.ID, l.Created.Format("2006-01-02 15:04"), l.Parents)
	}
	if len(layers) == 0 {
		fmt.Fprintln(cmd.OutOrStdout(), "no layers yet; portolan build makes them")
	}
	return nil
}

func zapCommand(o *options) *cobra.Command {
	var caches bool
	cmd := &cobra.Command{
		Use: "zap [LAYER…]", Short: "Remove layers; caches stay unless --caches", GroupID: "host",
		Long: `Removes the named layers, or all of them. What is removed only costs time: the
next build makes it again. Downloads, ccache and kept build folders stay unless
--caches is given.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.withEngine(cmd.Context(), func(e *chroot.Engine) error {
				layers, err := e.LayerList()
				if err != nil {
					return err
				}
				if len(args) == 0 {
					slices.SortStableFunc(layers, func(a, b chroot.Layer) int { // what lies on others goes first
						return len(b.Parents) - len(a.Parents)
					})
					for _, l := range layers {
						args = append(args, l.ID)
					}
				}
				for _, id := range args {
					if err := e.RemoveLayer(cmd.Context(), id); err != nil {
						return err
					}
					fmt.Fprintln(cmd.OutOrStdout(), "removed the layer", id)
				}
				if !caches {
					return nil
				}
				for _, name := range chroot.Caches {
					dir, err := e.Dir(name)
					if err != nil {
						return err
					}
					if err := e.Remove(cmd.Context(), dir); err != nil {
						return err
					}
					fmt.Fprintln(cmd.OutOrStdout(), "removed", dir)
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&caches, "caches", false, "remove downloads, ccache and kept build folders too")
	return cmd
}
