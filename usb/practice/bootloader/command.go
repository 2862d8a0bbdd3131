package bootloader

import (
	"fmt"
	"strconv"
	"strings"
)

// Sizes of the protocol's packets (fastboot.h of the Android Open Source
// Project: FB_COMMAND_SZ and FB_RESPONSE_SZ).
const (
	maxCommand  = 4096
	maxResponse = 256
)

// Command is one parsed request of a client.
type Command struct {
	Name   string // "getvar", "download", "reboot", …
	Arg    string // variable, partition, reboot target
	Size   int64  // of a download, or of a fetch (-1: to the end)
	Offset int64  // of a fetch
}

// ParseCommand reads one command packet. The error is what the client is told.
func ParseCommand(packet []byte) (Command, error) {
	if len(packet) == 0 {
		return Command{}, fmt.Errorf("empty command")
	}
	if len(packet) > maxCommand {
		return Command{}, fmt.Errorf("command of %d bytes; the longest is %d", len(packet), maxCommand)
	}
	for _, c := range packet {
		if c < 0x20 || c > 0x7e {
			return Command{}, fmt.Errorf("command is not printable ASCII")
		}
	}
	text := string(packet)
	if text == "oem" || strings.HasPrefix(text, "oem ") {
		return Command{Name: "oem", Arg: strings.TrimPrefix(text[3:], " ")}, nil
	}
	// "reboot-bootloader" and "reboot:bootloader" are the same request.
	if rest, ok := strings.CutPrefix(text, "reboot-"); ok {
		return Command{Name: "reboot", Arg: rest}, nil
	}
	name, arg, has := strings.Cut(text, ":")
	cmd := Command{Name: name, Arg: arg}
	switch name {
	case "getvar", "flash", "erase":
		if !has || arg == "" {
			return Command{}, fmt.Errorf("%s needs a name after the colon", name)
		}
	case "download":
		size, err := strconv.ParseUint(arg, 16, 32)
		if err != nil {
			return Command{}, fmt.Errorf("download size %.16q is not hexadecimal", arg)
		}
		cmd.Size = int64(size)
	case "fetch":
		return parseFetch(arg)
	case "boot", "continue", "reboot", "set_active", "upload", "powerdown":
	default:
		return Command{}, fmt.Errorf("unknown command %.32q", name)
	}
	return cmd, nil
}

// parseFetch reads "PARTITION[:OFFSET[:SIZE]]", numbers hexadecimal with or
// without 0x.
func parseFetch(arg string) (Command, error) {
	parts := strings.Split(arg, ":")
	if parts[0] == "" || len(parts) > 3 {
		return Command{}, fmt.Errorf("fetch wants partition[:offset[:size]]")
	}
	cmd := Command{Name: "fetch", Arg: parts[0], Size: -1}
	for i, target := range []*int64{&cmd.Offset, &cmd.Size} {
		if len(parts) < i+2 {
			break
		}
		n, err := strconv.ParseUint(strings.TrimPrefix(parts[i+1], "0x"), 16, 62)
		if err != nil {
			return Command{}, fmt.Errorf("fetch number %.20q is not hexadecimal", parts[i+1])
		}
		*target = int64(n)
	}
	return cmd, nil
}

// reply makes one answer packet, cut to what clients take.
func reply(status, text string) []byte {
	p := append([]byte(status), text...)
	if len(p) > maxResponse {
		p = p[:maxResponse]
	}
	return p
}
