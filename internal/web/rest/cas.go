package rest

import (
	"context"
	"maps"
	"slices"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/rpki/oob"
)

// CAs answers for CAs as a whole.
type CAs struct{ *Deps }

// List names the CAs that the user may read, sorted.
func (h CAs) List(c echo.Context) error {
	handles, err := h.Service.Handles(c.Request().Context())
	if err != nil {
		return err
	}
	may := mayRead(c)
	handles = slices.DeleteFunc(handles, func(handle string) bool { return !may(handle) })
	slices.Sort(handles)
	if handles, err = cutHandles(c, handles); err != nil {
		return err
	}
	return sendJSON(c, api.CAList{CAs: named(handles)})
}

func named(handles []string) []api.Handle {
	out := make([]api.Handle, len(handles))
	for i, h := range handles {
		out[i].Handle = h
	}
	return out
}

// Create makes a CA.
func (h CAs) Create(c echo.Context) error {
	var body api.Handle
	if err := h.readJSON(c, &body); err != nil {
		return err
	}
	if err := checkNewName(c, "handle", body.Handle); err != nil {
		return err
	}
	return finish(c, h.Service.CreateCA(c.Request().Context(), actor(c), body.Handle))
}

// Get shows a CA; the ETag is its version.
func (h CAs) Get(c echo.Context) error {
	var s caShape
	err := h.viewCA(c, func(st *ca.State, version int64) (err error) {
		s, err = shapeOf(st, version)
		return err
	})
	if err != nil {
		return err
	}
	if done, err := current(c, s.version, ""); done {
		return err
	}
	if err := h.fill(c, &s); err != nil {
		return err
	}
	return sendJSON(c, s.info)
}

// caShape is what can be said of a CA from its state alone: the certificates
// of its keys are still to be fetched.
type caShape struct {
	info    api.CAInfo
	version int64
	keys    map[string]classKeys // by class
}

func shapeOf(st *ca.State, version int64) (caShape, error) {
	id, err := idCertInfo(st.Identity.Cert)
	if err != nil {
		return caShape{}, err
	}
	s := caShape{version: version, keys: map[string]classKeys{}, info: api.CAInfo{
		Handle: st.Handle, IDCert: id, Parents: []api.ParentInfo{}, Resources: st.Held(),
		ResourceClasses: map[string]api.ResourceClassInfo{}, SuspendedChildren: append([]string{}, st.SuspendedChildren()...),
		Children: append([]string{}, slices.Sorted(maps.Keys(st.Children))...),
	}}
	if st.Repository != nil {
		repo := repoInfo(st.Repository)
		s.info.RepoInfo = &repo
	}
	for _, name := range slices.Sorted(maps.Keys(st.Parents)) {
		s.info.Parents = append(s.info.Parents, api.ParentInfo{Handle: name, Kind: parentKind})
	}
	for name, class := range st.Classes {
		s.keys[name] = keysOf(class)
		s.info.ResourceClasses[name] = api.ResourceClassInfo{NameSpace: name, ParentHandle: class.Parent}
	}
	return s, nil
}

// fill puts in the keys with their certificates.
func (h CAs) fill(c echo.Context, s *caShape) error {
	var hashes []ca.Hash
	for _, k := range s.keys {
		for _, r := range k.certs {
			hashes = append(hashes, r.Hash)
		}
	}
	ders, err := h.objects(c.Request().Context(), hashes)
	if err != nil {
		return err
	}
	for name, k := range s.keys {
		class := s.info.ResourceClasses[name]
		if class.Keys, err = k.state(ders); err != nil {
			return err
		}
		s.info.ResourceClasses[name] = class
	}
	return nil
}

// identity gives the identity certificate of a CA.
func (h CAs) identity(c echo.Context) (der []byte, err error) {
	err = h.viewCA(c, func(st *ca.State, _ int64) error {
		der = slices.Clone(st.Identity.Cert)
		return nil
	})
	return der, err
}

// ChildRequestJSON gives what a parent must know of the CA (RFC 8183 section
// 5.2.1).
func (h CAs) ChildRequestJSON(c echo.Context) error {
	id, err := h.identity(c)
	if err != nil {
		return err
	}
	return sendJSON(c, oob.ChildRequest{ChildHandle: c.Param(argCA), IDCert: id})
}

// ChildRequestXML gives the same as XML.
func (h CAs) ChildRequestXML(c echo.Context) error {
	id, err := h.identity(c)
	if err != nil {
		return err
	}
	return sendXML(c, oob.ChildRequest{ChildHandle: c.Param(argCA), IDCert: id}.EncodeXML())
}

// PublisherRequestJSON gives what a repository must know of the CA (RFC 8183
// section 5.2.3).
func (h CAs) PublisherRequestJSON(c echo.Context) error {
	id, err := h.identity(c)
	if err != nil {
		return err
	}
	return sendJSON(c, oob.PublisherRequest{PublisherHandle: c.Param(argCA), IDCert: id})
}

// PublisherRequestXML gives the same as XML.
func (h CAs) PublisherRequestXML(c echo.Context) error {
	id, err := h.identity(c)
	if err != nil {
		return err
	}
	return sendXML(c, oob.PublisherRequest{PublisherHandle: c.Param(argCA), IDCert: id}.EncodeXML())
}

// SyncParents asks all parents of the CA again, soon.
func (h CAs) SyncParents(c echo.Context) error {
	return h.at(c, func(ctx context.Context, ifVersion *int64) error {
		if err := h.Service.CheckVersion(ctx, c.Param(argCA), ifVersion); err != nil {
			return err
		}
		return h.Service.SyncParents(ctx, c.Param(argCA))
	})
}

// SyncRepository compares the CA's repository with what it wants published, soon.
func (h CAs) SyncRepository(c echo.Context) error {
	return h.at(c, func(ctx context.Context, ifVersion *int64) error {
		if err := h.Service.CheckVersion(ctx, c.Param(argCA), ifVersion); err != nil {
			return err
		}
		return h.Service.SyncRepository(ctx, c.Param(argCA))
	})
}
