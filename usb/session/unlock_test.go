package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// passphrase has what shells, telnet and terminals like to mangle.
const passphrase = `p äss'w"o$rd \ ÿ#%`

// luksFile makes a LUKS2 file with a quick key derivation.
func luksFile(t *testing.T) string {
	t.Helper()
	cryptsetup := need(t, "cryptsetup", "cryptsetup-bin")
	path := filepath.Join(t.TempDir(), "root.luks")
	if out, err := exec.Command("truncate", "-s", "20M", path).CombinedOutput(); err != nil {
		t.Fatalf("truncate: %v: %s", err, out)
	}
	format := exec.Command(cryptsetup, "luksFormat", "-q", "--type", "luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-file", "-", path)
	format.Stdin = strings.NewReader(passphrase)
	if out, err := format.CombinedOutput(); err != nil {
		t.Fatalf("cryptsetup luksFormat: %v: %s", err, out)
	}
	return path
}

// unlockers are login programs that ask for the passphrase of a LUKS device.
var unlockers = map[string]string{
	// As postmarketOS did until 2017: cryptsetup itself talks to the terminal.
	"cryptsetup asks": `
PATH=$PATH:/usr/sbin:/sbin
echo 'Portolan Dinghy'
until cryptsetup open --tries 1 --test-passphrase %[1]s; do :; done
printf 'Your root partition has been decrypted successfully!\n'
printf 'You can connect to your device using SSH in a few seconds:\n'
printf 'ssh porter@172.16.42.1\n'
`,
	// As Portolan's initramfs does: a script asks and pipes.
	"a script asks": `
PATH=$PATH:/usr/sbin:/sbin
stty -echo; trap 'stty echo' EXIT
printf '\nPortolan Dinghy\nThe root partition is encrypted.\n\n'
while :; do
	printf 'Enter passphrase for %%s: ' %[1]s
	IFS= read -r p || exit 1
	printf '\n'
	if printf %%s "$p" | cryptsetup open --test-passphrase --key-file - %[1]s 2>/dev/null; then break; fi
	printf 'No key available with this passphrase.\n'
done
printf 'Your root partition has been decrypted successfully!\n'
printf 'You can connect to your device using SSH in a few seconds:\n'
printf 'ssh porter@172.16.42.1\n'
`,
}

func TestUnlockRealLUKS(t *testing.T) {
	device := luksFile(t)
	for name, script := range unlockers {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			ctx := testContext(t)
			c := telnetd(t, fmt.Sprintf(script, device))
			var shown screen
			prompt, err := WaitPrompt(ctx, c, shown.add)
			if err != nil || prompt != device {
				t.Fatalf("prompt for %q, %v", prompt, err)
			}
			if !strings.Contains(shown.String(), "Portolan Dinghy") {
				t.Errorf("the banner was not shown: %q", shown.String())
			}
			for range 2 { // wrong, and again on the same connection
				o, err := Unlock(ctx, c, []byte("wrong one"), shown.add)
				if err != nil || o.Result != WrongPassphrase || o.Closed || o.Device != device {
					t.Fatalf("wrong passphrase: %+v, %v; shown %q", o, err, shown.String())
				}
			}
			mine := []byte(passphrase)
			o, err := Unlock(ctx, c, mine, shown.add)
			if err != nil || o.Result != Unlocked || o.User != "porter" || o.Host != "172.16.42.1" {
				t.Fatalf("right passphrase: %+v, %v; shown %q", o, err, shown.String())
			}
			if string(mine) != passphrase {
				t.Error("the caller's passphrase was touched")
			}
			for _, secret := range []string{passphrase, "wrong one"} {
				if strings.Contains(shown.String(), secret) {
					t.Errorf("the passphrase was shown: %q", shown.String())
				}
			}
			if n := strings.Count(shown.String(), "No key available"); n != 2 {
				t.Errorf("%d refusals shown, want 2: %q", n, shown.String())
			}
		})
	}
}

// phoneSays plays the phone: it prints, then for each further text first reads
// a line, then prints that. It hangs up at the end unless stay is set.
func phoneSays(t *testing.T, stay bool, texts ...string) *Telnet {
	t.Helper()
	near, far := connPair(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 4096)
		for i, text := range texts {
			for i > 0 {
				n, err := far.Read(buf)
				if err != nil {
					return
				}
				if bytes.ContainsRune(buf[:n], '\r') {
					break
				}
			}
			for _, b := range []byte(text) { // in the smallest pieces
				if _, err := far.Write([]byte{b}); err != nil {
					return
				}
			}
		}
		if !stay {
			far.Close()
			return
		}
		for {
			if _, err := far.Read(buf); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { near.Close(); <-ended })
	return NewTelnet(near, 80, 24)
}

const ask = "Enter passphrase for /dev/vda: "

