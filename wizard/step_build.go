package wizard

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// buildStep builds the kernel package and the device package.
type buildStep struct {
	v *Voyage
}

func (*buildStep) ID() StepID { return StepBuild }

// source is one source package of the port.
type source struct {
	name string // folder and package: device-V-C, linux-V-C
	dir  string
	tree string // hash of the folder
	keep string // name of the kept build folder
}

// sources lists the source packages, the kernel first.
func (v *Voyage) sources() ([]source, error) {
	snap := v.port.Snapshot()
	id := snap.Get("vendor") + "-" + snap.Get("codename")
	list := []source{{name: "linux-" + id, keep: "linux-" + id}, {name: "device-" + id}}
	for i := range list {
		list[i].dir = v.port.Path("debian", list[i].name)
		tree, err := hashTree(list[i].dir)
		if err != nil {
			return nil, fmt.Errorf("read the source package %s: %w", list[i].name, err)
		}
		d := newDigest("package 1")
		d.add("tree", tree)
		d.add("for", snap.Get("arch"), snap.Get("suite"))
		list[i].tree = d.sum()
	}
	return list, nil
}

func (s *buildStep) Inputs(context.Context) (string, error) { return s.v.buildInputs() }

func (v *Voyage) buildInputs() (string, error) {
	list, err := v.sources()
	if err != nil {
		return "", err
	}
	d := newDigest("build 1")
	d.add("recipe", v.cfg.Rooms.Recipe)
	for _, src := range list {
		d.add(src.name, src.tree)
	}
	return d.sum(), nil
}

func (s *buildStep) Fresh(ctx context.Context, last Entry) (bool, string) {
	packages, err := entryPackages(last)
	if err != nil || len(packages) == 0 {
		return false, "the packages are not known any more"
	}
	for _, p := range packages {
		if ok, why := intact(ctx, p); !ok {
			return false, why
		}
	}
	s.v.reportPackages(packages)
	return true, fmt.Sprintf("%d packages are built", len(packages))
}

// intact tells whether a package file still is what was built.
func intact(ctx context.Context, p ReportPackage) (bool, string) {
	sum, _, err := hashFile(ctx, p.Path)
	if err != nil {
		return false, filepath.Base(p.Path) + " is not there any more"
	}
	if sum != p.SHA256 {
		return false, filepath.Base(p.Path) + " was changed since it was built"
	}
	return true, ""
}

func entryPackages(e Entry) ([]ReportPackage, error) {
	var list []ReportPackage
	err := json.Unmarshal([]byte(e.Outputs["packages"]), &list)
	return list, err
}

func (v *Voyage) reportPackages(packages []ReportPackage) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Packages = packages
}

func (s *buildStep) Outputs() map[string]string { return s.v.buildOutputs() }

// buildOutputs is what the journal keeps of the packages in the report.
func (v *Voyage) buildOutputs() map[string]string {
	v.mu.Lock()
	packages := v.report.Packages
	v.mu.Unlock()
	text, err := json.Marshal(packages)
	if err != nil {
		return nil
	}
	out := map[string]string{"packages": string(text)}
	if list, err := v.sources(); err == nil {
		for _, src := range list {
			out["tree "+src.name] = src.tree
		}
	}
	return out
}

func (s *buildStep) Run(ctx context.Context, _ Emitter) (string, error) {
	return s.v.build(ctx, StepBuild)
}

// build builds the source packages that changed since they were last built.
func (v *Voyage) build(ctx context.Context, step StepID) (string, error) {
	list, err := v.sources()
	if err != nil {
		return "", err
	}
	last, _ := v.journal.Last(StepBuild, v.serial())
	before, _ := entryPackages(last)
	snap := v.port.Snapshot()
	var packages []ReportPackage
	var names []string
	for _, src := range list {
		if kept := v.reusable(ctx, src, last, before); kept != nil {
			v.note(ctx, step, "%s is unchanged, its package is taken", src.name)
			packages = append(packages, kept...)
			continue
		}
		v.note(ctx, step, "building %s", src.name)
		out := v.port.Path("out", "packages", src.name)
		if err := os.MkdirAll(out, 0o755); err != nil {
			return "", hostTrouble("make "+out, err)
		}
		built, err := v.cfg.Rooms.Workshop.Package(ctx, PackageJob{
			Source: src.dir, Arch: debianArch(snap.Get("arch")), Suite: snap.Get("suite"), Out: out, Keep: src.keep, Work: v.work(ctx, step),
		})
		if err != nil {
			return "", fmt.Errorf("build %s: %w", src.name, err)
		}
		if len(built) == 0 {
			return "", fmt.Errorf("build %s: it made no package; look at %s", src.name, filepath.Join(src.dir, "debian", "control"))
		}
		packages = append(packages, built...)
	}
	for _, p := range packages {
		names = append(names, p.Name)
	}
	v.reportPackages(packages)
	return fmt.Sprintf("%d packages: %s", len(packages), strings.Join(names, ", ")), nil
}

// reusable returns the packages of a source that is as it was when they were built.
func (v *Voyage) reusable(ctx context.Context, src source, last Entry, packages []ReportPackage) []ReportPackage {
	if last.Outputs["tree "+src.name] != src.tree {
		return nil
	}
	out := v.port.Path("out", "packages", src.name)
	var kept []ReportPackage
	for _, p := range packages {
		if filepath.Dir(p.Path) != out {
			continue
		}
		if ok, _ := intact(ctx, p); !ok {
			return nil
		}
		kept = append(kept, p)
	}
	return kept
}

// work passes on what a job of the workshop says.
func (v *Voyage) work(ctx context.Context, step StepID) Work {
	return Work{
		Line: func(kind LineKind, text string) { v.line(ctx, step, kind, text) },
		Progress: func(what string, done, total int64, left time.Duration) {
			v.emit(ctx, Progress{Step: step, What: what, Done: done, Total: total, Left: left})
		},
	}
}
