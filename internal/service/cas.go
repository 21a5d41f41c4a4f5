package service

import (
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/peer"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/resources"
)

// newIdentity makes a key and a self-signed certificate for the protocols.
func (s *Service) newIdentity(ctx context.Context, purpose string) (ca.Identity, error) {
	return peer.NewIdentity(ctx, s.Keys, purpose, s.Now())
}

// CreateCA makes a CA with an identity key of its own.
func (s *Service) CreateCA(ctx context.Context, actor es.Actor, handle string) error {
	if err := ca.CheckNewHandle(handle); err != nil {
		return err
	}
	duplicate := &fault.Error{Kind: fault.Exists, Code: "ca-duplicate", Msg: "CA '" + handle + "' was already initialized", Args: map[string]string{"ca": handle}}
	if _, err := s.CAs.StreamID(ctx, handle); err == nil {
		return duplicate
	} else if fault.Code(err) != "stream-unknown" {
		return err
	}
	id, err := s.newIdentity(ctx, "identity key of CA "+handle)
	if err != nil {
		return err
	}
	_, err = s.CAs.Create(ctx, handle, ca.Init{Handle: handle, Identity: id}, pgstore.Write{Actor: actor})
	if err != nil {
		s.dropKeys(ctx, []cert.KeyID{id.KeyID})
	}
	if fault.Code(err) == "stream-exists" {
		return duplicate
	}
	return err
}

// ViewCA reads the newest state of a CA with its version; f must not keep the
// state.
func (s *Service) ViewCA(ctx context.Context, handle string, f func(st *ca.State, version int64) error) error {
	return s.view(ctx, handle, f)
}

// Handles gives the names of all CAs, without the trust anchor.
func (s *Service) Handles(ctx context.Context) ([]string, error) { return s.CAs.Handles(ctx) }

// Object gives the DER of an object that an event or a state names by hash.
func (s *Service) Object(ctx context.Context, hash ca.Hash) ([]byte, error) {
	return s.Rows.DER(ctx, hash)
}

// Objects gives the DER of many such objects.
func (s *Service) Objects(ctx context.Context, hashes []ca.Hash) (map[ca.Hash][]byte, error) {
	return s.Rows.DERs(ctx, hashes)
}

// ConfigureROAs changes which routes a CA authorises. It answers once the
// intent is committed; the objects follow by task.
func (s *Service) ConfigureROAs(ctx context.Context, actor es.Actor, handle string, cmd ca.ConfigureROAs, ifVersion *int64) (int64, error) {
	r, err := s.execute(ctx, handle, cmd, pgstore.Write{Actor: actor, IfVersion: ifVersion})
	return r.Version, err
}

// AddChild makes another CA a child and gives the answer to its child_request.
// The parent may be the trust anchor.
func (s *Service) AddChild(ctx context.Context, actor es.Actor, parent string, cmd ca.AddChild, ifVersion *int64) (oob.ParentResponse, error) {
	key, err := peer.CheckIdentity(cmd.IDCert, s.Now())
	if err != nil {
		return oob.ParentResponse{}, err
	}
	if err := oob.CheckHandle(cmd.Child); err != nil {
		return oob.ParentResponse{}, fault.New(fault.Invalid, "general-error", "child handle: "+err.Error())
	}
	cmd.IDKey = key
	if parent == taHandle {
		err = s.TA().AddChild(ctx, actor, cmd, ifVersion)
	} else {
		_, err = s.execute(ctx, parent, cmd, pgstore.Write{Actor: actor, IfVersion: ifVersion})
	}
	if err != nil {
		return oob.ParentResponse{}, err
	}
	return s.ParentResponse(ctx, parent, cmd.Child)
}

// UpdateChildResources changes what a child is entitled to.
func (s *Service) UpdateChildResources(ctx context.Context, actor es.Actor, parent, child string, set resources.Set) error {
	_, err := s.execute(ctx, parent, ca.UpdateChildResources{Child: child, Resources: set}, pgstore.Write{Actor: actor})
	return err
}

// UpdateChild changes several things about a child in one step. Suspension
// alone has commands of its own.
func (s *Service) UpdateChild(ctx context.Context, actor es.Actor, parent string, cmd ca.UpdateChild, ifVersion *int64) error {
	if cmd.Suspend != nil && len(cmd.IDCert) == 0 && cmd.Resources == nil && cmd.Class == nil {
		return s.SetChildSuspended(ctx, actor, parent, cmd.Child, *cmd.Suspend, ifVersion)
	}
	if len(cmd.IDCert) > 0 {
		key, err := peer.CheckIdentity(cmd.IDCert, s.Now())
		if err != nil {
			return err
		}
		cmd.IDKey = key
	}
	_, err := s.execute(ctx, parent, cmd, pgstore.Write{Actor: actor, IfVersion: ifVersion})
	return err
}

