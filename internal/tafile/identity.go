package tafile

import (
	"bytes"
	"net/url"
	"strings"
	"time"

	"baleen/api"
	"baleen/internal/rpki/cert"
	"baleen/internal/ta"
)

// EncodeIdentity gives the form of a proxy's or signer's identity.
func EncodeIdentity(id ta.Identity) (api.IDCertInfo, error) {
	c, err := cert.Decode(id.Cert)
	if err != nil {
		return api.IDCertInfo{}, err
	}
	return api.IDCertInfo{PublicKey: c.SPKI, Base64: id.Cert, Hash: ta.HashOf(id.Cert).String()}, nil
}

// DecodeIdentity reads a file with an identity, and checks the certificate.
func DecodeIdentity(file []byte, now time.Time) (ta.Identity, error) {
	var in api.IDCertInfo
	if err := decode(file, &in); err != nil {
		return ta.Identity{}, err
	}
	return readIdentity(in, now)
}

func readIdentity(in api.IDCertInfo, now time.Time) (ta.Identity, error) {
	id, err := cert.DecodeIdentity(in.Base64, now)
	if err != nil {
		return ta.Identity{}, bad("%v", err)
	}
	if !bytes.Equal(id.SPKI, in.PublicKey) || ta.HashOf(id.Raw).String() != in.Hash {
		return ta.Identity{}, bad("identity certificate: public_key or hash is that of another one")
	}
	return ta.Identity{KeyID: id.KeyID, Cert: id.Raw}, nil
}

// EncodeContact gives the form of a repository.
func EncodeContact(r ta.Repository) (api.RepositoryContact, error) {
	c, err := cert.Decode(r.ServerIDCert)
	if err != nil {
		return api.RepositoryContact{}, err
	}
	return api.RepositoryContact{
		RepoInfo:   api.RepoInfo{SIABase: r.SIABase, NotificationURI: optional(r.NotificationURI)},
		ServerInfo: api.RepoServerInfo{PublicKey: c.SPKI, ServiceURI: r.ServiceURI},
	}, nil
}

// DecodeContact reads a file that says where the proxy publishes. The
// certificate of the publication server does not stand in it: the signer needs
// none.
func DecodeContact(file []byte) (ta.Repository, error) {
	var in api.RepositoryContact
	if err := decode(file, &in); err != nil {
		return ta.Repository{}, err
	}
	r := ta.Repository{ServiceURI: in.ServerInfo.ServiceURI, SIABase: in.RepoInfo.SIABase}
	if in.RepoInfo.NotificationURI != nil {
		r.NotificationURI = *in.RepoInfo.NotificationURI
	}
	switch {
	case !IsURI(r.SIABase, "rsync") || !strings.HasSuffix(r.SIABase, "/"):
		return ta.Repository{}, bad("sia_base '%s' is not an rsync URI that ends in a slash", r.SIABase)
	case r.NotificationURI != "" && !IsURI(r.NotificationURI, "https"):
		return ta.Repository{}, bad("rrdp_notification_uri '%s' is not an https URI", r.NotificationURI)
	}
	return r, nil
}

// IsURI says whether text is a URI of this scheme with host and path that a
// certificate can hold.
func IsURI(text, scheme string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == scheme && u.Host != "" && u.Path != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" &&
		!strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
