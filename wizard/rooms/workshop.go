package rooms

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"portolan/chroot"
	"portolan/chroot/debian"
	"portolan/templates"
	"portolan/wizard"
)

// Workshop is wizard.Workshop with the chroot engine. The engine is opened by
// the first job, so that a run that builds nothing takes no lock.
type Workshop struct {
	config Config

	mu       sync.Mutex
	engine   *chroot.Engine
	builders map[string]*debian.Builder // by suite

	line sync.Mutex
	work wizard.Work // of the job at hand
}

// open opens the engine, once, and points its log to the job at hand.
func (w *Workshop) open(ctx context.Context, suite string, work wizard.Work) (*debian.Builder, error) {
	w.line.Lock()
	w.work = work
	w.line.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.engine == nil {
		engine, err := chroot.Open(ctx, chroot.Config{Work: w.config.Work, Jobs: w.config.Jobs, Offline: w.config.Offline, Log: w.pass})
		if err != nil {
			return nil, translate("open the work folder", err)
		}
		w.engine = engine
		w.builders = map[string]*debian.Builder{}
	}
	b := w.builders[suite]
	if b == nil {
		b = &debian.Builder{Engine: w.engine, Suite: suite, Mirror: w.config.Mirror}
		w.builders[suite] = b
	}
	return b, nil
}

// pass hands a line of the engine to the job at hand.
func (w *Workshop) pass(l chroot.Line) {
	w.line.Lock()
	line := w.work.Line
	w.line.Unlock()
	if line == nil {
		return
	}
	kind := wizard.LineOutput
	switch l.Kind {
	case chroot.LineCommand:
		kind = wizard.LineCommand
	case chroot.LineNote:
		kind = wizard.LineNote
	case chroot.LineError:
		kind = wizard.LineError
	}
	line(kind, l.Text)
}

// close closes the engine, if it was opened.
func (w *Workshop) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.engine == nil {
		return nil
	}
	err := w.engine.Close()
	w.engine = nil
	return err
}

// Package builds a source package of the port. One that has debian/take-kernel
// packs the archive's kernel; one that has debian/build-kernel compiles one.
func (w *Workshop) Package(ctx context.Context, job wizard.PackageJob) ([]wizard.ReportPackage, error) {
	b, err := w.open(ctx, job.Suite, job.Work)
	if err != nil {
		return nil, err
	}
	o := debian.BuildOptions{Source: job.Source, Arch: job.Arch, Out: job.Out}
	if has(job.Source, "take-kernel") {
		if o.KernelDeb, _, err = b.ArchiveKernel(ctx, job.Arch); err != nil {
			return nil, translate("get Debian's kernel", err)
		}
	}
	if has(job.Source, "build-kernel") {
		o.Keep, o.Objects = job.Keep, templates.KernelObjects
		if job.Work.Progress != nil {
			o.Progress = func(done, total int, left time.Duration) {
				job.Work.Progress("kernel objects", int64(done), int64(total), left)
			}
		}
	}
	built, err := b.BuildPackage(ctx, o)
	if err != nil {
		return nil, translate("build the package", err)
	}
	var list []wizard.ReportPackage
	keep := map[string]bool{}
	for _, p := range built {
		list = append(list, wizard.ReportPackage{Name: p.Name, Path: p.Path, SHA256: p.SHA256, Size: p.Size})
		keep[filepath.Clean(p.Path)] = true
	}
	dropOld(job.Out, keep)
	return list, nil
}

// dropOld removes packages of earlier versions; the folder is this package's own.
func dropOld(dir string, keep map[string]bool) {
	old, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return
	}
	for _, path := range old {
		if !keep[path] {
			os.Remove(path)
		}
	}
}

func has(source, name string) bool {
	_, err := os.Stat(filepath.Join(source, "debian", name))
	return err == nil
}

// translate gives errors of the rooms the wizard's types, by which the exit
// code is chosen and the cure shown.
func translate(tried string, err error) error {
	var (
		space  *chroot.NoSpaceError
		disk   *debian.DiskFullError
		lacks  *debian.HostError
		closed *chroot.NamespaceError
		alread *wizard.HostError
	)
	switch {
	case err == nil, errors.As(err, &alread), errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &closed):
		return &wizard.HostError{Tried: tried, Lacks: "chroots without root", Err: err, Fix: "`portolan doctor` says how to mend it; with sudo it works without"}
	case errors.As(err, &space), errors.As(err, &disk):
		return &wizard.HostError{Tried: tried, Lacks: "disk space", Err: err,
			Fix: "nothing that was finished is lost: free some space (`portolan zap` empties the caches) and run this again, it continues here"}
	case errors.As(err, &lacks):
		return &wizard.HostError{Tried: tried, Lacks: lacks.Lacks, Err: err, Fix: "install it and run this again"}
	}
	return err
}
