package service

import (
	"context"

	"baleen/internal/es/pgstore"
	"baleen/internal/pubserver"
	"baleen/internal/tasks"
	"baleen/internal/trustanchor"
)

// Recover rebuilds everything from the log: snapshots that do not fit are set
// aside, every stream is folded anew, and every CA and the trust anchor ask
// their parents, plan, issue and publish again, by task. The log itself is not
// changed; streams whose log is broken stay stopped. What was found goes into
// the program's log.
func (s *Service) Recover(ctx context.Context) (pgstore.Recovered, error) {
	var all pgstore.Recovered
	broken := map[[2]string]bool{}
	for _, st := range s.stores() {
		r, err := st.Recover(ctx)
		if err != nil {
			return all, err
		}
		all.Streams += r.Streams
		all.SetAside = append(all.SetAside, r.SetAside...)
		all.Broken = append(all.Broken, r.Broken...)
	}
	for _, f := range all.Broken {
		broken[[2]string{f.Kind, f.Handle}] = true
	}
	handles, err := s.CAs.Handles(ctx)
	if err != nil {
		return all, err
	}
	args := []tasks.Args{pubserver.UpdateRRDP{Repository: pubserver.Repository}}
	for _, h := range handles {
		if !broken[[2]string{s.CAs.Type.Kind, h}] {
			args = append(args, RefreshCA{CA: h}, IssueCA{CA: h}, PublishCA{CA: h, Force: true}, SyncRepo{CA: h})
		}
	}
	if here, err := s.TA().SignerIsHere(ctx); err != nil {
		return all, err
	} else if here && !broken[[2]string{s.Signer.Type.Kind, taHandle}] {
		args = append(args, trustanchor.Sign{Renew: true}, trustanchor.Publish{})
	}
	if err := s.schedule(ctx, args...); err != nil {
		return all, err
	}
	s.Log.Warn("everything was rebuilt from the log and is issued and published again",
		"streams", all.Streams, "snapshots_set_aside", len(all.SetAside), "broken", len(broken), "cas", len(handles))
	return all, nil
}
