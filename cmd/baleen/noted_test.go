package main

import (
	"os"
	"testing"
)

func TestNotedSaysWhatWentBack(t *testing.T) {
	saw := noted{Epoch: 5, Session: "a", Serial: 40}
	for name, tc := range map[string]struct {
		now  noted
		back bool
	}{
		"next term":               {noted{Epoch: 6, Session: "a", Serial: 40}, false},
		"another node was active": {noted{Epoch: 9, Session: "a", Serial: 60}, false},
		"session was reset":       {noted{Epoch: 6, Session: "b", Serial: 1}, false},
		"epoch went back":         {noted{Epoch: 5, Session: "a", Serial: 40}, true},
		"serial went back":        {noted{Epoch: 6, Session: "a", Serial: 39}, true},
	} {
		if got := saw.behind(tc.now); (got != "") != tc.back {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestNotedFile(t *testing.T) {
	dir := t.TempDir()
	if n, err := readNoted(dir); err != nil || n != (noted{}) {
		t.Fatalf("without a file: %+v, %v", n, err)
	}
	want := noted{Epoch: 3, Session: "s", Serial: 9}
	if err := want.write(dir); err != nil {
		t.Fatal(err)
	}
	if n, err := readNoted(dir); err != nil || n != want {
		t.Errorf("got %+v, %v, want %+v", n, err, want)
	}
	if err := os.WriteFile(notedFile(dir), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readNoted(dir); err == nil {
		t.Error("a damaged file was read")
	}
}
