package rest

import (
	"context"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/fault"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/manifest"
	"baleen/internal/rpki/oob"
)

// Publishers answers for the publication server.
type Publishers struct{ *Deps }

// Init opens the repository.
func (h Publishers) Init(c echo.Context) error {
	var body api.PublicationServerURIs
	if err := h.readJSON(c, &body); err != nil {
		return err
	}
	return finish(c, h.Service.InitPublicationServer(c.Request().Context(), actor(c), body.RRDPBaseURI, body.RsyncJail))
}

// Clear closes the repository, which must have no publishers any more.
func (h Publishers) Clear(c echo.Context) error {
	return finish(c, h.Service.ClearPublicationServer(c.Request().Context(), actor(c)))
}

// Delete withdraws the object with a URI, or all below it if it ends in a slash.
func (h Publishers) Delete(c echo.Context) error {
	var body api.PublishedURI
	if err := h.readJSON(c, &body); err != nil {
		return err
	}
	return finish(c, uninitialized(h.Service.Pubs.WithdrawAt(c.Request().Context(), body.BaseURI)))
}

// List names the publishers, sorted.
func (h Publishers) List(c echo.Context) error {
	handles, err := h.Service.Pubs.Publishers(c.Request().Context())
	if err != nil {
		return err
	}
	slices.Sort(handles)
	if handles, err = cutHandles(c, handles); err != nil {
		return err
	}
	return sendJSON(c, api.PublisherList{Publishers: named(handles)})
}

// Add lets the sender of a publisher_request publish, and answers with the
// repository_response for it (RFC 8183 section 5.2.4).
func (h Publishers) Add(c echo.Context) error {
	var body oob.PublisherRequest
	if err := h.readJSON(c, &body); err != nil {
		return err
	}
	if err := checkNewName(c, "publisher_handle", body.PublisherHandle); err != nil {
		return err
	}
	answer, err := h.Service.Pubs.AddPublisher(c.Request().Context(), actor(c), body)
	if err != nil {
		return err
	}
	return sendJSON(c, answer)
}

// Get shows a publisher and what it has published.
func (h Publishers) Get(c echo.Context) error {
	ctx, handle := c.Request().Context(), c.Param(argPublisher)
	p, err := h.Service.Pubs.Publisher(ctx, handle)
	if err != nil {
		return err
	}
	files, err := h.Service.Pubs.Files(ctx, handle)
	if err != nil {
		return err
	}
	id, err := idCertInfo(p.IDCert)
	if err != nil {
		return err
	}
	return sendJSON(c, api.PublisherDetails{Handle: handle, IDCert: id, BaseURI: p.BaseURI, CurrentFiles: publishedFiles(files)})
}

// Remove ends a publisher's right and withdraws all it published.
func (h Publishers) Remove(c echo.Context) error {
	return finish(c, uninitialized(h.Service.Pubs.RemovePublisher(c.Request().Context(), actor(c), c.Param(argPublisher))))
}

// ResponseJSON gives what the publisher must know of the repository.
func (h Publishers) ResponseJSON(c echo.Context) error {
	answer, err := h.Service.Pubs.Response(c.Request().Context(), c.Param(argPublisher))
	if err != nil {
		return err
	}
	return sendJSON(c, answer)
}

// ResponseXML gives the same as XML.
func (h Publishers) ResponseXML(c echo.Context) error {
	answer, err := h.Service.Pubs.Response(c.Request().Context(), c.Param(argPublisher))
	if err != nil {
		return err
	}
	return sendXML(c, answer.EncodeXML())
}

// SessionReset starts a new RRDP session (RFC 8182 section 3.3.1). Without a
// repository there is nothing to do.
func (h Publishers) SessionReset(c echo.Context) error {
	err := h.Service.Pubs.SessionReset(c.Request().Context())
	if fault.Code(err) == "pub-repo-not-initialized" {
		err = nil
	}
	return finish(c, err)
}

// Stale names the publishers that have no manifest, or whose newest one is at
// least so many seconds old; without a number of seconds that is nearly all.
func (h Publishers) Stale(c echo.Context) error {
	var seconds int64
	if slices.Contains(c.ParamNames(), "seconds") {
		var err error
		if seconds, err = intArg(c, "seconds"); err != nil {
			return err
		}
	}
	ctx := c.Request().Context()
	handles, err := h.Service.Pubs.Publishers(ctx)
	if err != nil {
		return uninitialized(err)
	}
	manifests, err := h.manifests(ctx)
	if err != nil {
		return err
	}
	now := h.Now()
	handles = slices.DeleteFunc(handles, func(p string) bool {
		return slices.ContainsFunc(manifests[p], func(m api.ManifestStats) bool { return ageSeconds(now, m.ThisUpdate.Time) < seconds })
	})
	slices.Sort(handles)
	if handles, err = cutHandles(c, handles); err != nil {
		return err
	}
	return sendJSON(c, api.PublisherList{Publishers: named(handles)})
}

func ageSeconds(now, then time.Time) int64 { return now.Unix() - then.Unix() }

// manifests gives what the current manifests of each publisher say, sorted by
// URI. What a publisher published under such a name and is no manifest is
// left out.
func (d *Deps) manifests(ctx context.Context) (map[string][]api.ManifestStats, error) {
	files, err := d.Service.Pubs.Manifests(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]api.ManifestStats, len(files))
	for publisher, list := range files {
		for _, f := range list {
			if m, ok := manifestStats(f); ok {
				out[publisher] = append(out[publisher], m)
			}
		}
	}
	return out, nil
}

func manifestStats(f pubserver.File) (api.ManifestStats, bool) {
	obj, err := cms.Decode(f.DER)
	if err != nil {
		return api.ManifestStats{}, false
	}
	m, err := manifest.Decode(obj.Content)
	if err != nil {
		return api.ManifestStats{}, false
	}
	return api.ManifestStats{URI: f.URI, ThisUpdate: api.Time{Time: m.ThisUpdate}, NextUpdate: api.Time{Time: m.NextUpdate}}, true
}
