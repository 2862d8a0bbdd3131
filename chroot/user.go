package chroot

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// account is whom a command runs as.
type account struct {
	name     string
	uid, gid uint32
	groups   []uint32
	home     string
}

// defaultPath is Debian's and Alpine's path for root.
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environ is the whole environment of a command: nothing of the host's.
func (a account) environ(extra []string) []string {
	env := []string{defaultPath, "HOME=" + a.home, "USER=" + a.name, "LOGNAME=" + a.name, "SHELL=/bin/sh", "LANG=C.UTF-8", "TERM=dumb"}
	for _, kv := range extra {
		name, _, _ := strings.Cut(kv, "=")
		kept := env[:0]
		for _, old := range env {
			if n, _, _ := strings.Cut(old, "="); n != name {
				kept = append(kept, old)
			}
		}
		env = append(kept, kv)
	}
	return env
}

// lookupUser reads the chroot's own /etc/passwd and /etc/group. user is empty
// (root), a name, or UID:GID.
func lookupUser(user string) (account, error) {
	root := account{name: "root", home: "/root"}
	if user == "" || user == "root" || user == "0:0" {
		return root, nil
	}
	if u, g, ok := strings.Cut(user, ":"); ok {
		uid, err1 := strconv.ParseUint(u, 10, 32)
		gid, err2 := strconv.ParseUint(g, 10, 32)
		if err1 != nil || err2 != nil {
			return root, fmt.Errorf("user %q is not UID:GID", user)
		}
		return account{name: u, uid: uint32(uid), gid: uint32(gid), home: "/"}, nil
	}
	passwd, err := os.Open("/etc/passwd")
	if err != nil {
		return root, fmt.Errorf("look up user %s: %w", user, err)
	}
	defer passwd.Close()
	a, err := parsePasswd(passwd, user)
	if err != nil {
		return root, err
	}
	if group, err := os.Open("/etc/group"); err == nil {
		defer group.Close()
		a.groups = parseGroups(group, user)
	}
	return a, nil
}

// parsePasswd finds user in the format of passwd(5).
func parsePasswd(r io.Reader, user string) (account, error) {
	lines := bufio.NewScanner(io.LimitReader(r, 1<<20))
	for lines.Scan() {
		f := strings.Split(lines.Text(), ":")
		if len(f) < 6 || f[0] != user {
			continue
		}
		uid, err1 := strconv.ParseUint(f[2], 10, 32)
		gid, err2 := strconv.ParseUint(f[3], 10, 32)
		if err1 != nil || err2 != nil {
			return account{}, fmt.Errorf("user %s has no number in the chroot's /etc/passwd", user)
		}
		return account{name: user, uid: uint32(uid), gid: uint32(gid), home: f[5]}, nil
	}
	return account{}, fmt.Errorf("no user %s in the chroot's /etc/passwd", user)
}

// parseGroups lists the groups that name user, in the format of group(5).
func parseGroups(r io.Reader, user string) []uint32 {
	var ids []uint32
	lines := bufio.NewScanner(io.LimitReader(r, 1<<20))
	for lines.Scan() {
		f := strings.Split(lines.Text(), ":")
		if len(f) < 4 {
			continue
		}
		for _, member := range strings.Split(f[3], ",") {
			if id, err := strconv.ParseUint(f[2], 10, 32); err == nil && member == user {
				ids = append(ids, uint32(id))
			}
		}
	}
	return ids
}
