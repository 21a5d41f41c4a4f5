package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/pprof"
	"time"

	"baleen/internal/web"
)

// profile serves profiles of this process on a socket of its own until ctx ends,
// if that is wanted.
func (n *node) profile(ctx context.Context) error {
	if n.cfg.Profile == "" {
		return nil
	}
	l, err := web.ListenUnix(ctx, n.cfg.Profile, false)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