func TestUnlockOutcomes(t *testing.T) {
	const opened = "\r\nYour root partition has been decrypted successfully!\r\n"
	for _, c := range []struct {
		name   string
		says   []string
		stay   bool
		result Result
		closed bool
		user   string
		err    error
	}{
		{"closed after the refusal", []string{ask, "\r\nNo key available with this passphrase.\r\n"}, false, WrongPassphrase, true, "", nil},
		{"asked again without a word", []string{ask, "\r\n" + ask}, true, WrongPassphrase, false, "", nil},
		{"coloured prompt", []string{"\x1b[1m\x1b[0mEnter passphrase for \x1b[32m/dev/vda\x1b[0m: ", opened + "ssh a@b\r\n"}, true, Unlocked, false, "a", nil},
		{"opened and closed at once", []string{ask, opened}, false, Unlocked, true, "", nil},
		{"the passphrase echoed", []string{ask, "secret word\r\n" + opened + "ssh user@172.16.42.1\r\n"}, true, Unlocked, false, "user", nil},
		{"closed without a word", []string{ask, "\r\n"}, false, "", false, "", ErrClosed},
		{"closed before the prompt", []string{"hello\r\n"}, false, "", false, "", ErrClosed},
		{"a root shell", []string{"debug shell\r\n/ # "}, true, "", false, "", ErrNotLUKS},
		{"a login prompt", []string{"\r\ndinghy login: "}, true, "", false, "", ErrNotLUKS},
		{"not a LUKS device", []string{ask, "\r\nDevice /dev/vda is not a valid LUKS device.\r\n" + ask}, true, "", false, "", ErrNotLUKS},
		{"cryptsetup failed", []string{ask, "\r\ncryptsetup ended with status 4: no memory, secret word\r\n" + ask}, true, "", false, "", ErrUnlockFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			noLeaks(t)
			var shown screen
			o, err := Unlock(testContext(t), phoneSays(t, c.stay, c.says...), []byte("secret word"), shown.add)
			if !errors.Is(err, c.err) || o.Result != c.result || o.Closed != c.closed || o.User != c.user {
				t.Errorf("got %+v, %v", o, err)
			}
			if strings.Contains(shown.String(), "secret word") || strings.Contains(fmt.Sprint(err), "secret word") {
				t.Errorf("the passphrase came out: %q, %v", shown.String(), err)
			}
			if c.err == ErrUnlockFailed && !strings.Contains(fmt.Sprint(err), "no memory") {
				t.Errorf("the cause is missing: %v", err)
			}
		})
	}
}

func TestUnlockEndsWithItsContext(t *testing.T) {
	for _, c := range []struct {
		name string
		says []string
		late error
	}{
		{"no prompt", []string{"starting\r\n"}, ErrNoPrompt},
		{"no answer", []string{ask, "\r\n"}, ErrTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			noLeaks(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := Unlock(ctx, phoneSays(t, true, c.says...), []byte("x1"), nil)
			if !errors.Is(err, c.late) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("late: %v", err)
			}
			ctx, cancel = context.WithCancel(t.Context())
			phone := phoneSays(t, true, c.says...)
			ended := make(chan error)
			go func() {
				_, err := Unlock(ctx, phone, []byte("x1"), nil)
				ended <- err
			}()
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
		})
	}
}

// A cancelled wait leaves the connection in order for the next try.
func TestWaitPromptCanBeRepeated(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	c := NewTelnet(near, 0, 0)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		far.Write([]byte("Enter passphrase "))
		cancel()
	}()
	if _, err := WaitPrompt(ctx, c, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: %v", err)
	}
	go far.Write([]byte("for /dev/vda: "))
	if device, err := WaitPrompt(testContext(t), c, nil); err != nil || device != "/dev/vda" {
		t.Errorf("repeated: %q, %v", device, err)
	}
}

func TestPassphrasesThatCannotBeTyped(t *testing.T) {
	for _, p := range []string{"", "two\nlines", "tab\t", "\x03", "del\x7f", strings.Repeat("x", maxPassphrase+1)} {
		_, err := Unlock(t.Context(), nil, []byte(p), nil)
		if !errors.Is(err, ErrUntyped) {
			t.Errorf("%.10q: %v", p, err)
		}
		if len(p) > 3 && strings.Contains(fmt.Sprint(err), p) {
			t.Errorf("the error holds the passphrase: %v", err)
		}
	}
}

func FuzzDialogue(f *testing.F) {
	f.Add([]byte("banner\r\n"+ask), []byte("secret"))
	f.Add([]byte("\x1b[1mEnter passphrase for /dev/vda: secsecret\r\nNo key available with this passphrase.\r\n"), []byte("secret"))
	f.Add([]byte("decrypted successfully\nssh a@b\n"), []byte("aab"))
	f.Fuzz(func(t *testing.T, output, secret []byte) {
		var whole, bytewise dialogue
		whole.feed(output)
		var shown []byte
		r := redactor{secret: secret, show: func(p []byte) { shown = append(shown, p...) }}
		for i := range output {
			bytewise.feed(output[i : i+1])
			r.write(output[i : i+1])
		}
		r.flush()
		// A shell prompt is looked for where a piece ends, the rest is the same.
		if whole.wrong != bytewise.wrong || whole.opened != bytewise.opened || whole.user != bytewise.user || whole.broken != bytewise.broken {
			t.Errorf("in pieces: %+v, whole: %+v", bytewise, whole)
		}
		if len(whole.line) > maxLine || len(whole.saw) > maxLines {
			t.Errorf("kept a line of %d bytes and %d lines", len(whole.line), len(whole.saw))
		}
		if want := bytes.ReplaceAll(output, secret, []byte(hidden)); len(secret) > 0 && !bytes.Equal(shown, want) {
			head, cut := bytes.CutSuffix(shown, []byte(hidden))
			tail, ok := bytes.CutPrefix(want, head)
			if !cut || !ok || !bytes.HasPrefix(secret, tail) { // a beginning of the secret is hidden too
				t.Errorf("shown %q, want %q", shown, want)
			}
		}
		if len(secret) == 0 && !bytes.Equal(shown, output) {
			t.Errorf("shown %q, want %q", shown, output)
		}
	})
}
