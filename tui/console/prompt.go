package console

import "strings"

// asksSecret tells whether the last line of the phone's screen asks for a
// passphrase: then typed characters are drawn as dots, because the phone does
// not echo them. cryptsetup's prompt is "Enter passphrase for /dev/X: ".
func asksSecret(line string) bool {
	line = strings.ToLower(strings.TrimRight(line, " "))
	if !strings.HasSuffix(line, ":") {
		return false
	}
	return strings.Contains(line, "passphrase") || strings.Contains(line, "password")
}
