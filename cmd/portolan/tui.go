package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"portolan/tui"
	"portolan/wizard"
)

// runTUI opens the terminal UI on the port.
func runTUI(ctx context.Context, o *options) error {
	h, err := o.openHouse(ctx)
	if err != nil {
		return err
	}
	cfg, err := h.voyageConfig()
	if err != nil {
		return err
	}
	cfg.Interactive = true
	if o.kernel != "" {
		cfg.Override = map[string]string{"kernel": o.kernel}
	}
	goodbye, err := guardTerminal(os.Stdout, filepath.Join(h.work, "logs"))
	if err != nil {
		return fmt.Errorf("open the terminal UI: %w", err)
	}
	defer goodbye()
	return h.run(ctx, cfg, func(ctx context.Context, v *wizard.Voyage) error {
		if o.practice {
			if err := v.Send(wizard.PluginPractice{}); err != nil {
				return err
			}
		}
		journal, err := wizard.ReadJournal(h.port)
		if err != nil {
			return err
		}
		return tui.Run(ctx, tui.Config{
			Events:    v.Events(),
			Send:      v.Send,
			Questions: wizard.Questions,
			Port:      v.Port(),
			Journal:   journal,
			Preview:   v.Preview,
			Version:   version(),
			LogPath:   filepath.Join(h.work, "logs"),
			Theme:     os.Getenv("PORTOLAN_THEME"),
		})
	})
}
