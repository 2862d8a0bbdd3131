package fastboot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portolan/flashers"
	"portolan/flashers/sparse"
	"portolan/usb"
)

var (
	dinghy = usb.Device{ID: "practice/PRACTICE0001", Serial: "PRACTICE0001", Manufacturer: "Portolan", Product: "Portolan Dinghy", Mode: usb.ModeFastboot, Permission: usb.PermissionOK, Practice: true}
	port   = flashers.Port{Codename: "dinghy", Products: []string{"dinghy"}, Never: []string{"splash"}, Practice: true}
)

// file writes an image and describes it as a plan does.
func file(t testing.TB, partition string, b, expanded []byte) flashers.Image {
	t.Helper()
	p := filepath.Join(t.TempDir(), partition+".img")
	if err := os.WriteFile(p, b, 0o644); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(expanded)
	return flashers.Image{Partition: partition, Path: p, Size: int64(len(expanded)), SHA256: hex.EncodeToString(sum[:])}
}

func plan(t testing.TB, r *responder, images ...flashers.Image) flashers.Plan {
	t.Helper()
	facts, err := Flasher{}.Inspect(t.Context(), handle{r: r})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Flasher{}.Plan(port, images, dinghy, facts)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Refusal(); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.commands = nil
	r.mu.Unlock()
	return p
}

// userdata is larger than max-download-size, with holes and odd length.
func userdata() []byte {
	b := make([]byte, 6<<20+100)
	copy(b[4096:], noise(3<<20))
	copy(b[5<<20+4:], noise(1<<20+50))
	return b
}

