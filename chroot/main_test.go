package chroot

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	Init()
	if work := os.Getenv(killedEngine); work != "" {
		fmt.Println(runUntilKilled(work))
		os.Exit(1)
	}
	os.Exit(m.Run())
}
