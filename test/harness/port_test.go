package harness

import (
	"fmt"
	"net"
	"testing"
)

// A port that is reserved is given to nobody else, and can be listened on again
// and again.
func TestReservePort(t *testing.T) {
	port, err := ReservePort()
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprint("127.0.0.1:", port)
	if c, err := net.Dial("tcp", address); err == nil {
		_ = c.Close()
		t.Error("somebody answers before anybody listens")
	}
	for range 3 {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		in, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		_ = in.Close() // what is left of the connection keeps nobody from listening
		_ = c.Close()
	}
	for range 500 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		if l.Addr().String() == address {
			t.Fatal("the port was given to somebody else")
		}
	}
}
