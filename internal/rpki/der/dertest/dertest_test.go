package dertest_test

import (
	"bytes"
	"testing"

	"baleen/internal/rpki/der/dertest"
)

func TestEdit(t *testing.T) {
	in := []byte{0x30, 0x0e, 0x02, 0x01, 0x05, 0x30, 0x09, 0x06, 0x03, 0x55, 0x1d, 0x13, 0x04, 0x02, 0x30, 0x00}
	n := dertest.Parse(t, in)
	if got := n.DER(); !bytes.Equal(got, in) {
		t.Errorf("unchanged: got %x", got)
	}
	if e, i := dertest.Of(0x30, n.At(1)).Extension([]byte{0x06, 0x03, 0x55, 0x1d, 0x13}); i != 0 || e != n.At(-1) {
		t.Errorf("extension: got %v at %d", e, i)
	}
	if e, i := dertest.Of(0x30, n.At(1)).Extension([]byte{0x06, 0x01, 0x55}); e != nil || i != -1 {
		t.Errorf("no extension: got %v at %d", e, i)
	}

	n.At(1).Insert(1, dertest.New(0x01, 0xff))
	n.Remove(0)
	want := []byte{0x30, 0x0e, 0x30, 0x0c, 0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01, 0xff, 0x04, 0x02, 0x30, 0x00}
	if got := n.DER(); !bytes.Equal(got, want) {
		t.Errorf("changed: got %x, want %x", got, want)
	}
}
