package pubserver

import (
	"context"
	"fmt"
	"time"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/oob"
)

// Object is what a list reply says of an object (RFC 8181 section 2.3).
type Object struct {
	URI  string
	Hash [32]byte
}

// File is an object with its content.
type File struct {
	URI string
	DER []byte
}

// Published is an object that was there at a time.
type Published struct {
	Publisher string
	URI       string
	Hash      [32]byte
	Size      int64 // octets
}

// Stats are the figures of the repository.
type Stats struct {
	Session    string
	Serial     uint64
	LastUpdate time.Time
	RRDPBase   string
	RsyncBase  string
	Publishers []PublisherStats // by handle
}

// PublisherStats are the figures of one publisher: what its list reply names.
type PublisherStats struct {
	Handle  string
	BaseURI string
	Objects int64
	Bytes   int64
}

// Identity gives the key that signs this server's replies, with its
// certificate (DER).
func (s *Server) Identity(ctx context.Context) (id cert.KeyID, idCert []byte, err error) {
	err = s.view(ctx, func(st *State) error {
		id, idCert = st.KeyID, st.IDCert
		return nil
	})
	return id, idCert, err
}

// Publishers gives the handles, sorted.
func (s *Server) Publishers(ctx context.Context) ([]string, error) {
	var handles []string
	err := s.view(ctx, func(st *State) error {
		handles = st.handles()
		return nil
	})
	return handles, err
}

// Publisher gives one publisher.
func (s *Server) Publisher(ctx context.Context, handle string) (Publisher, error) {
	var p Publisher
	err := s.view(ctx, func(st *State) error {
		var ok bool
		if p, ok = st.Publishers[handle]; !ok {
			return errUnknown(handle)
		}
		return nil
	})
	return p, err
}

// Response gives the RFC 8183 answer to a publisher's request.
func (s *Server) Response(ctx context.Context, handle string) (oob.RepositoryResponse, error) {
	var res oob.RepositoryResponse
	err := s.view(ctx, func(st *State) error {
		p, ok := st.Publishers[handle]
		if !ok {
			return errUnknown(handle)
		}
		res = oob.RepositoryResponse{
			PublisherHandle: handle,
			ServiceURI:      s.ServiceURI + "rfc8181/" + handle + "/",
			SIABase:         p.BaseURI,
			NotificationURI: st.RRDPBase + "notification.xml",
			IDCert:          st.IDCert,
		}
		return nil
	})
	return res, err
}

func (s *Server) view(ctx context.Context, f func(*State) error) error {
	return initialized(s.Store.View(ctx, Repository, func(st *State, _ int64) error {
		if !st.initialized() {
			return errNotInitialized()
		}
		return f(st)
	}))
}

// List gives what a publisher has, what waits for the next serial included,
// sorted by URI.
func (s *Server) List(ctx context.Context, publisher string) ([]Object, error) {
	rows, err := s.list(ctx, s.DB, publisher)
	if err != nil {
		return nil, err
	}
	out := make([]Object, len(rows))
	for i, r := range rows {
		out[i] = Object{URI: r.URI, Hash: [32]byte(r.Hash)}
	}
	return out, nil
}

func (s *Server) list(ctx context.Context, db pgq.DBTX, publisher string) ([]pgq.PubListRow, error) {
	rows, err := s.q().PubList(ctx, db, pgq.PubListParams{Repository: Repository, Publisher: publisher})
	if err != nil {
		return nil, fmt.Errorf("list objects of %q: %w", publisher, postgres.Classify(err))
	}
	if len(rows) == 0 {
		return nil, s.known(ctx, publisher)
	}
	return rows, nil
}

// known refuses a publisher that there is not.
func (s *Server) known(ctx context.Context, publisher string) error {
	ok, err := s.q().PubPublisherExists(ctx, s.DB, pgq.PubPublisherExistsParams{Repository: Repository, Handle: publisher})
	if err != nil {
		return postgres.Classify(err)
	}
	if !ok {
		return errUnknown(publisher)
	}
	return nil
}

// Files is List with the objects themselves.
func (s *Server) Files(ctx context.Context, publisher string) ([]File, error) {
	rows, err := s.list(ctx, s.DB, publisher)
	if err != nil {
		return nil, err
	}
	files := make([]File, len(rows))
	hashes := make([][]byte, len(rows))
	for i, r := range rows {
		files[i].URI, hashes[i] = r.URI, r.Hash
	}
	return files, s.fill(ctx, files, hashes)
}

// Manifests gives the manifests that each publisher has now, by handle.
func (s *Server) Manifests(ctx context.Context) (map[string][]File, error) {
	rows, err := s.q().PubManifests(ctx, s.DB, Repository)
	if err != nil {
		return nil, postgres.Classify(err)
	}
	files := make([]File, len(rows))
	hashes := make([][]byte, len(rows))
	for i, r := range rows {
		files[i].URI, hashes[i] = r.URI, r.Hash
	}
	if err := s.fill(ctx, files, hashes); err != nil {
		return nil, err
	}

	out := map[string][]File{}
	for i, r := range rows {
		out[r.Publisher] = append(out[r.Publisher], files[i])
	}
	return out, nil
}

// fill puts in the contents.
func (s *Server) fill(ctx context.Context, files []File, hashes [][]byte) error {
	rows, err := s.q().PubContents(ctx, s.DB, hashes)
	if err != nil {
		return postgres.Classify(err)
	}
	contents := make(map[[32]byte][]byte, len(rows))
	for _, r := range rows {
		contents[[32]byte(r.Hash)] = r.DER
	}
	for i := range files {
		der, ok := contents[[32]byte(hashes[i])]
		if !ok {
			return fmt.Errorf("%s: object %x is missing from the database", files[i].URI, hashes[i])
		}
		files[i].DER = der
	}
	return nil
}

// PublishedAt gives what relying parties could see at a time, sorted by URI:
// the content of the last serial made by then.
func (s *Server) PublishedAt(ctx context.Context, at time.Time) ([]Published, error) {
	rows, err := s.q().PubPublishedAt(ctx, s.DB, pgq.PubPublishedAtParams{Repository: Repository, At: at})
	if err != nil {
		return nil, postgres.Classify(err)
	}
	out := make([]Published, len(rows))
	for i, r := range rows {
		out[i] = Published{Publisher: r.Publisher, URI: r.URI, Hash: [32]byte(r.Hash), Size: int64(r.Size)}
	}
	return out, nil
}

// Stats gives the figures of the repository. Its cost does not depend on the
// number of objects.
func (s *Server) Stats(ctx context.Context) (Stats, error) {
	st, err := s.state(ctx, s.DB)
	if err != nil {
		return Stats{}, err
	}
	rows, err := s.q().PubListPublishers(ctx, s.DB, Repository)
	if err != nil {
		return Stats{}, postgres.Classify(err)
	}

	out := Stats{
		Session: st.Session.String(), Serial: uint64(st.Serial), LastUpdate: st.LastUpdate.UTC(),
		RRDPBase: st.RrdpBaseURI, RsyncBase: st.RsyncBase, Publishers: make([]PublisherStats, len(rows)),
	}
	for i, r := range rows {
		out.Publishers[i] = PublisherStats{Handle: r.Handle, BaseURI: r.BaseURI, Objects: r.Objects, Bytes: r.Bytes}
	}
	return out, nil
}
