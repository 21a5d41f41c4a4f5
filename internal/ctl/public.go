package ctl

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"baleen/api"
	"baleen/internal/rpki/rrdp"
)

const rrdpPath = "/rrdp/" // where a server shows its own RRDP files

// awaitPublic returns once relying parties find all of the wanted objects, by
// URI, in the server's RRDP repository, and gives the serial in which they do.
func (l *loader) awaitPublic(ctx context.Context, wanted map[string][]byte) (serial uint64, err error) {
	missing := errors.New("the RRDP repository has not been looked at")
	err = poll(ctx, func() (bool, error) {
		n, found, err := l.lookUp(ctx, wanted)
		switch {
		case isStatus(err, http.StatusNotFound): // not rendered yet, or rendered anew while we looked
			missing = err
			return false, nil
		case err != nil:
			return false, err
		case found < len(wanted):
			missing = fmt.Errorf("%d of %d ROA objects are not public yet", len(wanted)-found, len(wanted))
			return false, nil
		}
		serial = n.Serial
		return true, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: see the command tasks", missing)
	}
	return serial, err
}

// lookUp reads the current snapshot and counts the wanted objects in it.
func (l *loader) lookUp(ctx context.Context, wanted map[string][]byte) (n rrdp.Notification, found int, err error) {
	var stats api.RepoStats
	if _, err := l.client.fetch(ctx, get("/stats/repo"), &stats); err != nil {
		return n, 0, err
	}
	raw, err := l.client.do(ctx, get(rrdpPath+"notification.xml"))
	if err != nil {
		return n, 0, err
	}
	if n, err = rrdp.ParseNotification(bytes.NewReader(raw), rrdp.DefaultLimits()); err != nil {
		return n, 0, err
	}
	path, ok := strings.CutPrefix(n.Snapshot.URI, stats.RRDPBase)
	if !ok {
		return n, 0, fmt.Errorf("the RRDP snapshot %s is not below %s", n.Snapshot.URI, stats.RRDPBase)
	}
	if raw, err = l.client.do(ctx, get(rrdpPath+path)); err != nil {
		return n, 0, err
	}
	if sha256.Sum256(raw) != n.Snapshot.Hash {
		return n, 0, fmt.Errorf("the RRDP snapshot %s is not the one that was notified", n.Snapshot.URI)
	}
	_, err = rrdp.ParseSnapshot(bytes.NewReader(raw), rrdp.DefaultLimits(), func(uri string, content []byte) error {
		if der, ok := wanted[uri]; ok && bytes.Equal(der, content) {
			found++
		}
		return nil
	})
	return n, found, err
}

// isStatus tells whether err is an answer with this HTTP status.
func isStatus(err error, status int) bool {
	var e *callError
	return errors.As(err, &e) && e.status == status
}
