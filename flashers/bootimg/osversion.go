package bootimg

import "fmt"

// The os_version field packs Android's version and its security patch level:
// 7 bits each for a, b and c of a.b.c, then 7 bits for the year since 2000
// and 4 for the month (bootimg.h).

func (h *Header) setOS(v uint32) {
	if a := v >> 11; a != 0 {
		h.OSVersion = fmt.Sprintf("%d.%d.%d", a>>14, a>>7&127, a&127)
	}
	if p := v & (1<<11 - 1); p != 0 {
		h.PatchLevel = fmt.Sprintf("%04d-%02d", 2000+(p>>4), p&15)
	}
}

// os packs the two fields. "11" and "11.0" mean "11.0.0"; a patch level may
// carry a day, which the field has no room for, as mkbootimg allows.
func (h *Header) os() (uint32, error) {
	var a, b, c, year, month, day uint32
	if s := h.OSVersion; s != "" {
		if !scan(s, "%d.%d.%d", &a, &b, &c) && !scan(s, "%d.%d", &a, &b) && !scan(s, "%d", &a) || max(a, b, c) > 127 {
			return 0, &FieldError{Field: "the Android version", Value: s, Why: "it must be like 11.0.0, each number below 128"}
		}
	}
	if s := h.PatchLevel; s != "" {
		if !scan(s, "%4d-%2d-%2d", &year, &month, &day) && !scan(s, "%4d-%2d", &year, &month) || year < 2000 || year > 2127 || month > 15 {
			return 0, &FieldError{Field: "the security patch level", Value: s, Why: "it must be like 2020-05"}
		}
		year -= 2000
	}
	return (a<<14|b<<7|c)<<11 | year<<4 | month, nil
}

// scan reads exactly the format, nothing after it.
func scan(s, format string, into ...any) bool {
	var rest string
	for _, p := range into {
		*p.(*uint32) = 0
	}
	n, _ := fmt.Sscanf(s+"\x00", format+"%s", append(into, &rest)...)
	return n == len(into)+1 && rest == "\x00"
}
