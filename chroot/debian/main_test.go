package debian

import (
	"os"
	"testing"

	"portolan/chroot"
)

func TestMain(m *testing.M) {
	chroot.Init()
	os.Exit(m.Run())
}
