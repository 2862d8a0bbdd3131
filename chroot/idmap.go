package chroot

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"time"
)

// idRange maps Count ids from Inside (of the namespace) to Outside (of the host),
// as in a line of /proc/PID/uid_map (user_namespaces(7)).
type idRange struct{ Inside, Outside, Count int }

// mapSize is how many ids a root filesystem needs: up to nobody, 65534.
const mapSize = 65536

// mapping is the id map of every helper of an engine.
type mapping struct {
	UIDs, GIDs []idRange
	Tools      bool // write with newuidmap and newgidmap instead of directly
}

// errNoSubids says that the user has no range of subordinate ids.
var errNoSubids = errors.New("no subordinate ids")

// findMapping decides the map: identity for root, subordinate ids for others.
func findMapping() (mapping, error) {
	if os.Geteuid() == 0 {
		uids, err1 := identity("/proc/self/uid_map")
		gids, err2 := identity("/proc/self/gid_map")
		return mapping{UIDs: uids, GIDs: gids}, errors.Join(err1, err2)
	}
	for _, tool := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(tool); err != nil {
			return mapping{}, fmt.Errorf("%s is not installed (package uidmap)", tool)
		}
	}
	me, err := user.Current()
	if err != nil {
		return mapping{}, fmt.Errorf("find the name of user %d: %w", os.Geteuid(), err)
	}
	uids, err := subidFile("/etc/subuid", me.Username, me.Uid)
	if err != nil {
		return mapping{}, err
	}
	gids, err := subidFile("/etc/subgid", me.Username, me.Uid)
	if err != nil {
		return mapping{}, err
	}
	return mapping{UIDs: rootless(os.Geteuid(), uids), GIDs: rootless(os.Getegid(), gids), Tools: true}, nil
}

// identity keeps every id as it is, as far as this process has ids itself.
func identity(file string) ([]idRange, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the id map: %w", err)
	}
	var out []idRange
	for _, line := range strings.Split(string(text), "\n") {
		var in, outside, count int
		if n, _ := fmt.Sscan(line, &in, &outside, &count); n != 3 || in >= mapSize {
			continue
		}
		out = append(out, idRange{in, in, min(count, mapSize-in)})
	}
	return out, nil
}

// rootless maps the user to root and subordinate ids to the rest.
func rootless(id int, sub []idRange) []idRange {
	out := []idRange{{0, id, 1}}
	next := 1
	for _, r := range sub {
		if n := min(r.Count, mapSize-next); n > 0 {
			out = append(out, idRange{next, r.Outside, n})
			next += n
		}
	}
	return out
}

func subidFile(file, name, uid string) ([]idRange, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%w for %s: %w", errNoSubids, name, err)
	}
	defer f.Close()
	ranges, total := parseSubids(f, name, uid), 0
	for _, r := range ranges {
		total += r.Count
	}
	if total < mapSize-1 {
		return nil, fmt.Errorf("%w: %s gives %s %d ids, a root filesystem needs %d", errNoSubids, file, name, total, mapSize-1)
	}
	return ranges, nil
}

// parseSubids reads lines of NAME-OR-UID:START:COUNT (subuid(5)).
func parseSubids(r io.Reader, name, uid string) []idRange {
	var out []idRange
	lines := bufio.NewScanner(io.LimitReader(r, 1<<20))
	for lines.Scan() {
		f := strings.Split(strings.TrimSpace(lines.Text()), ":")
		if len(f) != 3 || (f[0] != name && f[0] != uid) {
			continue
		}
		start, err1 := strconv.ParseUint(f[1], 10, 32)
		count, err2 := strconv.ParseUint(f[2], 10, 32)
		if err1 == nil && err2 == nil && start > 0 && count > 0 {
			out = append(out, idRange{Outside: int(start), Count: int(count)})
		}
	}
	return out
}

// write gives process pid, which waits for it, its ids.
func (m mapping) write(ctx context.Context, pid int) error {
	for _, w := range []struct {
		tool, file string
		ranges     []idRange
	}{{"newgidmap", "gid_map", m.GIDs}, {"newuidmap", "uid_map", m.UIDs}} {
		if !m.Tools {
			var text strings.Builder
			for _, r := range w.ranges {
				fmt.Fprintf(&text, "%d %d %d\n", r.Inside, r.Outside, r.Count)
			}
			if err := os.WriteFile(fmt.Sprintf("/proc/%d/%s", pid, w.file), []byte(text.String()), 0); err != nil {
				return fmt.Errorf("write the id map of the user namespace: %w", err)
			}
			continue
		}
		argv := []string{strconv.Itoa(pid)}
		for _, r := range w.ranges {
			argv = append(argv, strconv.Itoa(r.Inside), strconv.Itoa(r.Outside), strconv.Itoa(r.Count))
		}
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		out, err := exec.CommandContext(ctx, w.tool, argv...).CombinedOutput()
		cancel()
		if err != nil {
			return fmt.Errorf("%s %s: %w: %s", w.tool, strings.Join(argv, " "), err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}
