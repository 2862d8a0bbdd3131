package bootimg

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	headerFile  = "header.json"
	trailerFile = "trailer"
	gapPrefix   = "gap-after-"
)

// Unpack writes the parts into the folder dir, one file each under the part's
// name, and the header as header.json. The folder is made; one that holds
// something is refused, so that no part of another image stays behind in it.
func (img *Image) Unpack(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("unpack a boot image: %w", err)
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("unpack a boot image: %w", err)
	}
	if len(there) > 0 {
		return fmt.Errorf("unpack a boot image: the folder %s is not empty (%s is in it); name a new one", dir, there[0].Name())
	}
	head, err := json.MarshalIndent(img.Header, "", "  ")
	if err != nil {
		return fmt.Errorf("unpack a boot image: %w", err)
	}
	files := map[string][]byte{headerFile: append(head, '\n'), trailerFile: img.Trailer}
	for _, p := range img.parts() {
		files[p.name] = *p.data
	}
	for name, b := range img.Gaps {
		files[gapPrefix+name] = b
	}
	for name, b := range files {
		if len(b) == 0 && !strings.HasPrefix(name, gapPrefix) {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return fmt.Errorf("unpack a boot image: %w", err)
		}
	}
	return nil
}

// Pack makes an image of a folder that Unpack wrote and a person may have
// changed. Sizes and the id follow the parts; a missing part is an empty one.
func Pack(dir string) (*Image, error) {
	img := &Image{}
	head, err := readPart(dir, headerFile)
	if err != nil {
		return nil, fmt.Errorf("pack a boot image: %w", err)
	}
	if len(head) == 0 {
		return nil, fmt.Errorf("pack a boot image: %s holds no %s; unpack a boot image into a folder first", dir, headerFile)
	}
	d := json.NewDecoder(bytes.NewReader(head))
	d.DisallowUnknownFields()
	if err := d.Decode(&img.Header); err != nil {
		return nil, fmt.Errorf("pack a boot image: %s: %w", filepath.Join(dir, headerFile), err)
	}
	if img.Version > MaxVersion {
		return nil, fmt.Errorf("pack a boot image: %w", img.check())
	}
	names := []string{"header"}
	for _, p := range img.parts() {
		if *p.data, err = readPart(dir, p.name); err != nil {
			return nil, fmt.Errorf("pack a boot image: %w", err)
		}
		names = append(names, p.name)
	}
	if img.Trailer, err = readPart(dir, trailerFile); err != nil {
		return nil, fmt.Errorf("pack a boot image: %w", err)
	}
	for _, name := range names {
		b, err := readPart(dir, gapPrefix+name)
		if err != nil {
			return nil, fmt.Errorf("pack a boot image: %w", err)
		}
		if b != nil {
			img.setGap(name, b)
		}
	}
	if err := img.check(); err != nil {
		return nil, fmt.Errorf("pack a boot image from %s: %w", dir, err)
	}
	return img, nil
}

// readPart reads one file of the folder, nil if there is none.
func readPart(dir, name string) ([]byte, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		if _, derr := os.Stat(dir); derr != nil {
			return nil, derr
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(b) > MaxSize {
		return nil, &TooLargeError{What: f.Name(), Size: int64(len(b)), Max: MaxSize}
	}
	return b, nil
}
