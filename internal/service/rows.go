package service

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/testbed"
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
		case ca.ChildAdded:
			err = castore.ForgetChild(ctx, tx, c.StreamID, e.Child)
		case ca.ChildRemoved:
			if err = castore.ForgetChild(ctx, tx, c.StreamID, e.Child); err == nil && c.Handle == testbedHandle {
				err = testbed.End(ctx, tx, testbed.Child, e.Child, c.At)
			}
		case ca.Deleted:
			if c.Handle == testbedHandle {
				err = testbed.EndAll(ctx, tx, testbed.Child, c.At)
			}
		case ca.ChildSuspended:
			err = castore.SetChildSuspended(ctx, tx, c.StreamID, e.Child, true)
		case ca.ChildUnsuspended:
			err = castore.SetChildSuspended(ctx, tx, c.StreamID, e.Child, false)
		default:
			if first := firstOf(e); !first.NotAfter.IsZero() {
				err = castore.LowerRenewal(ctx, tx, c.StreamID, c.Version, first)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// The names of what is renewed, where expiries are kept by kind.
const (
	kindROA          = "roa"
	kindASPA         = "aspa"
	kindRouter       = "router"
	kindGhostbusters = "ghostbusters"
)

// firstOf gives when the first of the objects expires that an event brings.
// What a new key signs ahead will be its CA's when the key is.
func firstOf(e es.Event) castore.Expiry {
	switch e := e.(type) {
	case ca.ROAsIssued:
		return first(kindROA, slices.Values(e.Issued), func(o ca.IssuedROA) time.Time { return o.NotAfter })
	case ca.ROAsStaged:
		return first(kindROA, slices.Values(e.Issued), func(o ca.IssuedROA) time.Time { return o.NotAfter })
	case ca.ASPAsIssued:
		return first(kindASPA, slices.Values(e.Issued), func(o ca.IssuedASPA) time.Time { return o.NotAfter })
	case ca.ASPAsStaged:
		return first(kindASPA, slices.Values(e.Issued), func(o ca.IssuedASPA) time.Time { return o.NotAfter })
	case ca.RouterCertsIssued:
		return first(kindRouter, slices.Values(e.Issued), func(o ca.IssuedRouterCert) time.Time { return o.NotAfter })
	case ca.RouterCertsStaged:
		return first(kindRouter, slices.Values(e.Issued), func(o ca.IssuedRouterCert) time.Time { return o.NotAfter })
	case ca.GhostbustersIssued:
		return first(kindGhostbusters, slices.Values(e.Issued), func(o ca.IssuedGhostbusters) time.Time { return o.NotAfter })
	case ca.GhostbustersStaged:
		return first(kindGhostbusters, slices.Values(e.Issued), func(o ca.IssuedGhostbusters) time.Time { return o.NotAfter })
	}
	return castore.Expiry{}
}

func first[T any](kind string, list iter.Seq[T], notAfter func(T) time.Time) castore.Expiry {
	e := castore.Expiry{Kind: kind}
	for o := range list {
		e.NotAfter = sooner(e.NotAfter, notAfter(o))
	}
	return e
}

// expiries gives, by kind, when the first of a CA's objects expires.
func expiries(st *ca.State) []castore.Expiry {
	out := []castore.Expiry{{Kind: kindROA}, {Kind: kindASPA}, {Kind: kindRouter}, {Kind: kindGhostbusters}}
	add := func(o ca.Objects) {
		for i, e := range []castore.Expiry{
			first(kindROA, maps.Values(o.ROAs), func(r ca.IssuedROA) time.Time { return r.NotAfter }),
			first(kindASPA, maps.Values(o.ASPAs), func(a ca.IssuedASPA) time.Time { return a.NotAfter }),
			first(kindRouter, maps.Values(o.RouterCerts), func(r ca.IssuedRouterCert) time.Time { return r.NotAfter }),
			first(kindGhostbusters, maps.Values(o.Ghostbusters), func(g ca.IssuedGhostbusters) time.Time { return g.NotAfter }),
		} {
			out[i].NotAfter = sooner(out[i].NotAfter, e.NotAfter)
		}
	}
	for _, c := range st.Classes {
		add(c.Objects)
		if c.New != nil {
			add(c.New.Objects)
		}
	}
	return out
}

// renewBefore gives, by kind, the time before which what expires is renewed.
func (s *Service) renewBefore(now time.Time) []castore.Expiry {
	p := s.Config.Policy
	return []castore.Expiry{
		{Kind: kindROA, NotAfter: now.Add(p.ROARenewBefore)},
		{Kind: kindASPA, NotAfter: now.Add(p.ASPARenewBefore)},
		{Kind: kindRouter, NotAfter: now.Add(p.RouterRenewBefore)},
		{Kind: kindGhostbusters, NotAfter: now.Add(p.GhostbustersRenewBefore)},
	}
}