func TestRunFlashesVerifiesAndReboots(t *testing.T) {
	r := newResponder(t)
	boot := append([]byte("ANDROID!"), noise(900000)...)
	data := userdata()
	p := plan(t, r, file(t, "boot", boot, boot), file(t, "userdata", data, data))
	var notes []string
	last := map[int]flashers.Progress{}
	res, err := Flasher{}.Run(t.Context(), p, handle{r: r}, func(pr flashers.Progress) {
		if pr.Note != "" {
			notes = append(notes, pr.Note)
		} else if last[pr.Action] = pr; pr.Done > pr.Total {
			t.Errorf("progress %d of %d", pr.Done, pr.Total)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(r.got()[0], boot) || !bytes.HasPrefix(r.held("boot"), boot) || r.held("boot")[len(boot)] != 0xa5 {
		t.Error("boot did not arrive byte for byte")
	}
	if got := r.held("userdata"); !bytes.Equal(got[:len(data)], data) {
		t.Error("userdata does not hold its image")
	}
	var sent int64
	for i, d := range r.got() {
		if sent += int64(len(d)); len(d) > 1<<20 {
			t.Errorf("download %d has %d bytes, the phone takes %d", i, len(d), 1<<20)
		}
	}
	if res.Bytes != sent || sent > int64(len(boot)+len(data)) {
		t.Errorf("the result says %d bytes, %d arrived", res.Bytes, sent)
	}
	if len(res.Verified) != 2 || !strings.Contains(res.Verified[1], "read back, sha256 "+p.Actions[1].Image.SHA256) {
		t.Errorf("verified: %q", res.Verified)
	}
	if cs := r.sent(); cs[len(cs)-1] != "reboot" {
		t.Errorf("the last command is %q", cs[len(cs)-1])
	}
	for i := range 2 {
		if last[i].Done != last[i].Total || last[i].Total != p.Actions[i].Image.Size {
			t.Errorf("action %d ended at %+v", i, last[i])
		}
	}
	if !strings.Contains(strings.Join(notes, "\n"), "the phone says: working") {
		t.Errorf("notes: %q", notes)
	}
}

func TestRunWithSparseFile(t *testing.T) {
	r := newResponder(t)
	data := bytes.Repeat([]byte{0xa5}, 8<<20) // what the partition holds anyway
	copy(data[1<<20:], noise(3<<20))
	// A sparse file that skips all but the noise.
	m, err := sparse.FromRaw(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := m.Encoded().WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	res, err := Flasher{}.Run(t.Context(), plan(t, r, file(t, "userdata", b.Bytes(), data)), handle{r: r}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(r.held("userdata")[:len(data)], data) || len(r.got()) < 4 {
		t.Errorf("userdata differs after %d downloads", len(r.got()))
	}
	if len(res.Verified) != 1 || !strings.Contains(res.Verified[0], "8 MiB read back") {
		t.Errorf("verified: %q", res.Verified)
	}
}

// TestSkippedBlocksAreNotCompared: a hole of a sparse file leaves the phone's
// bytes, so only what was written is read back.
func TestSkippedBlocksAreNotCompared(t *testing.T) {
	r := newResponder(t)
	head := []byte{0x3a, 0xff, 0x26, 0xed, 1, 0, 0, 0, 28, 0, 12, 0, 0, 16, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0}
	raw := []byte{0xc1, 0xca, 0, 0, 1, 0, 0, 0, 12, 16, 0, 0}
	skip := []byte{0xc3, 0xca, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0}
	x := noise(8192)
	b := bytes.Join([][]byte{head, raw, x[:4096], skip, raw, x[4096:]}, nil)
	expanded := bytes.Join([][]byte{x[:4096], make([]byte, 4096), x[4096:]}, nil)
	res, err := Flasher{}.Run(t.Context(), plan(t, r, file(t, "userdata", b, expanded)), handle{r: r}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(res.Verified[0], "the 8 KiB that its image writes") {
		t.Errorf("verified: %q", res.Verified)
	}
	if got := r.held("userdata"); got[5000] != 0xa5 || !bytes.Equal(got[8192:12288], x[4096:]) {
		t.Error("the skipped block was written")
	}
}

func TestRunSaysWhyItCannotVerify(t *testing.T) {
	img := []byte("not much")
	for want, change := range map[string]func(*responder){
		"no max-fetch-size": func(r *responder) { delete(r.vars, "max-fetch-size") },
		"refuses: fetch is for engineers": func(r *responder) {
			r.fault = func(conn usb.PacketConn, command string) bool {
				return strings.HasPrefix(command, "fetch:") && answer("FAILfetch is for engineers")(conn, command)
			}
		},
	} {
		r := newResponder(t)
		r.change(func() { change(r) })
		res, err := Flasher{}.Run(t.Context(), plan(t, r, file(t, "boot", img, img)), handle{r: r}, nil)
		if err != nil || len(res.Verified) != 1 || !strings.Contains(res.Verified[0], want) {
			t.Errorf("%q, %v, want %q", res.Verified, err, want)
		}
	}
}

func TestRunNoticesBadStorage(t *testing.T) {
	r := newResponder(t)
	fault := func(_ usb.PacketConn, command string) bool {
		if strings.HasPrefix(command, "fetch:") {
			r.mu.Lock()
			r.partitions["boot"][3] ^= 1
			r.mu.Unlock()
		}
		return false
	}
	r.change(func() { r.fault = fault })
	img := noise(1000)
	_, err := Flasher{}.Run(t.Context(), plan(t, r, file(t, "boot", img, img)), handle{r: r}, nil)
	var ve *VerifyError
	if !errors.As(err, &ve) || ve.Partition != "boot" {
		t.Fatalf("%v, want a VerifyError", err)
	}
}

func TestRunBoots(t *testing.T) {
	r := newResponder(t)
	img := append([]byte("ANDROID!"), noise(5000)...)
	i := file(t, "kernel", img, img)
	i.Partition = ""
	res, err := Flasher{}.Run(t.Context(), plan(t, r, i), handle{r: r}, nil)
	if err != nil || !bytes.Equal(r.started(), img) || res.Bytes != int64(len(img)) {
		t.Fatalf("booted %d bytes, %+v, %v", len(r.started()), res, err)
	}
	for _, c := range r.sent() {
		if strings.HasPrefix(c, "flash") || strings.HasPrefix(c, "reboot") || strings.HasPrefix(c, "erase") {
			t.Errorf("booting from memory sent %q", c)
		}
	}
}

// TestUnplugged: at every point the error says what state the partition is in.
func TestUnplugged(t *testing.T) {
	data := userdata()
	for _, at := range []int64{0, 1, 500000, 1 << 20, 1<<20 + 1, 3 << 20} {
		r := newResponder(t)
		p := plan(t, r, file(t, "userdata", data, data))
		r.change(func() { r.hangUpAt = at })
		res, err := Flasher{}.Run(t.Context(), p, handle{r: r}, nil)
		var ie *IncompleteError
		if !errors.Is(err, usb.ErrGone) || !errors.As(err, &ie) {
			t.Fatalf("after %d bytes: %v, want ErrGone in an IncompleteError", at, err)
		}
		flashed := strings.Contains(strings.Join(r.sent(), " "), "flash:userdata")
		if ie.Touched != flashed || ie.Sent != res.Bytes || ie.Total < 4<<20 || ie.Partition != "userdata" {
			t.Errorf("after %d bytes: %+v, result %+v; flash command sent: %t", at, ie, res, flashed)
		}
		want := "nothing was written to the partition userdata yet"
		if flashed {
			want = "the partition userdata is incomplete now"
		}
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "flash again") {
			t.Errorf("after %d bytes: %v, want %q", at, err, want)
		}
	}
	// In the middle of writing.
	r := newResponder(t)
	p := plan(t, r, file(t, "boot", data[:5000], data[:5000]))
	fault := func(conn usb.PacketConn, command string) bool {
		if strings.HasPrefix(command, "flash:") {
			conn.Close()
		}
		return strings.HasPrefix(command, "flash:")
	}
	r.change(func() { r.fault = fault })
	_, err := Flasher{}.Run(t.Context(), p, handle{r: r}, nil)
	var ie *IncompleteError
	if !errors.As(err, &ie) || !ie.Touched || !errors.Is(err, usb.ErrGone) {
		t.Errorf("while writing: %v", err)
	}
}

func TestPhoneRefusesToWrite(t *testing.T) {
	r := newResponder(t)
	img := noise(5000)
	p := plan(t, r, file(t, "boot", img, img))
	fault := func(conn usb.PacketConn, command string) bool {
		return strings.HasPrefix(command, "flash:") && answer("FAILwrite protected")(conn, command)
	}
	r.change(func() { r.fault = fault })
	res, err := Flasher{}.Run(t.Context(), p, handle{r: r}, nil)
	var fe *FailError
	if !errors.As(err, &fe) || !strings.Contains(err.Error(), "not sure") || res.Bytes != 5000 || len(res.Verified) != 0 {
		t.Fatalf("%+v, %v", res, err)
	}
}

func TestRunIsCancelled(t *testing.T) {
	r := newResponder(t)
	data := userdata()
	p := plan(t, r, file(t, "userdata", data, data))
	ctx, cancel := context.WithCancel(t.Context())
	fault := func(_ usb.PacketConn, command string) bool {
		if strings.HasPrefix(command, "flash:") {
			cancel()
		}
		return strings.HasPrefix(command, "flash:") // and never an answer
	}
	r.change(func() { r.fault = fault })
	err := within(t, func() error {
		_, err := Flasher{}.Run(ctx, p, handle{r: r}, nil)
		return err
	})
	var ie *IncompleteError
	if !errors.Is(err, context.Canceled) || !errors.As(err, &ie) || !ie.Touched {
		t.Fatalf("%v, want context.Canceled in an IncompleteError", err)
	}
}

// TestRunChecksAgain: what changed between plan and run is noticed before
// anything is written.
func TestRunChecksAgain(t *testing.T) {
	img := noise(5000)
	refused, changed := new(*flashers.RefusedError), new(*ChangedError)
	for name, tc := range map[string]struct {
		change func(*responder, *flashers.Plan)
		want   any
	}{
		"another phone":    {func(r *responder, _ *flashers.Plan) { r.vars["product"] = "galleon" }, refused},
		"another serial":   {func(r *responder, _ *flashers.Plan) { r.vars["serialno"] = "PRACTICE0002" }, refused},
		"no size any more": {func(r *responder, _ *flashers.Plan) { delete(r.vars, "max-download-size") }, refused},
		"a check failed":   {func(_ *responder, p *flashers.Plan) { p.Checks[0].OK = false }, refused},
		"shorter file":     {func(_ *responder, p *flashers.Plan) { os.Truncate(p.Actions[0].Image.Path, 4999) }, changed},
		"other bytes":      {func(_ *responder, p *flashers.Plan) { os.WriteFile(p.Actions[0].Image.Path, make([]byte, 5000), 0o644) }, changed},
		"no file":          {func(_ *responder, p *flashers.Plan) { os.Remove(p.Actions[0].Image.Path) }, new(*os.PathError)},
	} {
		r := newResponder(t)
		p := plan(t, r, file(t, "boot", img, img))
		r.change(func() { tc.change(r, &p) })
		_, err := Flasher{}.Run(t.Context(), p, handle{r: r}, nil)
		if !errors.As(err, tc.want) {
			t.Errorf("%s: %v, want %T", name, err, tc.want)
		}
		for _, c := range r.sent() {
			// A download alone lies in the phone's memory and does nothing.
			if !strings.HasPrefix(c, "getvar:") && (name != "other bytes" || !strings.HasPrefix(c, "download:")) {
				t.Errorf("%s: %q was sent", name, c)
			}
		}
	}
	p := plan(t, newResponder(t), file(t, "boot", img, img))
	p.Method = "heimdall"
	if _, err := (Flasher{}).Run(t.Context(), p, handle{r: newResponder(t)}, nil); err == nil {
		t.Error("a plan of another method was run")
	}
}

// TestInspectAsksOneByOne: a phone of 2012 knows no "all".
func TestInspectAsksOneByOne(t *testing.T) {
	r := newResponder(t)
	r.vars["has-slot:userdata"], r.vars["current-slot"], r.vars["partition-size:userdata_b"] = "yes", "b", "0x100"
	fault := func(conn usb.PacketConn, command string) bool {
		return command == "getvar:all" && answer("FAILunknown variable")(conn, command)
	}
	r.change(func() { r.fault = fault })
	facts, err := Flasher{}.Inspect(t.Context(), handle{r: r})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, k := range []string{"product", "max-download-size", "partition-size:boot", "partition-size:userdata_b", "partition-size:cache"} {
		got[k] = facts.Vars[k]
	}
	want := map[string]string{"product": "dinghy", "max-download-size": "0x100000", "partition-size:boot": "0x200000", "partition-size:userdata_b": "0x100", "partition-size:cache": ""}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
