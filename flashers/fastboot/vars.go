package fastboot

import (
	"strconv"
	"strings"
)

// keyed are the variables whose name goes on after a colon, as in
// "partition-size:boot: 0x4000000".
var keyed = map[string]bool{
	"partition-size": true, "partition-type": true, "has-slot": true, "is-logical": true,
	"slot-successful": true, "slot-unbootable": true, "slot-retry-count": true,
}

// splitVar takes a line of "getvar all" apart. Values may hold colons.
func splitVar(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, ":")
	name = strings.TrimSpace(name)
	if ok && keyed[name] {
		var key string
		if key, value, ok = strings.Cut(value, ":"); ok {
			name += ":" + strings.TrimSpace(key)
		}
	}
	return name, strings.TrimSpace(value), ok && name != "" && !strings.ContainsAny(name, " \t")
}

// number reads a size as bootloaders print it: hexadecimal with or without 0x
// (hammerhead's has none), perhaps with blanks around (angler).
func number(s string) (int64, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	n, err := strconv.ParseInt(strings.TrimPrefix(s, "0x"), 16, 64)
	return n, err == nil && n >= 0
}

// yes reads a truth value; known is false if the phone says neither.
func yes(s string) (value, known bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "yes", "true", "1":
		return true, true
	case "no", "false", "0":
		return false, true
	}
	return false, false
}

// lowBattery is below what a Li-ion cell should have before minutes of
// writing: about a tenth of its charge is left at 3.5 V.
const lowBattery = 3500 // millivolts

// millivolts reads battery-voltage, which bootloaders give in mV or µV, with
// or without a unit. Values that no phone's battery has are not believed.
func millivolts(s string) (int64, bool) {
	digits := strings.TrimRight(strings.ToLower(strings.TrimSpace(s)), "muvµ ")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, false
	}
	if n > 100000 {
		n /= 1000
	}
	return n, n >= 2500 && n <= 5000
}
