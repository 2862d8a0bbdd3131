package practice

import (
	"bytes"
	"compress/gzip"
	"testing"
)

// TestTornKernelDoesNotUnpack: a bootloader that unpacks gzip notices a kernel
// that is cut off or damaged, and does not mind what lies behind it.
func TestTornKernelDoesNotUnpack(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	for i := range 100_000 {
		z.Write([]byte{byte(i), byte(i >> 8)})
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	whole := packed.Bytes()
	damaged := bytes.Clone(whole)
	damaged[len(damaged)/2] ^= 0x55
	padded := append(bytes.Clone(whole[:len(whole)/2]), make([]byte, len(whole)/2)...)
	for name, c := range map[string]struct {
		kernel []byte
		ok     bool
	}{
		"whole":                        {whole, true},
		"with a device tree behind it": {append(bytes.Clone(whole), "\xd0\x0d\xfe\xed"...), true},
		"cut off":                      {whole[:len(whole)-1], false},
		"cut off, then zeros":          {padded, false},
		"damaged":                      {damaged, false},
		"only a head":                  {whole[:2], false},
	} {
		if err := unpacks(c.kernel); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
