package debian

import (
	"os/exec"
	"strings"
	"testing"
)

func TestScriptsPassShellcheck(t *testing.T) {
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("SKIP: no shellcheck on this host; install package shellcheck")
	}
	entries, err := scripts.ReadDir("scripts")
	if err != nil {
		t.Fatal(err)
	}
	argv := []string{"-x", "-P", "scripts"}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".sh") {
			argv = append(argv, "scripts/"+e.Name())
		}
	}
	if len(argv) < 6 {
		t.Fatalf("only %q were found", argv)
	}
	if out, err := exec.Command("shellcheck", argv...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestNativePackages: the Go list and the script's are the same, and whatever is
// laid over was unpacked before that, since a bind mount cannot be replaced.
func TestNativePackages(t *testing.T) {
	text := script("root.sh")
	_, rest, _ := strings.Cut(text, "\nnative=\"")
	list, _, ok := strings.Cut(rest, "\"")
	if !ok || list != strings.Join(nativePackages, " ") {
		t.Errorf("root.sh lays over %q, Go %q", list, nativePackages)
	}
	_, rest, _ = strings.Cut(text, "for p in libgmp10")
	first, _, _ := strings.Cut(rest, "; do")
	for _, p := range nativePackages {
		if !contains(strings.Fields(first), p) {
			t.Errorf("%s is laid over but not unpacked first", p)
		}
	}
}

func TestRecipes(t *testing.T) {
	if recipe("a", "x", "yz") == recipe("a", "xy", "z") {
		t.Error("two recipes got one name")
	}
	if first, again := recipe("a", "x"), recipe("a", "x"); first != again {
		t.Errorf("a recipe got the names %s and %s", first, again)
	}
}

func TestRootFSOptionsAreChecked(t *testing.T) {
	key, public := hostKey(t)
	good := func() RootFSOptions {
		return RootFSOptions{Arch: "arm64", Hostname: "boat", User: "skipper", HostKey: key}
	}
	o := good()
	if got, err := o.check(); err != nil || string(got.Marshal()) != string(public.Marshal()) {
		t.Fatalf("a good set of options: %v", err)
	}
	for name, change := range map[string]func(*RootFSOptions){
		"user":     func(o *RootFSOptions) { o.User = "root" },
		"user -":   func(o *RootFSOptions) { o.User = "-G" },
		"host":     func(o *RootFSOptions) { o.Hostname = "a b" },
		"arch":     func(o *RootFSOptions) { o.Arch = "../x" },
		"package":  func(o *RootFSOptions) { o.Packages = []string{"-y"} },
		"zone":     func(o *RootFSOptions) { o.Timezone = "../../etc/shadow" },
		"key":      func(o *RootFSOptions) { o.AuthorizedKeys = []string{"ssh-ed25519 nonsense"} },
		"host key": func(o *RootFSOptions) { o.HostKey = []byte("-----BEGIN OPENSSH PRIVATE KEY-----\nsecretsecret\n") },
	} {
		o := good()
		change(&o)
		_, err := o.check()
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "secretsecret") {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}
