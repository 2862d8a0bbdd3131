package wizard

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ask gets answers to questions. check may refuse a set of answers; then they
// are asked again with the reason, as often as a person tries.
func (v *Voyage) ask(ctx context.Context, a Ask, check func(map[string]string) error) (map[string]string, error) {
	for {
		values, secret, err := v.askOnce(ctx, a)
		secret.Wipe()
		if err != nil {
			return nil, err
		}
		err = checkAnswers(a.Questions, values)
		if err == nil && check != nil {
			err = check(values)
		}
		if err == nil {
			return values, nil
		}
		if !v.cfg.Interactive && v.cfg.Answerer == nil {
			return nil, err
		}
		a.Error = err.Error()
	}
}

// askSecret gets a secret; the caller wipes it.
func (v *Voyage) askSecret(ctx context.Context, a Ask) (*Secret, error) {
	a.Secret = true
	for {
		_, secret, err := v.askOnce(ctx, a)
		if err != nil {
			return nil, err
		}
		if err := checkPassphrase(secret); err != nil {
			secret.Wipe()
			a.Error = err.Error()
			continue
		}
		return secret, nil
	}
}

// askOnce asks whoever can answer.
func (v *Voyage) askOnce(ctx context.Context, a Ask) (map[string]string, *Secret, error) {
	v.mu.Lock()
	v.askSeq++
	a.ID = fmt.Sprintf("%s-%d", a.Step, v.askSeq)
	v.mu.Unlock()
	switch {
	case v.cfg.Interactive:
		return v.askForm(ctx, a)
	case v.cfg.Answerer != nil:
		v.emit(ctx, a)
		values, secret, err := v.cfg.Answerer.Answer(ctx, a)
		if err == nil {
			err = ctx.Err()
		}
		return values, secret, err
	case a.Secret:
		return nil, nil, &UsageError{Key: "passphrase_file",
			Text: "a passphrase is needed and there is nobody to ask: name a file that holds it in the answers (`passphrase_file = \"…\"`), or run this on a terminal"}
	}
	return suggestions(a.Questions), nil, nil
}

// askForm waits for the Answer intent with the ask's id.
func (v *Voyage) askForm(ctx context.Context, a Ask) (map[string]string, *Secret, error) {
	ch := make(chan Answer, 1)
	v.mu.Lock()
	v.asks[a.ID] = ch
	v.mu.Unlock()
	defer func() {
		v.mu.Lock()
		delete(v.asks, a.ID)
		v.mu.Unlock()
		select {
		case late := <-ch:
			late.Secret.Wipe()
		default:
		}
	}()
	v.emit(ctx, a)
	select {
	case got := <-ch:
		return got.Values, got.Secret, nil
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

// answer hands an Answer intent to the ask that waits for it.
func (v *Voyage) answer(in Answer) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	ch, ok := v.asks[in.ID]
	if !ok {
		in.Secret.Wipe()
		return fmt.Errorf("nothing waits for the answer %s any more", in.ID)
	}
	select {
	case ch <- in:
		return nil
	default:
		in.Secret.Wipe()
		return fmt.Errorf("the question %s was already answered", in.ID)
	}
}

func suggestions(questions []Question) map[string]string {
	values := map[string]string{}
	for _, q := range questions {
		values[q.ID] = q.Suggestion.Text
	}
	return values
}

// checkAnswers validates the answers to the questions that apply.
func checkAnswers(questions []Question, values map[string]string) error {
	get := func(id string) string { return values[id] }
	var errs []error
	var missing []string
	for _, q := range questions {
		if q.Applies != nil && !q.Applies(get) {
			continue
		}
		if values[q.ID] == "" && !q.Optional {
			missing = append(missing, q.ID)
			continue
		}
		if err := q.Check(values[q.ID]); err != nil {
			errs = append(errs, &UsageError{Key: q.ID, Err: err})
		}
	}
	if len(missing) > 0 {
		errs = append(errs, &UsageError{Text: "these questions have no answer: " + strings.Join(missing, ", ") + "; write them into the answers file, or into port.toml"})
	}
	return errors.Join(errs...)
}
