package rest

import (
	"context"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/bgp/analysis"
)

// Stats answers with figures for everybody. Those that cost more with every CA
// and publisher are made for a few callers at a time; others wait.
type Stats struct {
	*Deps

	turns chan struct{}
}

// maxTurns is how many such answers are made at once.
const maxTurns = 4

// turn waits until it is the caller's turn; done gives it to the next.
func (h Stats) turn(ctx context.Context) (done func(), err error) {
	select {
	case h.turns <- struct{}{}:
		return func() { <-h.turns }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Info gives the version of the program and when it started.
func (h Stats) Info(c echo.Context) error {
	return sendJSON(c, api.ServerInfo{Version: h.Version, Started: h.Started.Unix()})
}

// Repo gives the figures of the repository.
func (h Stats) Repo(c echo.Context) error {
	out, err := h.repo(c.Request().Context())
	if err != nil {
		return err
	}
	return sendJSON(c, out)
}

func (h Stats) repo(ctx context.Context) (api.RepoStats, error) {
	done, err := h.turn(ctx)
	if err != nil {
		return api.RepoStats{}, err
	}
	defer done()
	st, err := h.Service.Pubs.Stats(ctx)
	if err != nil {
		return api.RepoStats{}, uninitialized(err)
	}
	manifests, err := h.manifests(ctx)
	if err != nil {
		return api.RepoStats{}, err
	}
	out := api.RepoStats{
		Publishers: make(map[string]api.PublisherStats, len(st.Publishers)), Session: st.Session, Serial: st.Serial,
		LastUpdate: &api.Time{Time: st.LastUpdate}, RsyncBase: st.RsyncBase, RRDPBase: st.RRDPBase,
	}
	for _, p := range st.Publishers {
		out.Publishers[p.Handle] = api.PublisherStats{
			Objects: p.Objects, Size: p.Bytes, Manifests: append([]api.ManifestStats{}, manifests[p.Handle]...),
		}
	}
	return out, nil
}

// CAs counts routes and children of every CA, and compares the routes with what
// is announced.
func (h Stats) CAs(c echo.Context) error {
	out, err := h.cas(c.Request().Context())
	if err != nil {
		return err
	}
	return sendJSON(c, out)
}

func (h Stats) cas(ctx context.Context) (map[string]api.CAStats, error) {
	done, err := h.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	all, err := h.Service.Figures(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[string]api.CAStats, len(all))
	for _, f := range all {
		out[f.Handle] = api.CAStats{ROACount: f.ROAs, ChildCount: len(f.Children), BGPStats: bgpStats(f.BGP)}
	}
	return out, nil
}

func bgpStats(n analysis.Stats) api.BGPStats {
	return api.BGPStats{
		AnnouncementsValid: n.Valid, AnnouncementsInvalidASN: n.InvalidASN, AnnouncementsInvalidLength: n.InvalidLength,
		AnnouncementsDisallowed: n.Disallowed, AnnouncementsNotFound: n.NotFound,
		ROAsTooPermissive: n.TooPermissive, ROAsRedundant: n.Redundant, ROAsStale: n.Stale, ROAsDisallowing: n.Disallowing,
		ROAsNotHeld: n.NotHeld, ROAsTotal: n.ROAs,
	}
}
