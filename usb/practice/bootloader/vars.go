package bootloader

import (
	"fmt"
	"strings"
)

// Vars are all variables in the order of "getvar all": the configured ones,
// the sizes of transfers, then what is told of each partition.
func (b *Bootloader) Vars() []Var {
	vars := append([]Var(nil), b.cfg.Vars...)
	limit := fmt.Sprintf("0x%x", b.cfg.MaxDownload)
	vars = append(vars, Var{"max-download-size", limit}, Var{"max-fetch-size", limit}, Var{"slot-count", "0"})
	for _, p := range b.cfg.Partitions {
		vars = append(vars,
			Var{"partition-type:" + p.Name, p.Type},
			Var{"partition-size:" + p.Name, fmt.Sprintf("0x%x", p.Size)},
			Var{"has-slot:" + p.Name, "no"},
			Var{"is-logical:" + p.Name, "no"},
		)
	}
	return vars
}

func (s *session) getvar(name string) error {
	vars := s.b.Vars()
	if name == "all" {
		for _, v := range vars {
			if err := s.info(v.Name + ":" + v.Value); err != nil {
				return err
			}
		}
		return s.ok("")
	}
	for _, v := range vars {
		if v.Name == name {
			return s.ok(v.Value)
		}
	}
	if of, part, ok := strings.Cut(name, ":"); ok {
		return s.fail("no partition %.40q to tell the %.24s of", part, of)
	}
	return s.fail("unknown variable %.40q", name)
}
