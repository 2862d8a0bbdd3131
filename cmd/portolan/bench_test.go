package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"portolan/cmd/portolan/screentest"
	"portolan/flashers/fastboot"
	"portolan/usb/tcp"
)

// cli is the real program on folders of its own.
func cli(b *testing.B, dir string, args ...string) *exec.Cmd {
	b.Helper()
	work := filepath.Join(dir, "work")
	cmd := exec.Command(program, append([]string{"--port", filepath.Join(dir, "port"), "--work", work}, args...)...)
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Join(dir, "config"), "TERM=xterm-256color")
	return cmd
}

// median reports the middle of several measurements: one start of a process on
// a busy machine says little.
func median(b *testing.B, name string, n int, once func() time.Duration) {
	b.Helper()
	var took []time.Duration
	for b.Loop() {
		for range n {
			took = append(took, once())
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, name)
	b.ReportMetric(float64(took[0].Microseconds())/1000, "best-"+name)
}

// BenchmarkFirstFrame starts the real program in a terminal until its first
// screen is there. The budget is 30 ms.
func BenchmarkFirstFrame(b *testing.B) {
	dir := b.TempDir()
	ctx, stop := context.WithTimeout(b.Context(), 10*time.Minute)
	defer stop()
	median(b, "ms-first-frame", 25, func() time.Duration {
		began := time.Now()
		screen, err := screentest.Start(cli(b, dir), 120, 40)
		if err != nil {
			b.Fatal(err)
		}
		if err := screen.WaitText(ctx, "Voyage"); err != nil {
			b.Fatal(err)
		}
		took := time.Since(began)
		if err := screen.Press(keys.Quit); err != nil {
			b.Fatal(err)
		}
		if _, err := screen.WaitExit(ctx); err != nil {
			b.Fatal(err)
		}
		screen.Close()
		return took
	})
}

// BenchmarkStatus runs `portolan status`. The budget is 30 ms.
func BenchmarkStatus(b *testing.B) {
	dir := b.TempDir()
	median(b, "ms-status", 25, func() time.Duration {
		cmd := cli(b, dir, "status")
		began := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		return time.Since(began)
	})
}

// BenchmarkNoChangeVoyage runs all steps up to the images on a port where
// nothing has changed. The budget is 2 s. The first run, which builds
// everything, is not measured.
func BenchmarkNoChangeVoyage(b *testing.B) {
	if os.Getenv("PORTOLAN_TEST_WORK") == "" {
		b.Skip("SKIP: building everything first takes minutes; name a work folder that is kept: PORTOLAN_TEST_WORK=DIR")
	}
	for _, n := range voyageNeeds {
		if _, err := exec.LookPath(n.program); err != nil && !exists(n.program) {
			b.Skipf("SKIP: a voyage needs %s; install the package %s", n.program, n.pkg)
		}
	}
	dir := b.TempDir()
	answers, err := os.ReadFile("../../docs/practice-answers.toml")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "answers.toml"), answers, 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "passphrase"), []byte("for the benchmark alone\n"), 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
	voyage := func() (time.Duration, string) {
		cmd := cli(b, dir, "--work", testWork, "voyage", "--practice", "--plain", "--to", "image", "--answers", filepath.Join(dir, "answers.toml"))
		began := time.Now()
		out, err := cmd.CombinedOutput()
		if err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		return time.Since(began), string(out)
	}
	voyage()
	b.ResetTimer()
	median(b, "ms-voyage", 3, func() time.Duration {
		took, out := voyage()
		if skipped, _ := steps(out); !slices.Contains(skipped, "image") || !slices.Contains(skipped, "build") {
			b.Fatalf("it built something:\n%s", out)
		}
		return took
	})
}

// BenchmarkFastboot sends the same image to the practice phone with our client
// and with Debian's fastboot program, in turns. A ratio above 1 is faster than
// the program. Both send it many times over one connection, so that starting a
// process does not count.
func BenchmarkFastboot(b *testing.B) {
	for _, n := range []struct{ program, pkg string }{{"fastboot", "fastboot"}, {"qemu-system-aarch64", "qemu-system-arm"}} {
		if _, err := exec.LookPath(n.program); err != nil {
			b.Skipf("SKIP: there is no %s; install the package %s", n.program, n.pkg)
		}
	}
	const size, times = 60 << 20, 16
	dir := b.TempDir()
	image := filepath.Join(dir, "image")
	if err := os.WriteFile(image, []byte(strings.Repeat("Portolan", size/8)), 0o600); err != nil {
		b.Fatal(err)
	}
	out, err := cli(b, dir, "practice", "start", "--tcp-port", "0").CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	defer func() {
		if out, err := cli(b, dir, "practice", "stop").CombinedOutput(); err != nil {
			b.Errorf("%v: %s", err, out)
		}
	}()
	m := regexp.MustCompile(`tcp:(127\.0\.0\.1:\d+)`).FindSubmatch(out)
	if m == nil {
		b.Fatalf("the practice phone does not tell its address: %s", out)
	}
	addr := string(m[1])

	ours := func() time.Duration {
		conn, err := tcp.Dial(b.Context(), addr)
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		c := fastboot.NewClient(conn)
		began := time.Now()
		for range times {
			f, err := os.Open(image)
			if err == nil {
				err = c.Download(b.Context(), f, size, nil)
				f.Close()
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(began)
	}
	theirs := func() time.Duration {
		args := []string{"-s", "tcp:" + addr}
		for range times {
			args = append(args, "stage", image)
		}
		began := time.Now()
		if out, err := exec.CommandContext(b.Context(), "fastboot", args...).CombinedOutput(); err != nil {
			b.Fatalf("fastboot: %v: %s", err, out)
		}
		return time.Since(began)
	}
	var us, them []time.Duration
	for b.Loop() {
		for range 5 {
			us, them = append(us, ours()), append(them, theirs())
		}
	}
	slices.Sort(us)
	slices.Sort(them)
	rate := func(d []time.Duration) float64 { return size * times / d[len(d)/2].Seconds() / (1 << 20) }
	b.ReportMetric(rate(us), "MiB/s-ours")
	b.ReportMetric(rate(them), "MiB/s-fastboot")
	b.ReportMetric(rate(us)/rate(them), "ratio")
}
