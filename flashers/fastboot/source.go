package fastboot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"portolan/flashers"
	"portolan/flashers/sparse"
)

// source is an image file that is open and is what the plan shows.
type source struct {
	*os.File
	fileSize int64
	img      *sparse.Image
	isSparse bool // as a file
	sha256   string

	cancel context.CancelFunc // ends the hashing
	hashed chan error         // its result, closed after
}

// piece is one download.
type piece struct {
	size int64
	open func() io.Reader
}

// open opens an image, compares its size with the plan and begins to hash it.
// Hashing runs beside the transfer into the phone's memory; matches waits for
// it, before anything is written or started.
func open(ctx context.Context, want flashers.Image) (*source, error) {
	f, err := os.Open(want.Path)
	if err != nil {
		return nil, fmt.Errorf("open the image for %s: %w", want.Partition, err)
	}
	s := &source{File: f, sha256: strings.ToLower(want.SHA256)}
	if err := s.check(ctx, want); err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

func (s *source) check(ctx context.Context, want flashers.Image) error {
	st, err := s.Stat()
	if err != nil {
		return fmt.Errorf("open the image for %s: %w", want.Partition, err)
	}
	if !st.Mode().IsRegular() {
		return &ChangedError{Path: want.Path, What: "it is no regular file"}
	}
	s.fileSize = st.Size()
	if s.isSparse = sparse.IsSparse(s.File); s.isSparse {
		s.img, err = sparse.NewReader(s.File, s.fileSize)
	} else {
		s.img, err = sparse.FromRaw(s.File, s.fileSize)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", want.Path, err)
	}
	if s.img.Size() != want.Size {
		return &ChangedError{Path: want.Path, What: fmt.Sprintf("it has %d bytes once written, the plan says %d", s.img.Size(), want.Size)}
	}
	ctx, s.cancel = context.WithCancel(ctx)
	s.hashed = make(chan error, 1)
	go func() {
		defer close(s.hashed)
		h := sha256.New()
		if err := copyAll(ctx, h, s.img.Raw()); err != nil {
			s.hashed <- fmt.Errorf("read %s: %w", want.Path, err)
		} else if got := hex.EncodeToString(h.Sum(nil)); got != s.sha256 {
			s.hashed <- &ChangedError{Path: want.Path, What: fmt.Sprintf("its sha256 is %s, the plan says %s", got, s.sha256)}
		}
	}()
	return nil
}

// matches waits for the hash; nil says that the file is the plan's. The first
// call counts.
func (s *source) matches() error { return <-s.hashed }

// Close ends the hashing, waits for its end and closes the file.
func (s *source) Close() error {
	s.cancel()
	for range s.hashed {
	}
	return s.File.Close()
}

// whole reads the file as it is.
func (s *source) whole() io.Reader { return io.NewSectionReader(s.File, 0, s.fileSize) }

const (
	// worthSparse: below this saving a raw image is sent as it is, because old
	// bootloaders are surer of those.
	worthSparse = 1 << 20
	// maxPiece is AOSP's RESPARSE_LIMIT: some bootloaders name a
	// max-download-size beyond what they can take.
	maxPiece = 1 << 30
)

// pieces plans the downloads, each at most limit bytes.
func (s *source) pieces(limit int64) ([]piece, error) {
	limit = min(limit, maxPiece)
	saves := !s.isSparse && !s.isBootImage() && s.img.Encoded().Size()+worthSparse < s.fileSize
	if s.fileSize <= limit && !saves {
		return []piece{{s.fileSize, s.whole}}, nil
	}
	split, err := sparse.Split(s.img, limit)
	if err != nil {
		return nil, err
	}
	out := make([]piece, len(split))
	for i, p := range split {
		out[i] = piece{p.Size(), p.Reader}
	}
	return out, nil
}

// isBootImage: bootloaders check the magic of what is flashed to boot and
// recovery before they look for a sparse image.
func (s *source) isBootImage() bool {
	var b [8]byte
	n, _ := s.ReadAt(b[:], 0)
	return string(b[:n]) == "ANDROID!" || string(b[:n]) == "VNDRBOOT"
}

// written gives what the image writes, with the hash of just that.
func (s *source) written(ctx context.Context) (extents []sparse.Extent, sum string, err error) {
	extents = s.img.Written()
	if len(extents) == 1 && extents[0].Len == s.img.Size() {
		return extents, s.sha256, nil
	}
	h := sha256.New()
	raw := s.img.Raw()
	var at int64
	for _, e := range extents {
		if err := copyAll(ctx, io.Discard, io.LimitReader(raw, e.Off-at)); err != nil {
			return nil, "", err
		}
		if err := copyAll(ctx, h, io.LimitReader(raw, e.Len)); err != nil {
			return nil, "", err
		}
		at = e.Off + e.Len
	}
	return extents, hex.EncodeToString(h.Sum(nil)), nil
}

// copyAll copies until the end or the end of ctx.
func copyAll(ctx context.Context, w io.Writer, r io.Reader) error {
	buf := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		n, err := r.Read(buf)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return werr
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
