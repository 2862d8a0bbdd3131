package wizard

// finishReport fills in what follows from the rest: what to do next.
func (v *Voyage) finishReport(steps []Step) {
	last := steps[len(steps)-1].ID()
	snap := v.port.Snapshot()
	v.mu.Lock()
	defer v.mu.Unlock()
	r := &v.report
	r.Phone = v.device
	if v.cfg.Watcher != nil {
		for _, d := range v.cfg.Watcher.Devices() {
			if d.Serial == r.Phone.Serial && d.Source == r.Phone.Source {
				r.Phone = d // in the mode it is in now
			}
		}
	}
	switch {
	case last != StepTouch:
		for i, id := range StepIDs {
			if id == last && i+1 < len(StepIDs) {
				r.Next = "go on with " + string(StepIDs[i+1])
			}
		}
	case snap.Get("kernel") == "archive" && r.Phone.Practice:
		r.Next = "compile a kernel of your own and boot it on the same practice phone: portolan voyage --practice --kernel source"
	case snap.Get("kernel") == "archive":
		r.Next = "compile a kernel of your own: portolan voyage --kernel source"
	default:
		r.Next = "change something and see it on the phone: portolan loop"
	}
}
