// Package practice is a virtual phone on a virtual cable: a bootloader that
// speaks fastboot, partitions that are files, and a QEMU machine that runs
// what was flashed. Serve is the phone, Start and Stop run it as a process of
// its own, Source shows it to a usb.Watcher.
package practice

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"portolan/usb/practice/bootloader"
)

// The practice phone as it leaves the factory.
const (
	DefaultPort   = 5554 // fastboot's TCP port
	DefaultSerial = "PRACTICE0001"
	Manufacturer  = "Portolan"
	Product       = "Dinghy"
	Codename      = "dinghy"
	ScreenWidth   = 720  // pixels
	ScreenHeight  = 1280 // pixels
	MaxDownload   = 0x4000000
	bootSize      = 64 << 20
	userdataSize  = 2 << 30
	loaderSize    = 4 << 20
)

// Settings are the part of a Config that can be handed to another process.
type Settings struct {
	Marker   string `json:"marker"`    // first on purpose: recognises our processes; filled in by check
	StateDir string `json:"state_dir"` // partitions, control socket, logs; made if missing
	Port     int    `json:"port"`      // TCP port of fastboot on 127.0.0.1; 0 chooses a free one
	Serial   string `json:"serial"`    // empty: DefaultSerial
	Mount    Mount  `json:"mount"`     // how the touchscreen is built in
	Lifeline bool   `json:"lifeline"`  // set by Start: descriptor 4 ends the phone when it ends
	Ready    bool   `json:"ready"`     // set by Start: descriptor 3 is told how starting went
}

// Boot is what a bootloader takes out of a boot image.
type Boot struct {
	Kernel  []byte // arm64 Image, plain or gzip
	Ramdisk []byte // may be empty
	Cmdline string
}

// BootParser reads a boot image of at most size bytes, as the phone's
// bootloader does at power-on.
type BootParser func(r io.ReaderAt, size int64) (Boot, error)

// StockBoot is what the factory's boot image is made of. Addresses are
// relative to Base as in mkbootimg.
type StockBoot struct {
	Name          string
	Cmdline       string
	HeaderVersion int
	PageSize      int
	Base          uint32
	KernelOffset  uint32
	RamdiskOffset uint32
	SecondOffset  uint32
	TagsOffset    uint32
	OSVersion     string // "7.1.2"
	OSPatchLevel  string // "2017-06"
	Kernel        []byte
	Ramdisk       []byte
}

// BootMaker writes a stock boot image.
type BootMaker func(w io.Writer, b StockBoot) error

// Config is a whole phone. The functions come from rooms that this one may not
// import (flashers/bootimg, flashers/sparse).
type Config struct {
	Settings
	ParseBoot BootParser
	MakeBoot  BootMaker
	Unsparse  bootloader.Unsparse
	Log       func(line string) // the phone's diary; nil drops it
}

// ParseSettings reads what Start handed to the phone's process.
func ParseSettings(text string) (Settings, error) {
	var s Settings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("settings of the practice phone: %w", err)
	}
	return s, nil
}

// check fills in what was left out and makes the state folder.
func (s *Settings) check() error {
	if s.StateDir == "" {
		return errors.New("the practice phone needs a folder for its state")
	}
	dir, err := filepath.Abs(s.StateDir)
	if err != nil {
		return err
	}
	s.StateDir = dir
	s.Marker = marker(dir)
	if s.Serial == "" {
		s.Serial = DefaultSerial
	}
	if s.Port < 0 || s.Port > 65535 {
		return fmt.Errorf("port %d of the practice phone: choose 1 to 65535, or 0 for a free one", s.Port)
	}
	if err := s.Mount.check(); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("the practice phone's state folder: %w", err)
	}
	return nil
}

func (c *Config) check() error {
	if c.ParseBoot == nil || c.MakeBoot == nil || c.Unsparse == nil {
		return errors.New("the practice phone needs ParseBoot, MakeBoot and Unsparse")
	}
	if c.Log == nil {
		c.Log = func(string) {}
	}
	return c.Settings.check()
}

// marker is on the command line of every process of the phone in dir, so that
// Stop finds them whatever became of their parents.
func marker(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return "portolan-practice-" + hex.EncodeToString(sum[:8])
}
