package methods

import (
	"strings"
	"testing"
)

func TestByName(t *testing.T) {
	for _, name := range Names() {
		f, err := ByName(name)
		if err != nil || f.Name() != name {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
	if _, err := ByName("fastbot"); err == nil || !strings.Contains(err.Error(), "fastboot") {
		t.Errorf("a mistyped method: %v; it should name the known ones", err)
	}
}
