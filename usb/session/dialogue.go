package session

import (
	"bytes"
	"regexp"
)

// What the phone's unlock program says. The wording is cryptsetup's (src/ and
// lib/setup.c), that of postmarketOS' initramfs until October 2017
// (init_functions.sh, unlock_root_partition) and of Portolan's own.
var (
	rePrompt  = regexp.MustCompile(`Enter passphrase for ([^\s:]{1,200}): ?$`)
	reWrong   = regexp.MustCompile(`No key available with this passphrase`)
	reOpened  = regexp.MustCompile(`decrypted successfully`)
	reSSH     = regexp.MustCompile(`^\s*ssh ([A-Za-z0-9._-]{1,64})@([0-9A-Za-z.:-]{1,64})\s*$`)
	reNotLUKS = regexp.MustCompile(`is not a valid LUKS device|Device \S+ does not exist`)
	reBroken  = regexp.MustCompile(`cryptsetup ended with status \d+`) // templates/initramfs/unlock
	reShell   = regexp.MustCompile(`^(\S*@\S*|[~/]\S*) ?[#$] $|\blogin: ?$`)
	reEscape  = regexp.MustCompile(`\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-Z\\-_]`)
)

// Bounds of what is kept of the phone's output.
const (
	maxLine  = 1024 // bytes of a line that are looked at
	maxLines = 12   // lines kept for an error
)

// dialogue follows what the unlock program prints, line by line. It is a pure
// state machine over bytes.
type dialogue struct {
	line []byte   // the line at hand, without its end
	saw  [][]byte // last lines, oldest first

	wrong   bool // the passphrase just sent was refused
	opened  bool // the root is open
	broken  bool // cryptsetup failed for another reason than the passphrase
	notLUKS bool // whatever answers here does not ask for a passphrase
	user    string
	host    string
}

// feed takes a piece of the phone's output.
func (d *dialogue) feed(p []byte) {
	for _, b := range p {
		switch {
		case b == '\n':
			d.endLine()
		case b == '\r' || b == 0:
		case len(d.line) < maxLine:
			d.line = append(d.line, b)
		}
	}
	if reShell.Match(d.text()) {
		d.notLUKS = true
	}
}

func (d *dialogue) endLine() {
	text := d.text()
	d.wrong = d.wrong || reWrong.Match(text)
	d.opened = d.opened || reOpened.Match(text)
	d.notLUKS = d.notLUKS || reNotLUKS.Match(text)
	d.broken = d.broken || reBroken.Match(text)
	if m := reSSH.FindSubmatch(text); d.opened && m != nil {
		d.user, d.host = string(m[1]), string(m[2])
	}
	if len(bytes.TrimSpace(text)) > 0 {
		if len(d.saw) == maxLines {
			clear(d.saw[0])
			d.saw = append(d.saw[:0], d.saw[1:]...)
		}
		d.saw = append(d.saw, bytes.Clone(text))
	}
	clear(d.line)
	d.line = d.line[:0]
}

// text is the line at hand without terminal escapes.
func (d *dialogue) text() []byte {
	if !bytes.ContainsRune(d.line, 0x1b) {
		return d.line
	}
	return reEscape.ReplaceAll(d.line, nil)
}

// prompt returns the device whose passphrase the phone asks for right now.
func (d *dialogue) prompt() (device string, ok bool) {
	m := rePrompt.FindSubmatch(d.text())
	if m == nil {
		return "", false
	}
	return string(m[1]), true
}

// sent starts a new round after a passphrase went out.
func (d *dialogue) sent() {
	d.endLine()
	d.wrong, d.opened, d.notLUKS, d.broken = false, false, false, false
	d.user, d.host = "", ""
}

// seen is what the phone printed last, for an error message, with secret hidden.
func (d *dialogue) seen(secret []byte) string {
	all := bytes.Join(append(d.saw[:len(d.saw):len(d.saw)], d.text()), []byte(" / "))
	defer clear(all)
	if len(secret) > 0 {
		return string(bytes.ReplaceAll(all, secret, []byte(hidden)))
	}
	return string(all)
}

// wipe forgets everything that was printed.
func (d *dialogue) wipe() {
	for _, l := range d.saw {
		clear(l)
	}
	d.saw = nil
	clear(d.line[:cap(d.line)])
}

// hidden stands for a secret wherever the phone echoed it.
const hidden = "••••"

// redactor passes output on with every occurrence of a secret hidden, also
// where it comes in pieces.
type redactor struct {
	secret []byte
	held   []byte // a tail that may be the beginning of the secret
	show   func([]byte)
}

func (r *redactor) write(p []byte) {
	if r.show == nil {
		return
	}
	all := append(r.held, p...)
	for {
		i := bytes.Index(all, r.secret)
		if len(r.secret) == 0 || i < 0 {
			break
		}
		r.emit(all[:i])
		r.emit([]byte(hidden))
		all = all[i+len(r.secret):]
	}
	keep := min(len(r.secret)-1, len(all))
	for keep > 0 && !bytes.HasPrefix(r.secret, all[len(all)-keep:]) {
		keep--
	}
	keep = max(keep, 0)
	r.emit(all[:len(all)-keep])
	held := bytes.Clone(all[len(all)-keep:])
	clear(all)
	clear(r.held)
	r.held = held
}

// flush passes on what was held back, hidden: it is the beginning of the secret.
func (r *redactor) flush() {
	if len(r.held) > 0 && r.show != nil {
		r.emit([]byte(hidden))
	}
	clear(r.held)
	r.held = nil
}

func (r *redactor) emit(p []byte) {
	if len(p) > 0 {
		r.show(bytes.Clone(p))
	}
}
