package wizard

import (
	"fmt"
	"net/mail"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Patterns of names that become parts of package names, paths and shell words.
var (
	// vendorPattern: package names are device-V-C, so a vendor has no dash.
	vendorPattern = regexp.MustCompile(`^[a-z0-9]+$`)
	// codenamePattern is what Debian (policy 5.6.1) and Alpine package names have in common.
	codenamePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*[a-z0-9]$|^[a-z0-9]$`)
	// hostnamePattern is one label of RFC 1123, section 2.1.
	hostnamePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	// userPattern is the NAME_REGEX of Debian's adduser, and its 32 bytes.
	userPattern      = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
	partitionPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,71}$`)
	modulePattern    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	productPattern   = regexp.MustCompile(`^[\x21-\x7e]{1,64}$`)
	hexPattern       = regexp.MustCompile(`^0x[0-9a-f]{1,8}$`)
	suitePattern     = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
)

func matches(re *regexp.Regexp, wants string) func(string) error {
	return func(s string) error {
		if !re.MatchString(s) {
			return fmt.Errorf("%q will not do: %s", s, wants)
		}
		return nil
	}
}

// oneLine accepts text that a person reads: no control characters, no line
// ends, no quotes of the shell, at most 100 characters.
func oneLine(s string) error {
	switch {
	case strings.TrimSpace(s) != s || s == "":
		return fmt.Errorf("%q will not do: it is empty or has blanks around it", s)
	case !utf8.ValidString(s) || utf8.RuneCountInString(s) > 100:
		return fmt.Errorf("%q will not do: at most 100 characters of UTF-8", s)
	}
	for _, r := range s {
		if !unicode.IsPrint(r) || strings.ContainsRune("\"'`$\\<>", r) {
			return fmt.Errorf("%q will not do: it has the character %q", s, r)
		}
	}
	return nil
}

func number(low, high int64) func(string) error {
	return func(s string) error {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < low || n > high {
			return fmt.Errorf("%q will not do: a number from %d to %d", s, low, high)
		}
		return nil
	}
}

func powerOfTwo(low, high int64) func(string) error {
	return func(s string) error {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < low || n > high || n&(n-1) != 0 {
			return fmt.Errorf("%q will not do: a power of two from %d to %d", s, low, high)
		}
		return nil
	}
}

func boolean(s string) error {
	if s != "true" && s != "false" {
		return fmt.Errorf("%q will not do: true or false", s)
	}
	return nil
}

func oneOf(choices []Choice) func(string) error {
	return func(s string) error {
		var names []string
		for _, c := range choices {
			if c.Value == s {
				return nil
			}
			names = append(names, c.Value)
		}
		return fmt.Errorf("%q will not do: one of %s", s, strings.Join(names, ", "))
	}
}

func each(check func(string) error) func(string) error {
	return func(s string) error {
		for _, word := range strings.Fields(s) {
			if err := check(word); err != nil {
				return err
			}
		}
		return nil
	}
}

// cmdline accepts kernel parameters: printable ASCII without quotes, at most
// the 512+1024 bytes that boot image headers 0 to 2 hold (bootimg.h of AOSP).
func cmdline(s string) error {
	if len(s) > 1535 {
		return fmt.Errorf("%d bytes will not do: a boot image holds at most 1535", len(s))
	}
	for _, r := range s {
		if r < 0x20 || r > 0x7e || strings.ContainsRune("\"'`$\\", r) {
			return fmt.Errorf("%q will not do: it has the character %q", s, r)
		}
	}
	return nil
}

func email(s string) error {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s {
		return fmt.Errorf("%q will not do: an address like name@example.org", s)
	}
	return oneLine(s)
}

// matrix accepts six numbers in libinput's order.
func matrix(s string) error {
	words := strings.Fields(s)
	if len(words) != 6 {
		return fmt.Errorf("%q will not do: six numbers", s)
	}
	for _, w := range words {
		if f, err := strconv.ParseFloat(w, 64); err != nil || f != f || f < -100 || f > 100 {
			return fmt.Errorf("%q will not do: %q is not a number from -100 to 100", s, w)
		}
	}
	return nil
}

// Check validates an answer: an empty one where the question is optional, else
// what the question's own rules say.
func (q Question) Check(answer string) error {
	if answer == "" {
		if q.Optional {
			return nil
		}
		return fmt.Errorf("an answer is needed")
	}
	if q.Validate == nil {
		return nil
	}
	return q.Validate(answer)
}
