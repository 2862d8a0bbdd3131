package debian

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseControl(t *testing.T) {
	const text = `Source: linux-x
Build-Depends: debhelper-compat (= 13), bc, gcc-aarch64-linux-gnu:native,
# a comment between
 libssl-dev [amd64 arm64], only-arm [armhf], not-here [!amd64], any-linux [linux-any],
 first | second, foreign [armhf] | fallback (>= 1.2~), docs <!nocheck>, never <stage1>
Build-Depends-Indep: rsync

Package: linux-x
Architecture: arm64
Description: a
 b

Package: linux-x-doc
Architecture: all
`
	c, err := ParseControl([]byte(text), "amd64")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range c.BuildDepends {
		got = append(got, d.String())
	}
	want := []string{"debhelper-compat", "bc", "gcc-aarch64-linux-gnu", "libssl-dev", "any-linux", "first", "fallback", "docs", "rsync"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("build dependencies\n got %q\nwant %q", got, want)
	}
	if c.Source != "linux-x" || !reflect.DeepEqual(c.Packages, []string{"linux-x", "linux-x-doc"}) {
		t.Errorf("got source %q, packages %q", c.Source, c.Packages)
	}
}

func TestParseControlRefuses(t *testing.T) {
	const tail = "\n\nPackage: abc\nArchitecture: all\n"
	for _, text := range []string{
		"", "Source: abc\n", "Package: abc\n\nSource: abc\n", "Source: ../../etc" + tail,
		"Source: abc\nBuild-Depends: $(id)" + tail, "Source: abc\nBuild-Depends: a (>= 1" + tail,
		"Source: abc\nBuild-Depends: -oDir=x" + tail, "Source: abc\nBuild-Depends: abc garbage" + tail,
		"Source: abc\nSource: abd" + tail, " Source: abc" + tail, "Source abc" + tail,
		"Source: abc\n\nPackage: A B\n", strings.Repeat("x", maxControlFile+1),
	} {
		if c, err := ParseControl([]byte(text), "amd64"); err == nil {
			t.Errorf("ParseControl(%.60q) = %+v, want an error", text, c)
		}
	}
}

func TestBuildDependsBringCompilers(t *testing.T) {
	pack := &Control{BuildDepends: []Dependency{{Name: "debhelper-compat"}, {Name: "kmod"}}}
	if got := beyondToolbox(buildDepends(pack, BuildOptions{Arch: "arm64"})); len(got) != 0 {
		t.Errorf("a package that only packs files wants %q besides the toolbox", got)
	}
	compile := &Control{BuildDepends: []Dependency{{Name: "bc"}, {Name: "bc", Qualifier: "native"}}}
	got := beyondToolbox(buildDepends(compile, BuildOptions{Arch: "armhf", Depends: []string{"linux-source-6.1"}}))
	want := []string{"bc", "ccache", "gcc", "gcc-arm-linux-gnueabihf", "libc6-dev", "linux-source-6.1"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzParseControl(f *testing.F) {
	f.Add([]byte("Source: abc\nBuild-Depends: a:any (>= 1) [!armhf] <!x> | b\n\nPackage: abc\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseControl(data, "amd64")
		if err != nil {
			return
		}
		for _, d := range c.BuildDepends {
			// Each becomes a word of apt-get's command line.
			if s := d.String(); strings.HasPrefix(s, "-") || strings.ContainsAny(s, " \t\n/*?") {
				t.Errorf("dependency %q could be taken for something else", s)
			}
		}
	})
}
