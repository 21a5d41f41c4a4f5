package rest

import (
	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/fault"
)

// testbedCA is the CA under which everybody can play; it is not compared with
// what is announced.
const testbedCA = "testbed"

// Stats answers with figures for everybody.
type Stats struct{ *Deps }

// Info gives the version of the program and when it started.
func (h Stats) Info(c echo.Context) error {
	return sendJSON(c, api.ServerInfo{Version: h.Version, Started: h.Started.Unix()})
}

// Repo gives the figures of the repository.
func (h Stats) Repo(c echo.Context) error {
	ctx := c.Request().Context()
	st, err := h.Service.Pubs.Stats(ctx)
	if err != nil {
		return uninitialized(err)
	}
	manifests, err := h.manifests(ctx)
	if err != nil {
		return err
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
	return sendJSON(c, out)
}

// CAs counts routes and children of every CA.
func (h Stats) CAs(c echo.Context) error {
	ctx := c.Request().Context()
	handles, err := h.Service.Handles(ctx)
	if err != nil {
		return err
	}
	out := make(map[string]api.CAStats, len(handles))
	for _, handle := range handles {
		err := h.Service.ViewCA(ctx, handle, func(st *ca.State, _ int64) error {
			out[handle] = caStats(handle, st)
			return nil
		})
		if err != nil && fault.Code(err) != "ca-unknown" { // that one was deleted meanwhile
			return err
		}
	}
	return sendJSON(c, out)
}

func caStats(handle string, st *ca.State) api.CAStats {
	out := api.CAStats{ROACount: len(st.ROAs), ChildCount: len(st.Children)}
	if handle == testbedCA {
		return out
	}
	held := st.Held()
	out.BGPStats.ROAsTotal = len(st.ROAs)
	for r := range st.ROAs {
		if !held.ContainsPrefix(r.Prefix) {
			out.BGPStats.ROAsNotHeld++
		}
	}
	return out
}
