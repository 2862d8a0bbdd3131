package wizard

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"portolan/usb/session"
	"portolan/wizard/calibration"
)

var eventName = regexp.MustCompile(`^event[0-9]{1,5}$`)

// asRoot makes a shell line that runs a script as root on the phone: at once,
// or by sudo without a password.
func asRoot(script string) (string, error) {
	q, err := syntax.Quote(script, syntax.LangPOSIX)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`if [ "$(id -u)" -eq 0 ]; then exec sh -c %s; else exec sudo -n sh -c %s; fi`, q, q), nil
}

// sideload installs the device package on the running phone by its own package
// manager and makes udev apply the rule.
func (v *Voyage) sideload(ctx context.Context, remote Remote, device session.InputDevice, m calibration.Matrix) error {
	pkg, err := v.devicePackage()
	if err != nil {
		return err
	}
	f, err := os.Open(pkg.Path)
	if err != nil {
		return fmt.Errorf("read the device package: %w", err)
	}
	defer f.Close()
	name := "/tmp/portolan-" + pkg.SHA256[:min(16, len(pkg.SHA256))] + ".deb"
	if err := remote.Upload(ctx, name, 0o600, f, pkg.Size); err != nil {
		return phoneTrouble("copy the device package to the phone", err)
	}
	script := fmt.Sprintf("set -e; export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin; dpkg -i %s; rm -f %s; "+
		"udevadm control --reload; udevadm trigger --settle --subsystem-match=input --action=change", name, name)
	command, err := asRoot(script)
	if err != nil {
		return err
	}
	v.line(ctx, StepTouch, LineCommand, "dpkg -i "+name+" && udevadm trigger (on the phone)")
	out, err := remote.Run(ctx, command, nil)
	for line := range strings.Lines(string(out.Stdout)) {
		v.line(ctx, StepTouch, LineOutput, Printable(strings.TrimRight(line, "\r\n")))
	}
	if err != nil {
		return phoneTrouble("install the device package on the phone", err)
	}
	return v.checkRule(ctx, remote, device, m)
}

// checkRule asks the phone's udev which matrix the touchscreen has now.
func (v *Voyage) checkRule(ctx context.Context, remote Remote, device session.InputDevice, m calibration.Matrix) error {
	if !eventName.MatchString(device.Event) {
		return fmt.Errorf("check the rule on the phone: %q is no event node", device.Event)
	}
	out, err := remote.Run(ctx, "PATH=/usr/sbin:/usr/bin:/sbin:/bin udevadm info --query=property --name=/dev/input/"+device.Event, nil)
	if err != nil {
		return phoneTrouble("check the rule on the phone", err)
	}
	const key = "LIBINPUT_CALIBRATION_MATRIX="
	for line := range strings.Lines(string(out.Stdout)) {
		text, ok := strings.CutPrefix(strings.TrimSpace(line), key)
		if !ok {
			continue
		}
		if got, err := parseMatrix(text); err == nil && calibration.Matrix(got).String() == m.String() {
			v.note(ctx, StepTouch, "the phone's udev shows %s%s", key, text)
			return nil
		}
		return fmt.Errorf("check the rule on the phone: udev shows %s%s instead of %s; another rule overrides it: look into /etc/udev/rules.d on the phone", key, Printable(text), m)
	}
	return fmt.Errorf("check the rule on the phone: udev shows no %s for %q after the device package was installed; is its rule matched by that name?", strings.TrimSuffix(key, "="), device.Name)
}
