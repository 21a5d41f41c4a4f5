package service

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es/pgstore"
)

// keepRows brings the rows beside a CA's log to what its events say, in the
// transaction of the command.
func keepRows(ctx context.Context, tx pgx.Tx, c pgstore.Commit) error {
	if c.Kind != ca.Kind {
		return nil
	}
	for _, e := range c.Events {
		var err error
		switch e := e.(type) {
		case ca.ROAsIssued:
			err = lowerRenewal(ctx, tx, c, firstROA(e.Issued))
		case ca.ChildAdded:
			err = castore.ForgetChild(ctx, tx, c.StreamID, e.Child)
		case ca.ChildSuspended:
			err = castore.SetChildSuspended(ctx, tx, c.StreamID, e.Child, true)
		case ca.ChildUnsuspended:
			err = castore.SetChildSuspended(ctx, tx, c.StreamID, e.Child, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// kindROA names ROAs where expiries are kept by kind.
const kindROA = "roa"

func lowerRenewal(ctx context.Context, tx pgx.Tx, c pgstore.Commit, e castore.Expiry) error {
	if e.NotAfter.IsZero() {
		return nil
	}
	return castore.LowerRenewal(ctx, tx, c.StreamID, c.Version, e)
}

func firstROA(list []ca.IssuedROA) castore.Expiry {
	e := castore.Expiry{Kind: kindROA}
	for _, r := range list {
		e.NotAfter = sooner(e.NotAfter, r.NotAfter)
	}
	return e
}

// expiries gives, by kind, when the first of a CA's objects expires.
func expiries(st *ca.State) []castore.Expiry {
	roas := castore.Expiry{Kind: kindROA}
	for _, c := range st.Classes {
		for _, r := range c.ROAs {
			roas.NotAfter = sooner(roas.NotAfter, r.NotAfter)
		}
	}
	return []castore.Expiry{roas}
}

// renewBefore gives, by kind, the time before which what expires is renewed.
func (s *Service) renewBefore(now time.Time) []castore.Expiry {
	return []castore.Expiry{{Kind: kindROA, NotAfter: now.Add(s.Config.Policy.ROARenewBefore)}}
}
