//go:build !linux

package web

import (
	"errors"
	"net"
)

// peerUID is known on Linux only: elsewhere users of the socket need a token.
func peerUID(*net.UnixConn) (uint32, error) {
	return 0, errors.ErrUnsupported
}
