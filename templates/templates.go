package templates

import (
	"bytes"
	"crypto/sha512"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"text/template"
)

// The templates. Files that end in .tmpl are rendered, the others are copied.
//
//go:embed postmarketos debian initramfs
var embedded embed.FS

// Packages renders both trees of a port, sorted by path:
//
//	postmarketos/device-V-C/  APKBUILD, deviceinfo, kernel-cmdline.conf, modules-initfs, 90-device-V-C.rules
//	postmarketos/linux-V-C/   APKBUILD, config-V-C.aarch64
//	debian/device-V-C/        a Debian source package
//	debian/linux-V-C/         a Debian source package
//
// modules-initfs and the rules are there only if the model has modules and
// touchscreens. The checksum of the kernel.org tarball is not known here, so
// the kernel's APKBUILD lists only its local file: abuild checksum adds the
// other one, and Lint says so until then.
//
// The error is Problems if the model is not valid. Any other error means that
// a rendered file did not pass its own check, and is a defect of a template.
func Packages(m Model) ([]File, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	r := &renderer{model: m}
	device, kernel := "postmarketos/device-"+m.ID()+"/", "postmarketos/linux-"+m.ID()+"/"
	config := "config-" + m.ID() + "." + m.Arch
	rules := "90-device-" + m.ID() + ".rules"

	r.add(device+"deviceinfo", "postmarketos/deviceinfo.tmpl")
	r.add(device+"kernel-cmdline.conf", "postmarketos/kernel-cmdline.conf.tmpl")
	if len(m.Modules) > 0 {
		r.add(device+"modules-initfs", "postmarketos/modules-initfs.tmpl")
	}
	if len(m.Touch) > 0 {
		r.add(device+rules, "postmarketos/touch.rules.tmpl")
	}
	r.addSource(device+"APKBUILD", "postmarketos/device.APKBUILD.tmpl")
	r.add(kernel+config, "postmarketos/kernel.config.tmpl")
	r.addSource(kernel+"APKBUILD", "postmarketos/linux.APKBUILD.tmpl")

	r.debian(config, rules)
	return r.files()
}

// debian renders the two Debian source packages. They carry the same
// deviceinfo, modules, rules and kernel configuration as the APKBUILDs.
func (r *renderer) debian(config, rules string) {
	device, kernel := "debian/device-"+r.model.ID()+"/", "debian/linux-"+r.model.ID()+"/"
	for _, name := range []string{"deviceinfo", "kernel-cmdline.conf", "modules-initfs"} {
		r.add(device+name, "postmarketos/"+name+".tmpl")
	}
	if len(r.model.Touch) > 0 {
		r.add(device+rules, "postmarketos/touch.rules.tmpl")
	}
	r.add(device+"70-portolan-usb.network", "debian/usb.network")
	r.add(device+"70-portolan-usb.link", "debian/usb.link")
	for _, name := range []string{"control", "copyright", "install"} {
		r.add(device+"debian/"+name, "debian/device."+name+".tmpl")
	}
	r.add(device+"debian/changelog", "debian/changelog.tmpl", "device")
	r.add(device+"debian/source/format", "debian/source.format")
	r.addMode(device+"debian/rules", "debian/device.rules", 0o755)
	r.addMode(device+"debian/"+r.model.DevicePackage()+".postinst", "debian/device.postinst", 0o755)

	for _, name := range []string{"control", "copyright"} {
		r.add(kernel+"debian/"+name, "debian/linux."+name+".tmpl")
	}
	r.add(kernel+"debian/changelog", "debian/changelog.tmpl", "linux")
	r.add(kernel+"debian/source/format", "debian/source.format")
	r.addMode(kernel+"debian/rules", "debian/linux.rules.tmpl", 0o755)
	if r.model.Kernel.Kind == KernelSource {
		r.addMode(kernel+"debian/build-kernel", "debian/build-kernel.tmpl", 0o755)
		r.add(kernel+"debian/"+config, "postmarketos/kernel.config.tmpl")
	} else {
		r.addMode(kernel+"debian/take-kernel", "debian/take-kernel.tmpl", 0o755)
		r.add(kernel+"debian/modules", "debian/modules.tmpl")
	}
}

// renderer collects files and the first error.
type renderer struct {
	model Model
	done  []File
	err   error
}

// data is what a template sees.
type data struct {
	Model
	Revision string // hides the number, which may be 0
	Package  string // "device" or "linux", for templates that serve both
	Sources  []source
}

// source is a local file of an APKBUILD.
type source struct{ Name, SHA512 string }

func (r *renderer) add(name, from string, pkg ...string) { r.addMode(name, from, 0o644, pkg...) }

func (r *renderer) addMode(name, from string, mode fs.FileMode, pkg ...string) {
	r.render(name, from, mode, data{Package: strings.Join(pkg, "")})
}

// addSource renders an APKBUILD with the checksums of the files that were
// rendered into its folder before.
func (r *renderer) addSource(name, from string) {
	var sources []source
	for _, f := range r.done {
		if path.Dir(f.Path) == path.Dir(name) {
			sources = append(sources, source{path.Base(f.Path), fmt.Sprintf("%x", sha512.Sum512(f.Data))})
		}
	}
	r.render(name, from, 0o644, data{Sources: sources})
}

func (r *renderer) render(name, from string, mode fs.FileMode, d data) {
	if r.err != nil {
		return
	}
	text, err := embedded.ReadFile(from)
	if err != nil {
		r.err = fmt.Errorf("read the template of %s: %w", name, err)
		return
	}
	if strings.HasSuffix(from, ".tmpl") {
		d.Model, d.Revision = r.model, r.model.revision()
		t, err := template.New(from).Funcs(functions).Option("missingkey=error").Parse(string(text))
		if err != nil {
			r.err = fmt.Errorf("parse the template of %s: %w", name, err)
			return
		}
		var out bytes.Buffer
		if err := t.Execute(&out, d); err != nil {
			r.err = fmt.Errorf("render %s: %w", name, err)
			return
		}
		text = out.Bytes()
	}
	r.done = append(r.done, File{Path: name, Mode: mode, Data: text})
}

func (r *renderer) files() ([]File, error) {
	if r.err != nil {
		return nil, r.err
	}
	for _, f := range r.done {
		if err := checkSyntax(f); err != nil {
			return nil, err
		}
	}
	return sortFiles(r.done), nil
}
