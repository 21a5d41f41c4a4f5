package pubserver

import (
	"context"
	"fmt"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// Current is the repository's rows at one moment, for those who check them.
type Current struct {
	Publishers []PublisherStats                  // by handle
	Objects    map[string]map[string]CurrentFile // by publisher and URI
}

// CurrentFile is an object that a publisher has.
type CurrentFile struct {
	Hash   [32]byte
	Size   int64 // octets, as the row says
	Octets int64 // of the content; -1: it is not there
}

// ReadCurrent reads them through db: give it a transaction.
func ReadCurrent(ctx context.Context, db postgres.DBTX) (Current, error) {
	out := Current{Objects: map[string]map[string]CurrentFile{}}
	publishers, err := pgq.New().PubListPublishers(ctx, db, Repository)
	if err != nil {
		return out, fmt.Errorf("list publishers: %w", postgres.Classify(err))
	}
	for _, p := range publishers {
		out.Publishers = append(out.Publishers, PublisherStats{Handle: p.Handle, BaseURI: p.BaseURI, Objects: p.Objects, Bytes: p.Bytes})
	}
	rows, err := pgq.New().PubCurrent(ctx, db, Repository)
	if err != nil {
		return out, fmt.Errorf("list published objects: %w", postgres.Classify(err))
	}
	for _, r := range rows {
		if out.Objects[r.Publisher] == nil {
			out.Objects[r.Publisher] = map[string]CurrentFile{}
		}
		out.Objects[r.Publisher][r.URI] = CurrentFile{Hash: [32]byte(r.Hash), Size: int64(r.Size), Octets: int64(r.Octets)}
	}
	return out, nil
}
