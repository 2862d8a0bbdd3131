package debian

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/crypto/ssh"

	"portolan/chroot"
)

// RootFSOptions say what a phone's root filesystem holds.
type RootFSOptions struct {
	Arch     string   // Debian architecture of the phone: "arm64"
	Packages []string // from the archive, besides a minimal system
	Debs     []string // local .deb files: the port's own packages
	Hostname string
	User     string // account with uid 1000, home and no password
	// AuthorizedKeys may log in over SSH as User and as root; lines of authorized_keys(5).
	AuthorizedKeys []string
	// HostKey is the phone's only SSH host key, an OpenSSH private key of type
	// ed25519. The maker of the image so knows the phone before the first contact.
	HostKey  []byte
	Timezone string            // of the tz database; "" is Etc/UTC
	Line     func(text string) // each line of output; may be nil
}

// Root is a finished root filesystem.
type Root struct {
	Layers []chroot.Layer // lowest first
	Arch   string         // Debian architecture
}

var (
	userName = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,30}$`)                                                        // useradd(8)
	hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)                                            // hostname(7)
	zoneName = regexp.MustCompile(`^[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,2}$`)                              // Area/City
	reserved = map[string]bool{"root": true, "daemon": true, "nobody": true, "sshd": true, "sys": true, "bin": true} // in base-passwd
)

// check validates what goes into files and commands of the root.
func (o *RootFSOptions) check() (ssh.PublicKey, error) {
	switch {
	case !archName.MatchString(o.Arch):
		return nil, fmt.Errorf("root filesystem: %q is not a Debian architecture", clip(o.Arch, 40))
	case !hostName.MatchString(o.Hostname):
		return nil, fmt.Errorf("root filesystem: host name %q: lower case letters, digits and - only", clip(o.Hostname, 80))
	case !userName.MatchString(o.User) || reserved[o.User]:
		return nil, fmt.Errorf("root filesystem: user name %q: lower case letters, digits, _ and - only, and none of Debian's own", clip(o.User, 80))
	case o.Timezone != "" && !zoneName.MatchString(o.Timezone):
		return nil, fmt.Errorf("root filesystem: time zone %q is not like Europe/Berlin", clip(o.Timezone, 80))
	}
	for _, p := range o.Packages {
		if !packageName.MatchString(p) {
			return nil, fmt.Errorf("root filesystem: %q is not a name of a Debian package", clip(p, 80))
		}
	}
	for i, k := range o.AuthorizedKeys {
		_, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(k))
		if err != nil || len(bytes.TrimSpace(rest)) > 0 || strings.ContainsAny(strings.TrimSpace(k), "\n\r\x00") {
			return nil, fmt.Errorf("root filesystem: SSH key %d is not one line of authorized_keys", i+1)
		}
	}
	signer, err := ssh.ParsePrivateKey(o.HostKey)
	if err != nil {
		return nil, errors.New("root filesystem: the phone's host key is not an OpenSSH private key without a passphrase")
	}
	if t := signer.PublicKey().Type(); t != ssh.KeyAlgoED25519 {
		return nil, fmt.Errorf("root filesystem: the phone's host key is of type %s, not %s", t, ssh.KeyAlgoED25519)
	}
	return signer.PublicKey(), nil
}

// RootFS makes the root filesystem of a phone: the base system in one layer that
// every port shares, and what belongs to this port in another. Both are kept as
// long as their inputs stay the same.
func (b *Builder) RootFS(ctx context.Context, o RootFSOptions) (Root, error) {
	public, err := o.check()
	if err != nil {
		return Root{}, err
	}
	more := o.Packages
	if o.Timezone != "" && o.Timezone != "Etc/UTC" { // UTC needs no database
		more = append(more[:len(more):len(more)], "tzdata")
	}
	base, err := b.base(ctx, o.Arch, more)
	if err != nil {
		return Root{}, err
	}
	parts := []string{script("port.sh", "resolve.sh", "apt.sh"), base.ID, o.Hostname, o.User, o.Timezone,
		string(public.Marshal()), strings.Join(o.AuthorizedKeys, "\n")}
	for _, deb := range o.Debs {
		sum, _, err := hashFile(deb)
		if err != nil {
			return Root{}, fmt.Errorf("root filesystem: read package: %w", err)
		}
		parts = append(parts, sum)
	}
	files, err := portFiles(o, public)
	if err != nil {
		return Root{}, err
	}
	defer clear(files)
	parts = append(parts, sum(files))
	prefix := "port-" + o.Hostname + "-"
	id := recipe(strings.TrimSuffix(prefix, "-"), parts...)
	l, err := b.layer(ctx, id, "the phone's root filesystem", []chroot.Layer{base}, func(tx *chroot.LayerTx, m Mirror) error {
		return b.installPort(ctx, tx, m, base, files, o)
	})
	if err != nil {
		return Root{}, err
	}
	b.dropOld(ctx, prefix, id)
	return Root{Layers: []chroot.Layer{base, l}, Arch: o.Arch}, nil
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

// dropOld removes the layers that earlier packages of the same port left. One
// that cannot be removed now costs space and is tried again next time.
func (b *Builder) dropOld(ctx context.Context, prefix, keep string) {
	list, err := b.Engine.LayerList()
	if err != nil {
		return
	}
	for _, l := range list {
		rest, ours := strings.CutPrefix(l.ID, prefix)
		if ours && l.ID != keep && len(rest) == 12 && !strings.Contains(rest, "-") {
			_ = b.Engine.RemoveLayer(ctx, l.ID)
		}
	}
}

// installPort fills the port's layer. Dependencies are found and downloaded by
// native apt; the phone's own apt installs.
func (b *Builder) installPort(ctx context.Context, tx *chroot.LayerTx, m Mirror, base chroot.Layer, files []byte, o RootFSOptions) error {
	tools, err := b.tools(ctx)
	if err != nil {
		return err
	}
	var binds []chroot.Bind
	for _, deb := range o.Debs {
		if !strings.HasSuffix(deb, ".deb") {
			return fmt.Errorf("%s is not named like a Debian package", deb)
		}
		binds = append(binds, chroot.Bind{Source: deb, Target: "/debs/" + filepath.Base(deb), ReadOnly: true})
	}
	var needed []string
	if len(binds) > 0 {
		c := b.Engine.Chroot("resolve", tools)
		c.Binds = append([]chroot.Bind{{Layers: []chroot.Layer{base}, Target: "/target"}}, binds...)
		err := b.apt(ctx, c, aptJob{script: "resolve.sh", arch: o.Arch, status: "/target/var/lib/dpkg/status", mirror: m,
			what: "download what the port's packages need",
			line: func(s string) {
				if f, ok := strings.CutPrefix(s, "portolan: need "); ok && f == filepath.Base(f) {
					needed = append(needed, f)
				}
			}})
		if err != nil {
			return err
		}
	}
	natives, err := nativeBinds(tools, base, o.Arch, needed)
	if err != nil {
		return err
	}
	scripts, err := b.scriptsDir()
	if err != nil {
		return err
	}
	cache, err := b.Engine.Dir("cache", "apt", b.suite(), o.Arch)
	if err != nil {
		return err
	}
	c := tx.Chroot
	c.Arch = o.Arch
	c.Binds = append([]chroot.Bind{{Source: scripts, Target: "/scripts", ReadOnly: true}, {Source: cache, Target: "/apt", ReadOnly: true}}, binds...)
	c.Binds = append(c.Binds, natives...)
	return b.run(ctx, c, chroot.Cmd{Argv: append([]string{"sh", "/scripts/port.sh"}, needed...), Env: []string{"PHONE_USER=" + o.User},
		Stdin: bytes.NewReader(files), Line: o.Line}, m, "install the port's packages")
}

// nativePackages are those whose programs the scripts of packages mostly run;
// the same list is in scripts/root.sh.
var nativePackages = []string{"coreutils", "tar", "dpkg", "sed", "grep", "mawk", "perl-base", "debianutils", "diffutils", "findutils",
	"util-linux", "dash", "bash", "hostname", "login", "passwd", "gzip", "sysvinit-utils", "mount"}

// nativeBinds lays the tools' native programs over the phone's for one run, see
// the package comment. Packages that would replace one of them cannot be
// installed that way; then, and where the tools are not amd64, nothing is laid over.
func nativeBinds(tools, root chroot.Layer, arch string, installed []string) ([]chroot.Bind, error) {
	if chroot.NativeArch() != "amd64" || arch == "amd64" {
		return nil, nil
	}
	var binds []chroot.Bind
	for _, p := range nativePackages {
		for _, f := range installed {
			if strings.HasPrefix(f, p+"_") {
				return nil, nil
			}
		}
		list, err := os.ReadFile(filepath.Join(tools.Dir, "var/lib/dpkg/info", p+".list"))
		if err != nil {
			return nil, fmt.Errorf("list the toolbox's programs: %w", err)
		}
		for name := range strings.Lines(string(list)) {
			name = strings.TrimSuffix(name, "\n")
			if !strings.HasPrefix(name, "/usr/") { // /bin is a link to /usr/bin
				name = "/usr" + name
			}
			dir := filepath.Dir(name)
			if (dir != "/usr/bin" && dir != "/usr/sbin") || name == "/usr/bin/dpkg" || name == "/usr/sbin/nologin" {
				continue
			}
			if regular(tools.Dir+name) && regular(root.Dir+name) {
				binds = append(binds, chroot.Bind{Source: tools.Dir + name, Target: name, ReadOnly: true})
			}
		}
	}
	return append(binds,
		chroot.Bind{Source: tools.Dir + "/usr/lib64", Target: "/lib64", ReadOnly: true},
		chroot.Bind{Source: tools.Dir + "/usr/lib/x86_64-linux-gnu", Target: "/usr/lib/x86_64-linux-gnu", ReadOnly: true}), nil
}

func regular(name string) bool {
	info, err := os.Lstat(name)
	return err == nil && info.Mode().IsRegular()
}
