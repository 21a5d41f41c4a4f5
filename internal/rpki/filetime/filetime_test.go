package filetime_test

import (
	"os"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/filetime"
)

func read(t *testing.T, name string) []byte {
	t.Helper()
	der, err := os.ReadFile("../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Every kind of object says its time, and only by the name of its kind.
func TestOf(t *testing.T) {
	cer, list, signed := read(t, "cert/testdata/ca.cer"), read(t, "crl/testdata/full.crl"), read(t, "cms/testdata/object.der")
	c, err := cert.Decode(cer)
	if err != nil {
		t.Fatal(err)
	}
	l, err := crl.Decode(list)
	if err != nil {
		t.Fatal(err)
	}
	o, err := cms.Decode(signed)
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []struct {
		name string
		der  []byte
		want time.Time
	}{
		{"rsync://host/a/ca.cer", cer, c.NotBefore},
		{"a.crl", list, l.ThisUpdate},
		{"a.mft", signed, o.SigningTime},
		{"a.roa", signed, o.SigningTime},
		{"a", signed, o.SigningTime},
		{"a.cer", signed, time.Time{}},
		{"a.crl", cer, time.Time{}},
		{"a.mft", list, time.Time{}},
		{"a.mft", []byte("no object"), time.Time{}},
		{"a.cer", nil, time.Time{}},
	} {
		at, ok := filetime.Of(of.name, of.der)
		if !at.Equal(of.want) || ok == of.want.IsZero() {
			t.Errorf("%s: got %v, %v, want %v", of.name, at, ok, of.want)
		}
	}
	if c.NotBefore.IsZero() || l.ThisUpdate.IsZero() || o.SigningTime.IsZero() {
		t.Error("the samples say no time")
	}
}
