package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrInUse is in the chain of Start's error when another process supervises
// the folder.
var ErrInUse = errors.New("in use by a running process")

// Use is for programs beside the server: it gives the connection string of the
// Postgres that somebody runs on the folder already or, if nobody does, starts
// one. stop ends what was started here and nothing else. A server that is just
// starting or stopping is waited for, as long as cfg.BusyWait says.
func Use(ctx context.Context, cfg Config) (url string, stop func(context.Context) error, err error) {
	if cfg.BusyWait == 0 {
		cfg.BusyWait = time.Minute
	}
	deadline := time.Now().Add(cfg.BusyWait)
	for {
		if url := running(ctx, cfg.Dir); url != "" {
			return url, func(context.Context) error { return nil }, nil
		}
		s, err := Start(ctx, cfg)
		if err == nil {
			return s.URL(), s.Stop, nil
		}
		if !errors.Is(err, ErrInUse) || time.Now().After(deadline) {
			return "", nil, err
		}
		select {
		case <-ctx.Done():
			return "", nil, fmt.Errorf("embedded Postgres: %w", ctx.Err())
		case <-time.After(shortPause):
		}
	}
}

// running gives the connection string of the server that accepts connections
// on a folder, "" if there is none. Its own file says where its socket is.
func running(ctx context.Context, dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, DataFolder, "postmaster.pid"))
	if err != nil {
		return ""
	}
	lines := strings.Split(string(text), "\n") // the folder of the socket in line 5, the status in line 8
	if len(lines) < 8 || strings.TrimSpace(lines[7]) != "ready" {
		return ""
	}
	s := &Server{SocketDir: strings.TrimSpace(lines[4])}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL())
	if err != nil {
		return ""
	}
	_ = conn.Close(ctx)
	return s.URL()
}
