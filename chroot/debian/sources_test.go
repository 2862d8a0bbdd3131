package debian

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestParseSources(t *testing.T) {
	tests := []struct {
		name   string
		deb822 bool
		text   string
		want   []Source
	}{
		{"one line", false, "# comment\ndeb http://mirror.example/debian/ bookworm main contrib # why\ndeb-src http://mirror.example/debian bookworm main\n",
			[]Source{{URI: "http://mirror.example/debian", Suites: []string{"bookworm"}, Components: []string{"main", "contrib"}}}},
		{"options", false, "deb [ arch=amd64 signed-by=/usr/share/keyrings/x.gpg ] https://m.example/debian bookworm-security main\n",
			[]Source{{URI: "https://m.example/debian", Suites: []string{"bookworm-security"}, Components: []string{"main"}, SignedBy: "/usr/share/keyrings/x.gpg"}}},
		{"not for us", false, "deb cdrom:[Debian]/ bookworm main\ndeb file:/srv/debian bookworm main\ndeb http://flat.example/ ./\ndebian http://x/debian y main\ndeb [arch=amd64 http://m/debian b main\n", nil},
		{"deb822", true, "Types: deb deb-src\nURIs: http://a.example/debian\n https://b.example/debian/\nSuites: bookworm bookworm-updates\nComponents: main\n# comment\nSigned-By:\n -----BEGIN\n .\n\nEnabled: no\nTypes: deb\nURIs: http://off.example/debian\nSuites: bookworm\nComponents: main\n",
			[]Source{
				{URI: "http://a.example/debian", Suites: []string{"bookworm", "bookworm-updates"}, Components: []string{"main"}, SignedBy: "-----BEGIN\n."},
				{URI: "https://b.example/debian", Suites: []string{"bookworm", "bookworm-updates"}, Components: []string{"main"}, SignedBy: "-----BEGIN\n."}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseSources([]byte(tt.text), tt.deb822)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestHostMirror(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  Mirror
	}{
		{"none", nil, Mirror{URI: DefaultMirror, Security: DefaultSecurity, From: "default"}},
		{"old style", map[string]string{"sources.list": "deb http://m.example/debian bookworm main\ndeb http://s.example/debian-security bookworm-security main\n"},
			Mirror{URI: "http://m.example/debian", Security: "http://s.example/debian-security", From: "/etc/apt/sources.list"}},
		{"other vendors under Debian's suite names", map[string]string{
			"sources.list.d/docker.list":    "deb https://download.docker.example/linux/debian bookworm stable\n",
			"sources.list.d/a.list":         "deb [signed-by=/k/vendor.gpg] https://vendor.example/debian bookworm main\n",
			"sources.list.d/ubuntu.list":    "deb http://archive.ubuntu.example/ubuntu noble main\n",
			"sources.list.d/debian.sources": "Types: deb\nURIs: http://m.example/debian\nSuites: trixie trixie-updates\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"},
			Mirror{URI: "http://m.example/debian", From: "/etc/apt/sources.list.d/debian.sources"}},
		{"a broken file beside a good one", map[string]string{
			"sources.list.d/a.sources": " starts with a continuation\n",
			"sources.list.d/b.list":    "deb http://m.example/debian stable main\n"},
			Mirror{URI: "http://m.example/debian", From: "/etc/apt/sources.list.d/b.list"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			for name, text := range tt.files {
				path := filepath.Join(root, "etc/apt", name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := HostMirror(context.Background(), root)
			if err != nil || got != tt.want {
				t.Errorf("got %+v, %v\nwant %+v", got, err, tt.want)
			}
		})
	}
}

func TestNewMirrorRefuses(t *testing.T) {
	for _, uri := range []string{"", "m.example/debian", "ftp://m.example/debian", "http://m.example/debian\ndeb http://evil/ x main", "http://m/$(id)", "http://m/debian?x=1", "http://me:pw@m/debian"} {
		if m, err := NewMirror(uri); err == nil {
			t.Errorf("NewMirror(%q) = %+v, want an error", uri, m)
		}
	}
}

// TestSourcesAreSigned: no line may let apt trust another key than the archive's.
func TestSourcesAreSigned(t *testing.T) {
	for _, l := range (Mirror{URI: "http://m/debian", Security: "http://m/debian-security"}).Lines("bookworm") {
		if !strings.HasPrefix(l, "deb [signed-by="+Keyring+"] http://m/debian") {
			t.Errorf("line %q is not bound to the archive's keyring", l)
		}
	}
}

func FuzzParseSources(f *testing.F) {
	f.Add([]byte("deb [signed-by=/k] http://m/debian bookworm main\n"), false)
	f.Add([]byte("Types: deb\nURIs: http://m/debian\nSuites: a b\nComponents: main\n"), true)
	f.Fuzz(func(t *testing.T, data []byte, deb822 bool) {
		list, err := ParseSources(data, deb822)
		if err != nil {
			return
		}
		for _, s := range list {
			// What is written into a sources.list must stay on its line and be one word.
			if again, ok := cleanURI(s.URI); !ok || len(strings.Fields(s.URI)) != 1 || again != s.URI {
				t.Errorf("address %q does not survive", s.URI)
			}
		}
		pick(list)
	})
}
