package debian

import (
	"archive/tar"
	"bytes"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// rootFile is one file that makes a root filesystem one person's.
type rootFile struct {
	path string // relative to the root
	mode int64
	uid  int // and gid
	text string
	link string // a symlink to there instead
}

// fstab: the initramfs has opened and mounted / before anything reads this file,
// and its device has another name on every phone.
const fstab = `# / was mounted by the initramfs; portolan-growfs.service grows it on boot.
# <file system> <mount point> <type> <options> <dump> <pass>
`

// growfs does what x-systemd.growfs in fstab does for /, without a line there
// that would have to name the device.
const growfs = `[Unit]
Description=Grow the root filesystem to its partition
DefaultDependencies=no
After=systemd-remount-fs.service
Before=shutdown.target
Conflicts=shutdown.target
ConditionPathIsReadWrite=/

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=-/lib/systemd/systemd-growfs /

[Install]
WantedBy=multi-user.target
`

const sshd = `# Written by Portolan. One host key, known to the computer that made the image;
# no password opens this phone.
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UseDNS no
`

// portFiles is a tar of the configuration, with owners as numbers. It holds the
// phone's private host key: the caller wipes it.
func portFiles(o RootFSOptions, host ssh.PublicKey) ([]byte, error) {
	keys := ""
	for _, k := range o.AuthorizedKeys {
		keys += strings.TrimSpace(k) + "\n"
	}
	zone := o.Timezone
	if zone == "" {
		zone = "Etc/UTC"
	}
	home := "home/" + o.User
	files := []rootFile{
		{path: "etc/hostname", mode: 0o644, text: o.Hostname + "\n"},
		{path: "etc/hosts", mode: 0o644, text: "127.0.0.1\tlocalhost\n127.0.1.1\t" + o.Hostname + "\n::1\tlocalhost ip6-localhost ip6-loopback\n"},
		{path: "etc/fstab", mode: 0o644, text: fstab},
		{path: "etc/locale.conf", mode: 0o644, text: "LANG=C.UTF-8\n"},
		{path: "etc/default/locale", mode: 0o644, text: "LANG=C.UTF-8\n"},
		{path: "etc/timezone", mode: 0o644, text: zone + "\n"},
		{path: "etc/localtime", link: "/usr/share/zoneinfo/" + zone},
		{path: "etc/systemd/system/portolan-growfs.service", mode: 0o644, text: growfs},
		{path: "etc/ssh/sshd_config.d/portolan.conf", mode: 0o644, text: sshd},
		{path: "etc/ssh/ssh_host_ed25519_key.pub", mode: 0o644, text: string(ssh.MarshalAuthorizedKey(host))},
		{path: "etc/ssh/ssh_host_ed25519_key", mode: 0o600, text: string(o.HostKey)},
	}
	if keys != "" {
		files = append(files,
			rootFile{path: "root/.ssh/", mode: 0o700},
			rootFile{path: "root/.ssh/authorized_keys", mode: 0o600, text: keys},
			rootFile{path: home + "/.ssh/", mode: 0o700, uid: 1000},
			rootFile{path: home + "/.ssh/authorized_keys", mode: 0o600, uid: 1000, text: keys})
	}
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, f := range files {
		h := &tar.Header{Name: f.path, Mode: f.mode, Uid: f.uid, Gid: f.uid, Size: int64(len(f.text)), ModTime: time.Unix(0, 0), Typeflag: tar.TypeReg}
		switch {
		case f.link != "":
			h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, f.link, 0o777
		case strings.HasSuffix(f.path, "/"):
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("pack the root's configuration: %w", err)
		}
		if _, err := w.Write([]byte(f.text)); err != nil {
			return nil, fmt.Errorf("pack the root's configuration: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack the root's configuration: %w", err)
	}
	return buffer.Bytes(), nil
}
