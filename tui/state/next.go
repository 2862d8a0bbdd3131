package state

import (
	"fmt"

	"portolan/usb"
	"portolan/wizard"
)

// Action is what "do what comes next" does.
type Action int

// The actions.
const (
	Nothing    Action = iota
	StartAll          // run the voyage; finished steps are skipped
	Answer            // go to the question that is open
	Plug              // plug in the practice phone
	Look              // go to where the running step shows itself
	ShowReport        // look at the report
)

// Next is the one line that says what comes next. Text has no key in it: the
// face puts the key of the action in front.
type Next struct {
	Action Action
	Text   string
}

// needsPhone are the steps that do nothing without a phone on the cable.
var needsPhone = map[wizard.StepID]bool{
	wizard.StepDetect: true, wizard.StepFlash: true, wizard.StepAttach: true, wizard.StepTouch: true,
}

// Next tells what a person can do now.
func (s State) Next() Next {
	if s.Ask != nil {
		what := s.Ask.Title
		if what == "" {
			what = fmt.Sprintf("%d questions", len(s.Ask.Questions))
		}
		return Next{Answer, fmt.Sprintf("answers %s: %s", s.Ask.Step, what)}
	}
	if s.Waiting != nil {
		return Next{Look, fmt.Sprintf("shows %s, which waits for %s", s.Waiting.Step, s.Waiting.For)}
	}
	if run, ok := s.Running(); ok {
		return Next{Look, fmt.Sprintf("shows %s at work", run.ID)}
	}
	if f, ok := s.Failed(); ok {
		if f.Status == Cancelled {
			return Next{StartAll, fmt.Sprintf("continues at %s, which was stopped", f.ID)}
		}
		if _, ok := s.Phone(); !ok && needsPhone[f.ID] {
			return Next{StartAll, fmt.Sprintf("tries %s again, and waits for the phone", f.ID)}
		}
		return Next{StartAll, fmt.Sprintf("tries %s again", f.ID)}
	}
	next, todo := s.NextStep()
	if !todo {
		if s.Report != nil {
			return Next{ShowReport, "shows the report of the voyage"}
		}
		return Next{StartAll, "sails again; what is unchanged is skipped"}
	}
	phone, ok := s.Phone()
	switch {
	case !ok && len(s.Devices) > 1:
		return Next{Nothing, "choose the phone to work with"}
	case !ok:
		return Next{Plug, "plugs in the practice phone — or put your own on the cable, in fastboot mode"}
	case phone.Permission == usb.PermissionDenied:
		return Next{Nothing, "the phone is there, but this user may not open it: " + phone.Hint}
	case phone.Permission == usb.PermissionBusy:
		return Next{Nothing, "another program holds the phone: " + phone.Hint}
	case next.ID == wizard.StepDetect || s.Fresh():
		return Next{StartAll, "starts the voyage with " + phone.Product}
	}
	return Next{StartAll, fmt.Sprintf("continues at %s", next.ID)}
}
