package service

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"time"
)

// How often the server does by itself what recurs. Krill has the same values,
// as constants; what it lets operators set is in Config.
const (
	republishEvery = 5 * time.Minute  // looks for manifests close to their nextUpdate (SCHEDULER_INTERVAL_REPUBLISH_MINS)
	renewEvery     = time.Hour        // looks for objects close to their expiry (SCHEDULER_INTERVAL_RENEW_MINS)
	suspendEvery   = time.Hour        // looks for children that are silent
	announceEvery  = 10 * time.Minute // looks whether route announcements are due
	upkeepEvery    = 24 * time.Hour   // snapshots of the log, archive

	// From how many CAs on the first exchange with parents after a start is spread over the jitter (SCHEDULER_USE_JITTER_CAS_THRESHOLD).
	spreadFrom = 50

	// Up to how many CAs every repository is compared after a start (SCHEDULER_RESYNC_REPO_CAS_THRESHOLD).
	syncReposUpTo = 5

	// How many CAs a start looks at in one go.
	startPage = 1000

	// How many parents of a CA are asked at once, unless Config says otherwise.
	refreshBatch = 25
)

// upTo gives a random duration in [0, d), so that what recurs does not come
// all at once.
func upTo(d time.Duration) (time.Duration, error) {
	if d <= 0 {
		return 0, nil
	}
	n, err := rand.Int(rand.Reader, big.NewInt(int64(d)))
	if err != nil {
		return 0, fmt.Errorf("randomness: %w", err)
	}
	return time.Duration(n.Int64()), nil
}
