package main

import "runtime/debug"

// commit is set by the Makefile (-ldflags -X); `go install` sets the module's
// version instead.
var commit string

// version tells which Portolan this is.
func version() string {
	if commit != "" {
		return commit
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}
