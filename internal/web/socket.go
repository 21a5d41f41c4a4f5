package web

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"strconv"
	"sync"

	"baleen/internal/web/rest"
)

// connected notes in the context of a connection on a Unix socket which of the
// system's users has the other end. The kernel vouches for it.
func connected(ctx context.Context, c net.Conn) context.Context {
	conn, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	uid, err := peerUID(conn)
	return rest.WithPeer(ctx, sync.OnceValue(func() string { // looking a name up may take its time
		if err != nil {
			return "unknown user"
		}
		return loginName(uid)
	}))
}

// loginName gives the name of a user; one without a name gets one that no
// login name can be.
func loginName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	u, err := user.LookupId(id)
	if err != nil {
		return "uid " + id
	}
	return u.Username
}

// ListenUnix opens a Unix socket. Only this process's user and root may use
// it, unless open lets every user of the system try. A socket that a former run
// left behind is replaced; anything else at that path, and a socket on which
// somebody answers, is left alone.
func ListenUnix(ctx context.Context, path string, open bool) (net.Listener, error) {
	if err := clearSocket(ctx, path); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	mode := fs.FileMode(0o600)
	if open {
		mode = 0o666
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", path, err), l.Close())
	}
	return l, nil
}

// clearSocket removes a socket that nobody listens on.
func clearSocket(ctx context.Context, path string) error {
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case st.Mode().Type() != fs.ModeSocket:
		return errors.New("there is a file that is no socket")
	}
	if conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path); err == nil {
		return errors.Join(errors.New("another program listens there"), conn.Close())
	}
	return os.Remove(path)
}
