package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/term"

	"portolan/wizard"
)

// prompter answers asks on a terminal, line by line: numbered choices, the
// suggestion with its source, why it is asked. It draws nothing.
type prompter struct {
	in    *os.File
	lines *bufio.Reader
	out   io.Writer
}

// newPrompter returns who answers asks: a person where there is a terminal,
// nobody (nil) elsewhere.
func newPrompter(out io.Writer) wizard.Answerer {
	if !isTerminal(os.Stdin) {
		return nil
	}
	return &prompter{in: os.Stdin, lines: bufio.NewReader(os.Stdin), out: out}
}

// Answer asks for each question, or for the secret.
func (p *prompter) Answer(ctx context.Context, ask wizard.Ask) (map[string]string, *wizard.Secret, error) {
	if ask.Secret {
		if ask.Error != "" {
			fmt.Fprintf(p.out, "  not taken: %s\n", ask.Error)
		}
		s, err := readSecret(ctx, p.in, p.out, ask.Title)
		return nil, s, err
	}
	values := map[string]string{}
	for _, q := range ask.Questions {
		if q.Applies != nil && !q.Applies(func(id string) string { return values[id] }) {
			continue
		}
		suggestion := q.Suggestion.Text
		if suggestion == "" && q.Suggest != nil {
			suggestion = q.Suggest(func(id string) string { return values[id] })
		}
		answer, err := p.question(ctx, q, suggestion)
		if err != nil {
			return nil, nil, err
		}
		values[q.ID] = answer
	}
	return values, nil, nil
}

func (p *prompter) question(ctx context.Context, q wizard.Question, suggestion string) (string, error) {
	fmt.Fprintf(p.out, "\n%s (%s)\n  %s\n", q.Title, q.ID, q.Why)
	if q.IfWrong != "" {
		fmt.Fprintf(p.out, "  If it is wrong: %s\n", q.IfWrong)
	}
	for i, c := range q.Choices {
		fmt.Fprintf(p.out, "  %d) %-12s %s\n", i+1, c.Value, c.Help)
	}
	for {
		if suggestion != "" {
			fmt.Fprintf(p.out, "  [%s, %s] > ", suggestion, q.Suggestion.Source)
		} else {
			fmt.Fprint(p.out, "  > ")
		}
		line, err := p.line(ctx)
		if err != nil {
			return "", err
		}
		line = strings.TrimSpace(line)
		if line == "" {
			line = suggestion
		}
		if n, err := strconv.Atoi(line); err == nil && len(q.Choices) > 0 && n >= 1 && n <= len(q.Choices) &&
			!slices.ContainsFunc(q.Choices, func(c wizard.Choice) bool { return c.Value == line }) {
			line = q.Choices[n-1].Value
		}
		if line == "" && q.Optional {
			return "", nil
		}
		if err := q.Check(line); err != nil {
			fmt.Fprintf(p.out, "  not taken: %v\n", err)
			continue
		}
		return line, nil
	}
}

// line reads one line. A context that ends leaves the read behind; the process
// is about to end then.
func (p *prompter) line(ctx context.Context) (string, error) {
	type read struct {
		text string
		err  error
	}
	got := make(chan read, 1)
	go func() {
		text, err := p.lines.ReadString('\n')
		got <- read{text, err}
	}()
	select {
	case r := <-got:
		return r.text, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// readSecret reads a line without echo and puts the terminal right again
// whatever happens.
func readSecret(ctx context.Context, in *os.File, out io.Writer, title string) (*wizard.Secret, error) {
	fd := int(in.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", title, err)
	}
	fmt.Fprintf(out, "%s (not shown): ", title)
	type read struct {
		b   []byte
		err error
	}
	got := make(chan read, 1)
	go func() {
		b, err := term.ReadPassword(fd)
		got <- read{b, err}
	}()
	select {
	case r := <-got:
		fmt.Fprintln(out)
		if r.err != nil {
			return nil, fmt.Errorf("ask for %s: %w", title, r.err)
		}
		return wizard.NewSecret(r.b), nil
	case <-ctx.Done():
		_ = term.Restore(fd, state)
		fmt.Fprintln(out)
		return nil, ctx.Err()
	}
}
