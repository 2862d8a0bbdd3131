package wizard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"portolan/usb"
)

// yard stands at the border to the workshop: what it makes are files that hold
// a hash of what they were made from.
type yard struct {
	packages []string // sources built, in order
	images   int
	secret   string
}

func made(path string, from ...string) (ReportPackage, error) {
	sum := sha256.Sum256([]byte(strings.Join(from, "\n")))
	text := []byte(hex.EncodeToString(sum[:]))
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return ReportPackage{}, err
	}
	return ReportPackage{Name: filepath.Base(path), Path: path, SHA256: sha256Hex(text), Size: int64(len(text))}, nil
}

func (y *yard) Package(_ context.Context, job PackageJob) ([]ReportPackage, error) {
	name := filepath.Base(job.Source)
	y.packages = append(y.packages, name)
	tree, err := hashTree(job.Source)
	if err != nil {
		return nil, err
	}
	p, err := made(filepath.Join(job.Out, name+".deb"), tree)
	return []ReportPackage{p}, err
}

func (y *yard) Image(_ context.Context, job ImageJob) (boot, root ReportPackage, err error) {
	y.images++
	y.secret = string(job.Passphrase)
	boot, err = made(job.Boot, "boot", strings.Join(job.Model.Cmdline(), " "))
	if err == nil {
		from := []string{job.Hostname}
		for _, deb := range job.Debs {
			text, err := os.ReadFile(deb)
			if err != nil {
				return boot, root, err
			}
			from = append(from, string(text))
		}
		root, err = made(job.Root, from...)
	}
	return boot, root, err
}

// portWithAnswers makes a port that knows the answers but those left out.
func portWithAnswers(t *testing.T, without ...string) string {
	t.Helper()
	dir := t.TempDir()
	p, err := OpenPort(dir)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]Value{}
	for id, text := range dinghy {
		if !slices.Contains(without, id) {
			values[id] = Value{text, SourceAsked}
		}
	}
	if err := p.Update(values); err != nil {
		t.Fatal(err)
	}
	return dir
}

