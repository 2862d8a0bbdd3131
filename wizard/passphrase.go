package wizard

import (
	"context"
	"fmt"
)

// heldPassphrase is the one of this run, or the one of the answers file, or nil.
// It belongs to the voyage, which wipes it when the run ends.
func (v *Voyage) heldPassphrase() (*Secret, error) {
	v.mu.Lock()
	held := v.passphrase
	v.mu.Unlock()
	if !held.Empty() {
		return held, nil
	}
	if v.cfg.Answers == nil || v.cfg.Answers.PassphraseFile == "" {
		return nil, nil
	}
	secret, err := ReadPassphrase(v.cfg.Answers.PassphraseFile)
	if err != nil {
		return nil, err
	}
	return v.holdPassphrase(secret), nil
}

// holdPassphrase keeps a secret for the rest of the run.
func (v *Voyage) holdPassphrase(s *Secret) *Secret {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.passphrase != s {
		v.passphrase.Wipe()
	}
	v.passphrase = s
	return s
}

// dropPassphrase forgets a passphrase that turned out to be wrong.
func (v *Voyage) dropPassphrase() { v.holdPassphrase(nil) }

// newPassphrase gets the passphrase that the phone's disk will have: typed
// twice, unless a file holds it. There is no default.
func (v *Voyage) newPassphrase(ctx context.Context) (*Secret, error) {
	if held, err := v.heldPassphrase(); held != nil || err != nil {
		return held, err
	}
	first := Ask{Step: StepImage, Title: fmt.Sprintf("Passphrase for the disk of %s", v.port.Get("name"))}
	for {
		secret, err := v.askSecret(ctx, first)
		if err != nil {
			return nil, err
		}
		again, err := v.askSecret(ctx, Ask{Step: StepImage, Title: "The same passphrase once more"})
		if err != nil {
			secret.Wipe()
			return nil, err
		}
		same := secret.Equal(again)
		again.Wipe()
		if same {
			return v.holdPassphrase(secret), nil
		}
		secret.Wipe()
		first.Error = "the two were not the same; type it twice again"
	}
}
