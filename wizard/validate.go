package wizard

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"portolan/templates"
)

// Patterns of answers that the templates have no rule for.
var (
	// hostnamePattern is one label of RFC 1123, section 2.1.
	hostnamePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	productPattern  = regexp.MustCompile(`^[\x21-\x7e]{1,64}$`)
	hexPattern      = regexp.MustCompile(`^0x[0-9a-f]{1,8}$`)
)

func matches(re *regexp.Regexp, wants string) func(string) error {
	return func(s string) error {
		if !re.MatchString(s) {
			return fmt.Errorf("%q will not do: %s", s, wants)
		}
		return nil
	}
}

func number(low, high int64) func(string) error {
	return func(s string) error {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < low || n > high || s != strconv.FormatInt(n, 10) {
			return fmt.Errorf("%q will not do: a number from %d to %d", s, low, high)
		}
		return nil
	}
}

func powerOfTwo(low, high int64) func(string) error {
	inRange := number(low, high)
	return func(s string) error {
		if err := inRange(s); err != nil {
			return err
		}
		if n, _ := strconv.ParseInt(s, 10, 64); n&(n-1) != 0 {
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

// matrix accepts six numbers in libinput's order that can be inverted.
func matrix(s string) error {
	nums, err := parseMatrix(s)
	if err != nil {
		return err
	}
	return fits("Touch", func(m *templates.Model, _ string) {
		m.Touch = []templates.Touch{{Device: "a", Matrix: nums}}
	})(s)
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
	if strings.ContainsAny(answer, "\r\n\x00") {
		return fmt.Errorf("%q will not do: one line", answer)
	}
	if q.Validate == nil {
		return nil
	}
	return q.Validate(answer)
}
