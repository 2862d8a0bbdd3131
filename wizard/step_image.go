package wizard

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"portolan/flashers"
	"portolan/templates"
)

// imageStep makes the root filesystem and the boot image.
type imageStep struct {
	v    *Voyage
	made map[string]string
}

func (*imageStep) ID() StepID { return StepImage }

func (s *imageStep) Inputs(ctx context.Context) (string, error) { return s.v.imageInputs(ctx) }

// imageInputs hashes what the images depend on. The passphrase is not among
// it: another one is set by running the step with force.
func (v *Voyage) imageInputs(ctx context.Context) (string, error) {
	snap := v.port.Snapshot()
	m, err := snap.validModel()
	if err != nil {
		return "", err
	}
	packages, err := v.packages()
	if err != nil {
		return "", err
	}
	keys, err := v.loadKeys()
	if err != nil {
		return "", err
	}
	initramfs, err := templates.Initramfs(m)
	if err != nil {
		return "", fmt.Errorf("make the initramfs' files: %w", err)
	}
	d := newDigest("image 1")
	d.add("recipe", v.cfg.Rooms.Recipe)
	for _, p := range packages {
		d.add("package "+p.Name, p.SHA256)
	}
	for _, f := range initramfs {
		d.add(f.Path, f.Mode.String(), string(f.Data))
	}
	d.add("cmdline", m.Cmdline()...)
	header, err := json.Marshal(m.BootImage)
	if err != nil {
		return "", err
	}
	d.add("header", string(header))
	if m.BootImage.HeaderVersion == 2 { // its device tree comes from there
		d.add("stock", stamp(v.port.Path("stock", "boot.img")))
	}
	d.add("key", keys.User.AuthorizedKey, keys.Host.Public)
	for _, id := range []string{"name", "arch", "suite", "hostname", "user", "ui", "encryption"} {
		d.add(id, snap.Get(id))
	}
	return d.sum(), ctx.Err()
}

// packages returns what was built last, in this run or before.
func (v *Voyage) packages() ([]ReportPackage, error) {
	v.mu.Lock()
	packages := v.report.Packages
	v.mu.Unlock()
	if len(packages) > 0 {
		return packages, nil
	}
	last, ok := v.journal.Last(StepBuild, v.serial())
	if ok {
		packages, _ = entryPackages(last)
	}
	if len(packages) == 0 {
		return nil, &UsageError{Text: "nothing is built yet; run the build step first"}
	}
	for _, p := range packages {
		if _, err := os.Stat(p.Path); err != nil {
			return nil, &UsageError{Text: "a package is missing, run the build step again", Err: err}
		}
	}
	v.reportPackages(packages)
	return packages, nil
}

func (s *imageStep) Fresh(ctx context.Context, last Entry) (bool, string) {
	boot, root, ok := entryImages(last)
	if !ok {
		return false, "the images are not known any more"
	}
	if last.Outputs[carriedKey] != "" && !s.v.stillFlashed(ctx) {
		return false, "the phone has to be flashed again, and the images are older than its device package"
	}
	for _, p := range []ReportPackage{boot, root} {
		if st := stamp(p.Path); st == "" || st != last.Outputs["stamp "+p.Name] {
			return false, p.Path + " is not what was made"
		}
	}
	s.v.reportImage(root)
	return true, fmt.Sprintf("%s and %s are made", boot.Name, root.Name)
}

// stillFlashed tells whether the flash step would be left out.
func (v *Voyage) stillFlashed(ctx context.Context) bool {
	flash := &flashStep{v: v}
	v.mu.Lock()
	d := v.device
	v.mu.Unlock()
	last, ok := v.journal.Last(StepFlash, d.Serial)
	if inputs, err := v.flashInputs(ctx, d); !ok || err != nil || inputs != last.Inputs {
		return false
	}
	fresh, _ := flash.Fresh(ctx, last)
	return fresh
}

func (v *Voyage) reportImage(root ReportPackage) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Image = root
}

// entryImages reads the images out of an entry of the image step.
func entryImages(e Entry) (boot, root ReportPackage, ok bool) {
	var list []ReportPackage
	if json.Unmarshal([]byte(e.Outputs["images"]), &list) != nil || len(list) != 2 {
		return boot, root, false
	}
	return list[0], list[1], true
}

func (s *imageStep) Outputs() map[string]string { return s.made }

func (s *imageStep) Run(ctx context.Context, _ Emitter) (string, error) {
	v := s.v
	snap := v.port.Snapshot()
	m, err := snap.validModel()
	if err != nil {
		return "", err
	}
	packages, err := v.packages()
	if err != nil {
		return "", err
	}
	keys, err := v.loadKeys()
	if err != nil {
		return "", err
	}
	job := ImageJob{
		Model: m, Arch: debianArch(snap.Get("arch")), Suite: snap.Get("suite"),
		Hostname: snap.Get("hostname"), User: snap.Get("user"),
		AuthorizedKey: keys.User.AuthorizedKey, HostKey: keys.Host.PEM,
		Stock: v.port.Path("stock", "boot.img"),
		Boot:  v.port.Path("out", "images", "boot.img"), Root: v.port.Path("out", "images", "root.img"),
		Work: v.work(ctx, StepImage),
	}
	for _, p := range packages {
		job.Debs = append(job.Debs, p.Path)
	}
	if snap.Get("encryption") == "true" {
		secret, err := v.newPassphrase(ctx)
		if err != nil {
			return "", err
		}
		job.Passphrase = secret.Bytes() // the voyage wipes it when the run ends
	}
	if err := os.MkdirAll(v.port.Path("out", "images"), 0o755); err != nil {
		return "", hostTrouble("make the folder for the images", err)
	}
	boot, root, err := v.cfg.Rooms.Workshop.Image(ctx, job)
	if err != nil {
		return "", fmt.Errorf("make the images: %w", err)
	}
	boot.Name, root.Name = "boot.img", "root.img"
	images, err := json.Marshal([]ReportPackage{boot, root})
	if err != nil {
		return "", err
	}
	s.made = map[string]string{"images": string(images)}
	for _, p := range []ReportPackage{boot, root} {
		s.made["stamp "+p.Name] = stamp(p.Path)
	}
	v.reportImage(root)
	kind := "not encrypted"
	if job.Passphrase != nil {
		kind = "encrypted with LUKS2"
	}
	return fmt.Sprintf("boot.img %s, root.img %s, %s", flashers.Bytes(boot.Size), flashers.Bytes(root.Size), kind), nil
}