// ParentResponse gives what a child needs to reach its parent (RFC 8183
// section 5.2.2).
func (s *Service) ParentResponse(ctx context.Context, parent, child string) (oob.ParentResponse, error) {
	r := oob.ParentResponse{ParentHandle: parent, ChildHandle: child, ServiceURI: s.Config.ServiceURI + "rfc6492/" + parent}
	if parent == taHandle {
		id, err := s.TA().IdentityFor(ctx, child)
		r.IDCert = id
		return r, err
	}
	err := s.view(ctx, parent, func(st *ca.State, _ int64) error {
		if st.Children[child] == nil {
			return ca.ChildUnknown(parent, child)
		}
		r.IDCert = st.Identity.Cert
		return nil
	})
	return r, err
}

// History lists a CA's commands, oldest first; the creation is not listed.
func (s *Service) History(ctx context.Context, handle string, q pgstore.HistoryQuery) (pgstore.HistoryPage, error) {
	page, err := s.CAs.History(ctx, handle, q)
	return page, caUnknown(handle, err)
}

// CommandAt gives one stored command with its events.
func (s *Service) CommandAt(ctx context.Context, handle string, version int64) (pgstore.StoredCommand, error) {
	c, err := s.CAs.CommandAt(ctx, handle, version)
	return c, caUnknown(handle, err)
}

// ParentStatuses gives the last exchange with each parent.
func (s *Service) ParentStatuses(ctx context.Context, handle string) ([]castore.ParentStatus, error) {
	stream, err := s.stream(ctx, handle)
	if err != nil {
		return nil, err
	}
	return s.Rows.ParentStatuses(ctx, stream)
}

// RepoStatus gives the last exchange with the repository, if any, and what the
// CA has there now.
func (s *Service) RepoStatus(ctx context.Context, handle string) (castore.Exchange, bool, []pubserver.File, error) {
	stream, err := s.stream(ctx, handle)
	if err != nil {
		return castore.Exchange{}, false, nil, err
	}
	x, ok, err := s.Rows.RepoStatus(ctx, stream)
	if err != nil || !ok {
		return x, false, nil, err
	}
	if publisher, here := s.repositories().Local(x.URI); here {
		files, err := s.Pubs.Files(ctx, publisher)
		return x, true, files, err
	}
	files, err := s.wantedFiles(ctx, stream)
	return x, true, files, err
}

func hashesOf(objects map[string]castore.Object) []ca.Hash {
	out := make([]ca.Hash, 0, len(objects))
	for _, o := range objects {
		out = append(out, o.Hash)
	}
	return out
}

// wantedFiles gives what a CA wants published, in the order of the URIs: what a
// repository elsewhere was last told.
func (s *Service) wantedFiles(ctx context.Context, stream uuid.UUID) ([]pubserver.File, error) {
	wanted, err := s.Rows.Objects(ctx, stream)
	if err != nil {
		return nil, err
	}
	ders, err := s.Rows.DERs(ctx, hashesOf(wanted))
	if err != nil {
		return nil, err
	}
	files := make([]pubserver.File, 0, len(wanted))
	for _, uri := range slices.Sorted(maps.Keys(wanted)) {
		files = append(files, pubserver.File{URI: uri, DER: ders[wanted[uri].Hash]})
	}
	return files, nil
}

func (s *Service) stream(ctx context.Context, handle string) (uuid.UUID, error) {
	id, err := s.CAs.StreamID(ctx, handle)
	return id, caUnknown(handle, err)
}

// noteParent stores the outcome of an exchange with a parent; of one that was
// left meanwhile nothing stays.
func (s *Service) noteParent(ctx context.Context, a SyncParent, uri string, offered []ca.Entitlement, outcome error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	stream, err := s.stream(ctx, a.CA)
	if err != nil {
		return err
	}
	if err := s.Rows.NoteParent(ctx, s.Fence, stream, castore.ParentExchange{Parent: a.Parent, URI: uri, At: s.Now(), Offered: offered, Err: outcome}); err != nil {
		return err
	}
	return s.forgetLeft(ctx, a.CA, a.Parent)
}
