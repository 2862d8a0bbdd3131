package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// typedAnswers are what a person knows of the practice phone and it cannot tell.
var typedAnswers = map[string]string{
	"Manufacturer": "Portolan", "Name of the phone": "Portolan Dinghy", "Vendor, as one word": "portolan",
	"Codename": "dinghy", "Year of release": "2026",
	"Screen width in pixels": "720", "Screen height in pixels": "1280",
	"Your name": "Jo Porter", "Your e-mail address": "jo@example.org",
}

// fill answers the form as a person does who is led from one open question to
// the next, until the describe step is done.
func (d *deck) fill() {
	d.t.Helper()
	asked := regexp.MustCompile(`▸! (.*?)(?:  |…)`)
	open := ""
	for range len(typedAnswers) + 1 {
		d.press(keys.AcceptAll)
		title := ""
		check(d.t, d.screen.Wait(d.ctx, "the next question, or none", func(s string) bool {
			if m := asked.FindStringSubmatch(s); m != nil {
				title = strings.TrimSpace(m[1])
				return title != open
			}
			title = ""
			return strings.Contains(s, "✓ describe")
		}))
		if title == "" {
			return
		}
		answer, known := typedAnswers[title]
		if !known {
			d.t.Fatalf("nobody knows %q:\n%s", title, d.screen.Screen())
		}
		d.types(answer).sees(answer)
		open = title
	}
	d.t.Fatalf("the form does not end:\n%s", d.screen.Screen())
}

// hides fails when the passphrase is on the screen.
func (d *deck) hides(secret string) *deck {
	d.t.Helper()
	if s := d.screen.Screen(); strings.Contains(s, secret) {
		d.t.Errorf("the passphrase is on the screen:\n%s", s)
	}
	return d
}

// TestTUIVoyage takes the practice phone all the way as a person does, and
// once more to see that nothing is asked twice.
func TestTUIVoyage(t *testing.T) {
	r := newRig(t)
	r.factory()
	const secret, wrong = "geheim unter deck", "geheim"

	d := r.open(120, 40, nil, "--practice")
	d.sees("Portolan Dinghy (practice)", "starts the voyage").press(keys.Continue)
	d.sees("What phone is it?", "Preview", "answers to").listens(keys.Accept)
	d.fill()
	d.sees("✓ generate")

	d.sees("Passphrase for the disk of Portolan Dinghy").listens(keys.TakeSecret)
	d.types(secret).hides(secret).press(keys.TakeSecret).sees("The same passphrase once more")
	d.types(wrong).press(keys.TakeSecret).sees("the two were not the same")
	d.types(secret).press(keys.TakeSecret).sees("The same passphrase once more")
	d.types(secret).press(keys.TakeSecret)

	d.sees("✓ image", "Type dinghy to overwrite this phone", "PRACTICE0001", "userdata").listens(keys.Accept)
	check(t, d.screen.Resize(80, 24))
	d.sees("Type dinghy to overwrite").press(keys.Accept).sees("an answer is needed") // never a bare enter
	check(t, d.screen.Resize(120, 40))
	d.types("dinghy").press(keys.Accept)

	d.sees("✓ flash", "Enter passphrase for /dev/", "waits for the passphrase").listens(keys.LeaveConsole)
	d.types(wrong + "\r").sees("No key available with this passphrase.").sees("waits for the passphrase of")
	d.types(secret).sees(strings.Repeat("•", len(secret))).hides(secret).types("\r")
	d.sees("Land in sight", "Linux dinghy", "try 2", `"0 -1 1 -1 0 1"`, "c compiles a kernel of your own").listens(keys.Follow)

	d.press(keys.Console).sees("user@dinghy:").listens(keys.LeaveConsole)
	d.types("echo $((6*7)); uname -a\r").sees("\n│ 42", "aarch64 GNU/Linux")
	d.press(keys.LeaveConsole).sees("Phones").press(keys.Quit).ends(0)
	r.leavesNothing()
	for _, f := range []string{r.port, filepath.Join(r.work, "logs")} {
		if found := grep(t, f, secret); found != "" {
			t.Errorf("the passphrase is in %s", found)
		}
	}

	// The port is complete: nothing is asked until the phone itself asks.
	d = r.open(80, 24, nil, "--practice")
	d.sees("Portolan Dinghy (practice)", "what is unchanged is skipped").press(keys.Continue)
	d.sees("Enter passphrase for /dev/").listens(keys.LeaveConsole)
	d.press(keys.LeaveConsole).sees("Phones").press(keys.Cancel).sees("continues at attach, which was stopped")
	d.press(keys.Quit).ends(0)
	r.leavesNothing()
	r.journal()
}

// grep returns the first file below dir that holds a text, or "".
func grep(t *testing.T, dir, text string) string {
	t.Helper()
	found := ""
	check(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || found != "" || strings.HasSuffix(path, ".img") {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(data), text) {
			found = path
		}
		return err
	}))
	return found
}
