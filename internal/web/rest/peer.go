package rest

import "context"

// peerKey is where the context of a connection on a Unix socket keeps who has
// its other end.
type peerKey struct{}

// WithPeer notes that a connection comes over a Unix socket; login gives the
// login name of the system's user who has the other end.
func WithPeer(ctx context.Context, login func() string) context.Context {
	return context.WithValue(ctx, peerKey{}, login)
}

// peerOf gives the login name of the peer on the Unix socket; false elsewhere.
func peerOf(ctx context.Context) (login string, ok bool) {
	f, ok := ctx.Value(peerKey{}).(func() string)
	if !ok {
		return "", false
	}
	return f(), true
}
