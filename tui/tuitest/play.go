package tuitest

import (
	"context"

	"portolan/wizard"
)

// Play sends the events of a voyage, scene by scene, and waits for the intents
// that the scenes need. Secrets and typed bytes that arrive are wiped, as the
// real receiver does. It returns when the voyage is over or ctx ends.
func Play(ctx context.Context, scenes []Scene, events chan<- wizard.Event, intents <-chan wizard.Intent) {
	next := func() (wizard.Intent, bool) {
		select {
		case in := <-intents:
			return in, true
		case <-ctx.Done():
			return nil, false
		}
	}
	for _, s := range scenes {
		for _, e := range s.Events {
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
		for met := s.Needs == nil; !met; {
			in, ok := next()
			if !ok {
				return
			}
			met = s.Needs(in)
			switch in := in.(type) {
			case wizard.Answer:
				in.Secret.Wipe()
			case wizard.SessionInput:
				clear(in.Bytes)
			}
		}
	}
	for { // nobody may be kept waiting by a full channel
		if _, ok := next(); !ok {
			return
		}
	}
}
