package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"baleen/internal/fault"
	"baleen/internal/rpki/rrdp"
)

const (
	followEvery    = time.Second // how often a standby looks for what was published
	followPatience = time.Minute // for one look
)

// published names a state of the repository.
type published struct {
	session string
	serial  uint64
}

// standBy has the node follow the active one, in a goroutine of g, until stop.
func (n *node) standBy(ctx context.Context, g *errgroup.Group) (stop func()) {
	ctx, stop = context.WithCancel(ctx)
	g.Go(func() error {
		n.follow(ctx)
		return nil
	})
	return stop
}

// follow keeps this node's repository folder as new as the database while
// another node is active, so that what it serves does not age, and goes back by
// a moment at most when it takes over. In a folder that the nodes share it does
// nothing: it only makes what was published a second ago and is still missing.
func (n *node) follow(ctx context.Context) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	var before published
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, err := n.catchUp(ctx, before)
		before = now
		if code := fault.Code(err); err != nil && ctx.Err() == nil && code != said {
			n.log.Warn("the repository's files cannot follow the active node", "fault", err, "cause", errors.Unwrap(err))
			said = code
		}
	}
}

// catchUp makes the files unless the folder has got as far as the database was
// before, and gives how far that is now.
func (n *node) catchUp(ctx context.Context, before published) (published, error) {
	ctx, cancel := context.WithTimeout(ctx, followPatience)
	defer cancel()
	stats, err := n.service.Pubs.Stats(ctx)
	if fault.Code(err) == "pub-repo-not-initialized" {
		return published{}, nil
	}
	if err != nil {
		return before, err
	}
	now := published{stats.Session, stats.Serial}
	has, err := publishedIn(n.cfg.RepoDir)
	if err != nil || before.session != now.session || has.session == before.session && has.serial >= before.serial {
		return now, err
	}
	return now, n.service.Export.Render(ctx)
}

// publishedIn reads what the notification in a repository folder leads to. None,
// or a damaged one, leads nowhere.
func publishedIn(dir string) (published, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "rrdp", "notification.xml"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return published{}, err
	}
	n, err := rrdp.ParseNotification(bytes.NewReader(raw), rrdp.DefaultLimits())
	if err != nil {
		return published{}, nil
	}
	return published{n.Session, n.Serial}, nil
}
