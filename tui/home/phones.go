package home

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"portolan/tui/draw"
	"portolan/tui/state"
	"portolan/tui/theme"
	"portolan/usb"
	"portolan/wizard"
)

func width(s string) int { return ansi.StringWidth(s) }

// modes says what a phone is doing, in words a newcomer understands.
var modes = map[usb.Mode]string{
	usb.ModeUnknown:    "in a mode Portolan does not know",
	usb.ModeFastboot:   "in fastboot",
	usb.ModeBooting:    "booting",
	usb.ModeNetwork:    "on its USB network",
	usb.ModeBootFailed: "stopped: its bootloader refused to boot",
	usb.ModeOff:        "off",
}

// Mode says what a phone is doing.
func Mode(m usb.Mode) string {
	if s, ok := modes[m]; ok {
		return s
	}
	return string(m)
}

// practiceName is the least that the practice phone is called.
const practiceName = "(practice)"

// Name is a phone's name for people: the maker is not said twice, and the
// practice phone is marked.
func Name(d usb.Device) string {
	maker, product := strings.TrimSpace(draw.Clean(d.Manufacturer)), strings.TrimSpace(draw.Clean(d.Product))
	name := product
	if maker != "" && !strings.HasPrefix(strings.ToLower(product), strings.ToLower(maker)) {
		name = strings.TrimSpace(maker + " " + product)
	}
	if name == "" {
		name = fmt.Sprintf("phone %04x:%04x", d.VendorID, d.ProductID)
	}
	if d.Practice {
		name += " (practice)"
	}
	return name
}

// ShortName is a phone's name without its maker; the practice phone stays marked.
func ShortName(d usb.Device) string {
	if strings.TrimSpace(d.Product) == "" {
		return Name(d)
	}
	d.Manufacturer = ""
	return Name(d)
}

// short are the modes in a word or two, for the header.
var short = map[usb.Mode]string{
	usb.ModeUnknown: "unknown mode", usb.ModeNetwork: "USB network", usb.ModeBootFailed: "bootloader error",
}

// Badge is one phone in a few words, for the header: as many as fit into w cells.
func Badge(t theme.Theme, d usb.Device, w int) string {
	st := t.Good
	if d.Permission != usb.PermissionOK && d.Permission != "" || d.Mode == usb.ModeBootFailed {
		st = t.Bad
	}
	mode, ok := short[d.Mode]
	if !ok {
		mode = draw.Clean(string(d.Mode))
	}
	name := Name(d)
	for _, shorter := range []string{ShortName(d), practiceName} {
		if width(name)+1+width(mode) > w && (shorter != practiceName || d.Practice) {
			name = shorter
		}
	}
	return t.Title.Render(name) + " " + st.Render(mode)
}

// Phones lists what is on the cable in at most h lines. cursor is the selected phone, or -1.
func Phones(t theme.Theme, s state.State, now time.Time, cursor, w, h int) []string {
	if len(s.Devices) == 0 {
		var lines []string
		for _, l := range draw.Wrap("No phone on the cable.", w) {
			lines = append(lines, t.Title.Render(l))
		}
		lines = append(lines, "")
		for _, l := range draw.Wrap("Switch the phone off, hold volume down and power until its bootloader shows, then plug it in. If nothing happens: another cable, another port.", w) {
			lines = append(lines, t.Dim.Render(l))
		}
		return lines
	}
	phone, chosen := s.Phone()
	var lines []string
	from, to := 0, 0
	for i, d := range s.Devices {
		arrow := " "
		if i == cursor {
			arrow, from = t.Accent.Render("▸"), len(lines)
		}
		mark := "○"
		if chosen && d.ID == phone.ID {
			mark = t.Good.Render("◉")
		}
		since := ""
		if !d.Since.IsZero() {
			since = t.Dim.Render(draw.Since(now.Sub(d.Since)))
		}
		lines = append(lines, draw.Spread(arrow+mark+" "+t.Title.Render(Name(d)), since, w))
		lines = append(lines, "   "+Mode(d.Mode)+t.Dim.Render(" · serial "+draw.Clean(d.Serial)))
		where := ""
		if d.VendorID != 0 || d.ProductID != 0 {
			where = fmt.Sprintf("%04x:%04x", d.VendorID, d.ProductID)
		}
		if d.Path != "" {
			where += " at " + draw.Clean(d.Path)
		}
		if where != "" {
			lines = append(lines, "   "+t.Dim.Render(where))
		}
		switch d.Permission {
		case usb.PermissionDenied:
			lines = append(lines, "   "+t.Bad.Render("! no permission to open it"))
		case usb.PermissionBusy:
			lines = append(lines, "   "+t.Bad.Render("! another program holds it"))
		}
		if d.Hint != "" {
			for _, l := range draw.Wrap(draw.Clean(d.Hint), max(1, w-3)) {
				lines = append(lines, "   "+t.Warn.Render(l))
			}
		}
		if i == cursor {
			to = len(lines) - 1
		}
		lines = append(lines, "")
	}
	view, _, _ := draw.Window(lines[:len(lines)-1], from, to, h)
	return view
}

// portRows are the values of a port that are worth a line at home.
var portRows = []string{"manufacturer", "name", "vendor", "codename", "arch", "kernel", "flash_method"}

// Port is the port at hand in a few lines.
func Port(t theme.Theme, p wizard.Snapshot, w int) []string {
	var out []string
	if p.Dir != "" {
		out = append(out, t.Dim.Render(draw.Fit("in "+draw.Clean(p.Dir), w)))
	}
	for _, id := range portRows {
		if v, ok := p.Values[id]; ok && v.Text != "" {
			out = append(out, draw.Fit(t.Dim.Render(draw.Fit(strings.ReplaceAll(id, "_", " "), 13))+" "+draw.Clean(v.Text), w))
		}
	}
	if len(out) == 0 {
		out = append(out, t.Dim.Render(draw.Fit("Nothing is known of the phone yet.", w)))
	}
	return out
}
