package wizard

import (
	"crypto/subtle"
	"runtime"
)

// Secret holds a password in memory. It prints as dots, refuses to be encoded
// as JSON or text with its content, and is wiped after use.
type Secret struct{ b []byte }

// NewSecret takes ownership of b; the caller must not keep it.
func NewSecret(b []byte) *Secret { return &Secret{b: b} }

// Bytes lends the content; it is valid until Wipe and must not be kept.
func (s *Secret) Bytes() []byte {
	if s == nil {
		return nil
	}
	return s.b
}

// Empty tells whether there is nothing in it.
func (s *Secret) Empty() bool { return s == nil || len(s.b) == 0 }

// Equal compares in constant time.
func (s *Secret) Equal(o *Secret) bool {
	return subtle.ConstantTimeCompare(s.Bytes(), o.Bytes()) == 1
}

// Wipe overwrites the content.
func (s *Secret) Wipe() {
	if s == nil {
		return
	}
	clear(s.b)
	runtime.KeepAlive(s.b)
	s.b = nil
}

// String hides the content from %s and %v.
func (s *Secret) String() string { return "••••" }

// GoString hides the content from %#v.
func (s *Secret) GoString() string { return "wizard.Secret(••••)" }

// MarshalText hides the content from every encoder.
func (s *Secret) MarshalText() ([]byte, error) { return []byte("••••"), nil }
