package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// goPackage is what the import rules need of `go list -json`.
type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
	CgoFiles   []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps=false", "-json=ImportPath,Imports,Deps,CgoFiles", "portolan/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// room is the top folder of a package of the module, or "" for others.
func room(path string) string {
	rest, ok := strings.CutPrefix(path, "portolan/")
	if !ok {
		return ""
	}
	top, _, _ := strings.Cut(rest, "/")
	return top
}

// mayImport says which rooms a room may know, itself included.
var mayImport = map[string][]string{
	"cmd":       {"cmd", "tui", "wizard", "chroot", "flashers", "usb", "templates"},
	"tui":       {"tui", "wizard", "chroot", "flashers", "usb", "templates"},
	"wizard":    {"wizard", "chroot", "flashers", "usb", "templates"},
	"flashers":  {"flashers", "usb"},
	"usb":       {"usb"},
	"chroot":    {"chroot"},
	"templates": {"templates"},
}

func TestRoomsKnowOnlyWhomTheyMay(t *testing.T) {
	for _, p := range listPackages(t) {
		from := room(p.ImportPath)
		allowed, known := mayImport[from]
		if !known {
			t.Errorf("%s lies outside the rooms of the house", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			if to := room(imp); to != "" && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s: %s may know only %v", p.ImportPath, imp, from, allowed)
			}
		}
	}
}

// terminalModules are the libraries that draw on a terminal.
var terminalModules = []string{
	"charm.land/", "github.com/charmbracelet/", "github.com/creack/pty", "golang.org/x/term",
}

func TestRoomsKeepTheirHandsOff(t *testing.T) {
	for _, p := range listPackages(t) {
		switch room(p.ImportPath) {
		case "tui":
			if slices.Contains(p.Imports, "os/exec") {
				t.Errorf("%s imports os/exec: the UI runs no program", p.ImportPath)
			}
			checkNoLibusb(t, p)
		case "wizard":
			for _, dep := range p.Deps {
				for _, m := range terminalModules {
					if strings.HasPrefix(dep, m) {
						t.Errorf("%s reaches the terminal library %s", p.ImportPath, dep)
					}
				}
			}
			checkNoLibusb(t, p)
		}
		if len(p.CgoFiles) > 0 && p.ImportPath != "portolan/usb/libusb" {
			t.Errorf("%s needs cgo (%v): only usb/libusb may", p.ImportPath, p.CgoFiles)
		}
	}
}

func checkNoLibusb(t *testing.T, p goPackage) {
	t.Helper()
	for _, dep := range p.Deps {
		if strings.HasPrefix(dep, "github.com/google/gousb") || dep == "portolan/usb/libusb" {
			t.Errorf("%s reaches libusb through %s", p.ImportPath, dep)
		}
	}
}

func TestBuildsWithoutCgo(t *testing.T) {
	cmd := exec.Command("go", "build", "-o", t.TempDir()+"/", "portolan/...")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("CGO_ENABLED=0 go build: %v\n%s", err, out)
	}
}
