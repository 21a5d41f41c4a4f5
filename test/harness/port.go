package harness

import (
	"fmt"
	"os"
	"syscall"
)

// ReservePort gives a port of 127.0.0.1 that stays this process's own until it
// ends: the system gives it to nobody who asks for just any port, while programs
// of ours can listen on it, and stop and listen again. A socket that is bound
// and does not listen keeps it; a listener may be beside it, for both allow the
// address to be used again (SO_REUSEADDR), as listeners of Go and PgBouncer do.
func ReservePort() (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("reserve a port: %w", os.NewSyscallError("socket", err))
	}
	port, err := bound(fd)
	if err != nil {
		_ = syscall.Close(fd)
		return 0, fmt.Errorf("reserve a port: %w", err)
	}
	return port, nil
}

// bound binds a socket to a port that the system chooses.
func bound(fd int) (int, error) {
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	in, ok := at.(*syscall.SockaddrInet4)
	if !ok {
		return 0, fmt.Errorf("an address of another kind: %T", at)
	}
	return in.Port, nil
}
