package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// program is the real binary, built once for all tests; testWork is the work
// folder that those share which build something.
var program, testWork string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "portolan-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = filepath.Join(dir, "portolan")
	// A folder that is kept spares the next run the bootstrapping.
	testWork = filepath.Join(dir, "work")
	if kept := os.Getenv("PORTOLAN_TEST_WORK"); kept != "" {
		testWork = kept + "-voyage"
	}
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	if strings.HasPrefix(testWork, dir) && exists(testWork) { // its files may belong to subordinate ids
		if out, err := exec.Command(program, "zap", "--caches", "--work", testWork).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "zap: %v\n%s", err, out)
		}
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// TestStories runs the command line stories in testdata/script.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(program)+string(os.PathListSeparator)+os.Getenv("PATH"))
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":    cmdExits,
			"practice": cmdPractice,
		},
		Condition: func(cond string) (bool, error) {
			if name, ok := bytes.CutPrefix([]byte(cond), []byte("program:")); ok {
				_, err := exec.LookPath(string(name))
				return err == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
	})
}

// cmdExits runs a program and checks its exit code: `exits 2 portolan …`. What
// it printed is in the files stdout.txt and stderr.txt of the story.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got, out, errOut := runIn(ts, args[1:])
	ts.Check(os.WriteFile(ts.MkAbs("stdout.txt"), out, 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("stderr.txt"), errOut, 0o644))
	ts.Logf("exit %d\nstdout: %s\nstderr: %s", got, out, errOut)
	if got != want {
		ts.Fatalf("%v exits with %d, want %d", args[1:], got, want)
	}
}

func runIn(ts *testscript.TestScript, argv []string) (code int, stdout, stderr []byte) {
	name := argv[0]
	if name == "portolan" {
		name = program
	}
	cmd := exec.Command(name, argv[1:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, key := range []string{"PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "TERM"} {
		cmd.Env = append(cmd.Env, key+"="+ts.Getenv(key))
	}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v: %v", argv, err)
	}
	return code, out.Bytes(), errOut.Bytes()
}

// cmdPractice starts a practice phone on a free port for the story, and stops
// it when the story ends, however it ends. Its port is in $FASTBOOT_PORT.
func cmdPractice(ts *testscript.TestScript, neg bool, args []string) {
	if _, err := exec.LookPath("qemu-system-aarch64"); err != nil {
		ts.Fatalf("the practice phone needs qemu-system-aarch64; install the package qemu-system-arm")
	}
	ts.Defer(func() { runIn(ts, []string{"portolan", "practice", "stop"}) })
	code, out, errOut := runIn(ts, append([]string{"portolan", "practice", "start", "--tcp-port", "0"}, args...))
	if code != 0 {
		ts.Fatalf("practice start: exit %d: %s", code, errOut)
	}
	ts.Logf("%s", out)
	const before = "fastboot -s tcp:127.0.0.1:"
	i := bytes.Index(out, []byte(before))
	if i < 0 {
		ts.Fatalf("practice start does not tell its port: %s", out)
	}
	port, _, _ := bytes.Cut(out[i+len(before):], []byte(" "))
	ts.Setenv("FASTBOOT_PORT", string(port))
}
