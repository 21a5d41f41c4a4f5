package postgres_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"
	"testing"

	"baleen/internal/fault"
	"baleen/internal/postgres"
)

// What went wrong with a file is not the database's fault, although such errors
// look like those of a network.
func TestFileErrorsAreNotTheDatabases(t *testing.T) {
	file := fmt.Errorf("render: %w", &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC})
	if got := postgres.Classify(file); !errors.Is(got, file) || fault.Of(got) != fault.Internal {
		t.Errorf("a full disk became %v", got)
	}
	for _, err := range []error{
		&net.OpError{Op: "read", Net: "unix", Err: syscall.ECONNRESET}, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}, &net.DNSError{Name: "db"},
	} {
		if got := postgres.Classify(err); fault.Of(got) != fault.Unavailable {
			t.Errorf("%v became %v", err, got)
		}
	}
}
