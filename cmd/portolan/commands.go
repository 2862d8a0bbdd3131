package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"golang.org/x/term"

	"portolan/wizard"
)

// commands are all commands below the bare one.
func commands(o *options) []*cobra.Command {
	all := []*cobra.Command{voyageCommand(o)}
	all = append(all, stepCommands(o)...)
	all = append(all, lintCommand(o), questionsCommand(o), detectCommand(o), bootCommand(o), bootimgCommand(o), practiceCommand(o))
	all = append(all, sessionCommands(o)...)
	return append(all, statusCommand(o), logCommand(o), chrootCommand(o), zapCommand(o), doctorCommand(o), manCommand())
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

func questionsCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "questions", Short: "List the questions, for an answers file", GroupID: "voyage", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			if o.json {
				return json.NewEncoder(out).Encode(wizard.Questions)
			}
			section := ""
			for _, q := range wizard.Questions {
				if q.Section != section {
					section = q.Section
					fmt.Fprintf(out, "\n# %s\n", section)
				}
				fmt.Fprintf(out, "%-22s %s\n%-22s   %s\n", q.ID, q.Title, "", q.Why)
			}
			return nil
		},
	}
}

// manCommand writes man pages from the commands themselves; completions come
// with cobra's own completion command.
func manCommand() *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write the man pages to a folder", GroupID: "host", Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := absFolder(args[0], 0o755)
			if err != nil {
				return err
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			return doc.GenManTree(root, &doc.GenManHeader{Title: "PORTOLAN", Section: "1"}, dir)
		},
	}
}