// shipyard is a voyage with the real steps describe to image over a yard.
func shipyard(t *testing.T, dir string, change func(*Config)) (*crew, *yard) {
	t.Helper()
	pw := filepath.Join(t.TempDir(), "pw")
	if err := os.WriteFile(pw, []byte("ahoy\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	y, c := &yard{}, &crew{}
	cfg := Config{Dir: dir, Emitter: c, Answers: &Answers{PassphraseFile: pw}, Rooms: Rooms{
		Workshop:   y,
		StockImage: func(string) (Stock, error) { return Stock{}, errors.New("cut off in its ramdisk") },
	}}
	if change != nil {
		change(&cfg)
	}
	v, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Voyage = v
	t.Cleanup(func() { v.Close() })
	return c, y
}

var ashore = RunSteps{From: StepDescribe, To: StepImage}

func TestOnlyWhatChangedIsMadeAgain(t *testing.T) {
	dir := portWithAnswers(t, "touchscreen", "touch_matrix")
	c, y := shipyard(t, dir, nil)
	c.must(t, ashore)
	if !slices.Equal(y.packages, []string{"linux-portolan-dinghy", "device-portolan-dinghy"}) || y.images != 1 || y.secret != "ahoy" {
		t.Fatalf("made %v, %d images, secret %q", y.packages, y.images, y.secret)
	}
	y.packages = nil
	c.must(t, ashore)
	if len(y.packages) != 0 || y.images != 1 || len(collect[StepSkipped](c)) != 4 {
		t.Errorf("a run without a change made %v and %d images; skipped %+v", y.packages, y.images, collect[StepSkipped](c))
	}
	if err := c.Send(SetValue{ID: "kernel", Text: "source"}); err != nil {
		t.Fatal(err)
	}
	c.must(t, ashore)
	if !slices.Contains(y.packages, "linux-portolan-dinghy") || y.images != 2 {
		t.Errorf("another kernel made %v and %d images", y.packages, y.images)
	}
	y.packages = nil
	if err := c.Send(SetValue{ID: "hostname", Text: "skiff"}); err != nil {
		t.Fatal(err)
	}
	c.must(t, ashore)
	if len(y.packages) != 0 || y.images != 3 {
		t.Errorf("another host name made %v and %d images", y.packages, y.images)
	}
	if err := os.Remove(filepath.Join(dir, "out", "images", "root.img")); err != nil {
		t.Fatal(err)
	}
	c.must(t, ashore)
	if y.images != 4 {
		t.Error("a lost image was not made again")
	}
}

func TestEditedFilesAreKept(t *testing.T) {
	dir := portWithAnswers(t)
	c, _ := shipyard(t, dir, nil)
	c.must(t, RunSteps{From: StepDescribe, To: StepGenerate})
	path := filepath.Join(dir, "postmarketos", "device-portolan-dinghy", "deviceinfo")
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	edited := append(bytes.Clone(old), "# mine\n"...)
	if err := os.WriteFile(path, edited, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := c.Send(SetValue{ID: "year", Text: "1999"}); err != nil {
		t.Fatal(err)
	}
	c.must(t, RunSteps{From: StepDescribe, To: StepGenerate})
	if got, _ := os.ReadFile(path); !bytes.Equal(got, edited) {
		t.Error("an edited file was overwritten")
	}
	all := collect[Generated](c)
	var kept GeneratedFile
	for _, f := range all[len(all)-1].Files {
		if strings.HasSuffix(path, filepath.FromSlash(f.Path)) {
			kept = f
		}
	}
	if kept.State != FileKept || !strings.Contains(kept.Diff, "-# mine") || !strings.Contains(kept.Diff, "1999") {
		t.Errorf("readers were told %+v", kept)
	}
	debian, err := os.ReadFile(filepath.Join(dir, "debian", "device-portolan-dinghy", "deviceinfo"))
	if err != nil || !strings.Contains(string(debian), "1999") {
		t.Errorf("a file nobody edited was not updated: %v", err)
	}
}

func TestAConflictIsAskedOnceAndTheAnswerObeyed(t *testing.T) {
	dir := portWithAnswers(t)
	path := filepath.Join(dir, "postmarketos", "device-portolan-dinghy", "deviceinfo")
	asked := 0
	c, _ := shipyard(t, dir, func(cfg *Config) {
		cfg.Answerer = answererFunc(func(a Ask) map[string]string { asked++; return suggestions(a.Questions) })
	})
	generate := RunSteps{From: StepGenerate, To: StepGenerate}
	c.must(t, generate)
	if err := os.WriteFile(path, []byte("mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c.must(t, generate)
	if asked != 0 {
		t.Error("asked though the template has not changed")
	}
	if err := c.Send(SetValue{ID: "year", Text: "1999"}); err != nil {
		t.Fatal(err)
	}
	c.must(t, generate)
	c.must(t, generate)
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	if got, _ := os.ReadFile(path); string(got) != "mine\n" {
		t.Error("the file was overwritten")
	}
}

type answererFunc func(Ask) map[string]string

func (f answererFunc) Answer(_ context.Context, a Ask) (map[string]string, *Secret, error) {
	return f(a), nil, nil
}

func TestFactsPrefillWithTheirSource(t *testing.T) {
	dir := portWithAnswers(t, "codename", "fastboot_product", "flash_pagesize", "kernel_cmdline", "vendor", "hostname")
	if err := os.Mkdir(filepath.Join(dir, "stock"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"vars.toml": "\"product\" = \"Dinghy\"\n", "boot.img": "x"} {
		if err := os.WriteFile(filepath.Join(dir, "stock", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, _ := shipyard(t, dir, func(cfg *Config) {
		cfg.Rooms.StockImage = func(string) (Stock, error) {
			return Stock{Arch: "aarch64", HeaderVersion: 0, PageSize: 4096, Cmdline: "console=ttyAMA0 'bad quote'"}, nil
		}
	})
	c.must(t, RunSteps{From: StepDescribe, To: StepDescribe})
	snap := c.Port()
	for id, want := range map[string]Value{
		"codename": {"dinghy", SourceFastboot}, "fastboot_product": {"Dinghy", SourceFastboot},
		"flash_pagesize": {"4096", SourceBootImage}, "vendor": {"portolan", SourceDefault}, "hostname": {"dinghy", SourceDefault},
		"year": {"2026", SourceAsked}, "kernel_cmdline": {},
	} {
		if snap.Values[id] != want {
			t.Errorf("%s is %+v, want %+v", id, snap.Values[id], want)
		}
	}
}

func TestCorruptStockImageOnlyAsksMore(t *testing.T) {
	dir := portWithAnswers(t)
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "stock"), 0o755), os.WriteFile(filepath.Join(dir, "stock", "boot.img"), []byte("ANDROID!"), 0o644)); err != nil {
		t.Fatal(err)
	}
	c, _ := shipyard(t, dir, nil)
	c.must(t, RunSteps{From: StepDescribe, To: StepDescribe})
	var said string
	for _, l := range collect[LogLine](c) {
		if l.Kind == LineWarning {
			said += l.Text
		}
	}
	if !strings.Contains(said, "boot.img") || !strings.Contains(said, "cut off in its ramdisk") {
		t.Errorf("warned: %q", said)
	}
}

func TestTouchCarriesImageAndFlashForItsPhoneOnly(t *testing.T) {
	dir := portWithAnswers(t, "touchscreen", "touch_matrix")
	c, y := shipyard(t, dir, nil)
	c.must(t, ashore)
	phone := usb.Device{Source: "practice", Serial: "A1"}
	c.take(phone)
	inputs, err := c.flashInputs(t.Context(), phone)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.append(Entry{Step: StepFlash, State: StateFinished, Inputs: inputs, At: time.Now(), Outputs: map[string]string{"serial": "A1"}}); err != nil {
		t.Fatal(err)
	}
	carry, err := c.carriers(t.Context())
	if err != nil || carry.image == nil || carry.flash == nil {
		t.Fatalf("%+v, %v", carry, err)
	}
	err = c.port.Update(map[string]Value{"touchscreen": {"Pad", SourceTouch}, "touch_matrix": {"0 -1 1 1 0 0", SourceTouch}})
	if err == nil {
		_, err = c.generate(t.Context(), StepTouch, c)
	}
	if err == nil {
		_, err = c.build(t.Context(), StepTouch)
	}
	if err == nil {
		err = carry.write(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"linux-portolan-dinghy", "device-portolan-dinghy", "device-portolan-dinghy"}; !slices.Equal(y.packages, want) {
		t.Errorf("touch built %v", y.packages)
	}
	fresh := func(serial string) bool {
		c.take(usb.Device{Source: "practice", Serial: serial})
		in, err := c.flashInputs(t.Context(), usb.Device{Source: "practice", Serial: serial})
		last, ok := c.journal.Last(StepFlash, serial)
		return err == nil && ok && last.Inputs == in
	}
	c.must(t, ashore)
	if y.images != 1 || !fresh("A1") {
		t.Errorf("the phone that has the rule is not up to date: %d images", y.images)
	}
	if fresh("B2") {
		t.Error("another phone counts as flashed")
	}
	c.must(t, ashore)
	if y.images != 2 {
		t.Errorf("another phone gets the old image: %d images", y.images)
	}
	c.take(phone)
	if err := c.Send(SetValue{ID: "kernel", Text: "source"}); err != nil {
		t.Fatal(err)
	}
	c.must(t, ashore)
	if y.images != 3 || fresh("A1") {
		t.Errorf("a real change was carried over too: %d images", y.images)
	}
}

func TestUnifiedDiff(t *testing.T) {
	got := unifiedDiff("a", "b", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\nten")
	want := "--- a\n+++ b\n@@ -2,8 +2,9 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n 9\n+ten\n\\ No newline at end of file\n"
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if unifiedDiff("a", "b", "x", "x") != "" {
		t.Error("equal texts differ")
	}
}

func TestABootImageThatCannotBeReadIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "boot.img")
	if err := os.WriteFile(file, []byte("ANDROID!"), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := portWithAnswers(t)
	c, _ := shipyard(t, dir, func(cfg *Config) { cfg.BootImage = file })
	err := c.Run(t.Context(), RunSteps{From: StepDescribe, To: StepDescribe})
	if ExitCode(err) != ExitUsage || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "stock", "boot.img")); err == nil {
		t.Error("it was taken all the same")
	}
}
