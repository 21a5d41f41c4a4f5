package peer

import (
	"testing"
	"time"
)

func TestCrowd(t *testing.T) {
	var c Crowd
	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	var leave []func()
	for i := range maxPerPeer {
		l, wait := c.Enter("a", at.Add(time.Duration(i)*time.Second))
		if l == nil {
			t.Fatalf("the peer is full after %d, wait %v", i, wait)
		}
		leave = append(leave, l)
	}
	for since, most := range map[time.Duration]time.Duration{0: crowdMin, 30 * time.Second: 30 * time.Second, time.Hour: crowdMax} {
		if l, wait := c.Enter("a", at.Add(since)); l != nil || wait < most/2 || wait > most {
			t.Errorf("after %v: wait %v", since, wait)
		}
	}
	other, _ := c.Enter("b", at)
	if other == nil {
		t.Fatal("another peer is full")
	}
	other()
	leave[0]()
	again, _ := c.Enter("a", at)
	if again == nil {
		t.Fatal("nobody left")
	}
	again()
	for _, l := range leave[1:] {
		l()
	}
	if len(c.inside) != 0 {
		t.Errorf("still inside: %v", c.inside)
	}
}

func TestServerOf(t *testing.T) {
	for uri, want := range map[string]string{
		"https://a.example:3000/rfc6492/x": "a.example:3000", "http://a.example/": "a.example", "what": "what", "": "",
	} {
		if got := ServerOf(uri); got != want {
			t.Errorf("%s: got %s", uri, got)
		}
	}
}
