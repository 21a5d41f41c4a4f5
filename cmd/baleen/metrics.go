package main

import (
	"context"
	"time"

	"baleen/internal/bgp/analysis"
	"baleen/internal/castore"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/leader"
	"baleen/internal/obs"
	"baleen/internal/service"
	"baleen/internal/tasks"
)

// Snapshot gathers what the metrics show.
func (n *node) Snapshot(ctx context.Context) (obs.Snapshot, error) {
	pool := n.keys.Pool.Stats()
	out := obs.Snapshot{
		Node: obs.Node{Active: n.term.Active()},
		Keys: obs.KeyPool{Size: n.keys.Pool.Size, Ready: pool.Ready, Taken: pool.Taken, Missed: pool.Missed},
	}
	if at := n.overtaken.Load(); at != 0 {
		out.Node.Overtaken = time.Unix(at, 0)
	}
	out.Announced = n.announced()
	var err error
	if out.Sessions, err = n.users.loggedIn(ctx); err != nil {
		return out, err
	}
	status, err := leader.Active(ctx, n.db)
	if err != nil {
		return out, err
	}
	out.Node.Epoch = status.Epoch
	if out.CAs, err = n.caFigures(ctx); err != nil {
		return out, err
	}
	if out.Repo, err = n.repoFigures(ctx); err != nil {
		return out, err
	}
	if f, err := n.service.TA().Figures(ctx); err != nil && fault.Code(err) != pgstore.CodeStreamBroken {
		return out, err
	} else if f != nil {
		out.TA = &obs.TA{NextUpdate: f.NextUpdate, NotAfter: f.NotAfter, Due: f.Due, Waiting: f.Waiting}
	}
	kinds, err := tasks.Stats(ctx, n.db, time.Now())
	if err != nil {
		return out, err
	}
	for _, k := range kinds {
		out.Tasks = append(out.Tasks, obs.Task{Kind: k.Kind, Due: k.Due, Waiting: k.Waiting, Running: k.Running, Failing: k.Failing, Parked: k.Parked, Oldest: k.Oldest})
	}
	for _, b := range n.service.Broken() {
		out.Broken = append(out.Broken, obs.Stream{Kind: b.Kind, Handle: b.Handle})
	}
	return out, nil
}

func (n *node) caFigures(ctx context.Context) ([]obs.CA, error) {
	all, err := n.service.Figures(ctx)
	if err != nil {
		return nil, err
	}
	statuses, err := n.service.Rows.AllChildStatuses(ctx)
	if err != nil {
		return nil, err
	}
	contacts, err := n.service.Rows.Contacts(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]obs.CA, len(all))
	for i, f := range all {
		out[i] = obs.CA{Handle: f.Handle, ROAs: f.ROAs, Children: childFigures(f.Children, statuses[f.Handle]), BGP: bgpFigures(f.BGP)}
		for _, x := range contacts[f.Handle] {
			contact := obs.Contact{Tried: true, OK: x.OK, LastSuccess: x.LastSuccess}
			if x.Peer == "" {
				out[i].Repository = contact
			} else {
				out[i].Parents = append(out[i].Parents, obs.Parent{Handle: x.Peer, Contact: contact})
			}
		}
	}
	return out, nil
}

func bgpFigures(n analysis.Stats) *obs.BGP {
	return &obs.BGP{
		Valid: n.Valid, InvalidASN: n.InvalidASN, InvalidLength: n.InvalidLength, NotFound: n.NotFound,
		TooPermissive: n.TooPermissive, Redundant: n.Redundant, Stale: n.Stale,
	}
}

// childFigures gives the children of a CA, with their last exchange.
func childFigures(children []service.ChildFigure, statuses []castore.ChildStatus) []obs.Child {
	last := make(map[string]castore.ChildStatus, len(statuses))
	for _, s := range statuses {
		last[s.Child] = s
	}
	var out []obs.Child
	for _, child := range children {
		c := obs.Child{Handle: child.Handle, Suspended: child.Suspended}
		if s, ok := last[child.Handle]; ok {
			c.Last, c.Agent = s.At, s.UserAgent
			c.Contact = obs.Contact{Tried: true, OK: s.Fault == nil}
			if s.LastSuccess != nil {
				c.LastSuccess = *s.LastSuccess
			}
		}
		out = append(out, c)
	}
	return out
}

// announced gives how the feed of route announcements stands; nil if there is none.
func (n *node) announced() *obs.Announced {
	if n.service.Announcements == nil {
		return nil
	}
	s := n.service.Announcements.Status()
	return &obs.Announced{Tried: !s.Tried.IsZero(), OK: s.Err == nil, LastSuccess: s.LastSuccess, V4: s.V4, V6: s.V6}
}

// repoFigures gives the publication server's figures, or nil if there is none.
func (n *node) repoFigures(ctx context.Context) (*obs.Repo, error) {
	st, err := n.service.Pubs.Stats(ctx)
	if fault.Code(err) == "pub-repo-not-initialized" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	repo := &obs.Repo{Serial: st.Serial, LastUpdate: st.LastUpdate}
	for _, p := range st.Publishers {
		repo.Publishers = append(repo.Publishers, obs.Publisher{Handle: p.Handle, Objects: int(p.Objects), Size: p.Bytes})
	}
	return repo, nil
}
