// Package methods is the table of flash methods: one line each.
package methods

import (
	"fmt"
	"slices"
	"strings"

	"portolan/flashers"
	"portolan/flashers/fastboot"
)

// table holds every method under the name that deviceinfo's flash_method has.
var table = []flashers.Flasher{
	fastboot.Flasher{},
}

// Names lists the methods, sorted.
func Names() []string {
	var names []string
	for _, f := range table {
		names = append(names, f.Name())
	}
	slices.Sort(names)
	return names
}

// ByName gives the method of that name.
func ByName(name string) (flashers.Flasher, error) {
	for _, f := range table {
		if f.Name() == name {
			return f, nil
		}
	}
	return nil, fmt.Errorf("no flash method is called %q; known: %s", name, strings.Join(Names(), ", "))
}
