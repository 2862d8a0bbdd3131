package logpane

import (
	"strings"

	"portolan/wizard"
)

// maxErrors bounds how many errors are remembered for n and N.
const maxErrors = 1000

// marks are how compilers, make, dpkg, apt and the shell announce an error in
// their output: "error:" (gcc, clang, dpkg), "*** [" (GNU make),
// "E: " at the start (apt), "undefined reference" (ld).
var marks = []string{"error:", "Error:", "ERROR:", "*** [", "*** No rule", "undefined reference", "No space left on device", "FAILED:", "Segmentation fault", "fatal:"}

// isError tells whether a line announces an error.
func isError(l wizard.LogLine) bool {
	switch l.Kind {
	case wizard.LineError:
		return true
	case wizard.LineCommand, wizard.LineNote, wizard.LineWarning:
		return false
	}
	if strings.HasPrefix(l.Text, "E: ") {
		return true
	}
	for _, m := range marks {
		if strings.Contains(l.Text, m) {
			return true
		}
	}
	return false
}
