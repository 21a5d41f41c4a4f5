package ta

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/tak"
)

// A trust anchor can say in its own repository under which key and URIs it is
// found, and which key was before or will come after it (RFC 9691): relying
// parties learn of a planned key roll that way. The signer issues the object anew
// with every manifest, for proxies that tell what they have seen: others do not
// know of it and would not publish it, and a manifest must not list what is not
// there (RFC 9286 section 6.4).

// Announcement is what a trust anchor says of its keys. Its current key with its
// URIs is that of its locator.
type Announcement struct {
	Comments    []string `json:"comments"`              // on the current key
	Predecessor *KeyInfo `json:"predecessor,omitempty"` // nil if there is none
	Successor   *KeyInfo `json:"successor,omitempty"`   // nil if there is none
}

// KeyInfo is what a locator says of a key (RFC 9691 section 2.2.1).
type KeyInfo struct {
	Comments []string `json:"comments"`
	URIs     []string `json:"uris"`
	SPKI     []byte   `json:"spki"` // DER
}

func (k *KeyInfo) key() *tak.Key {
	if k == nil {
		return nil
	}
	return &tak.Key{Comments: k.Comments, URIs: k.URIs, SPKI: k.SPKI}
}

// InfoOf gives what a locator says.
func InfoOf(k tak.Key) *KeyInfo {
	return &KeyInfo{Comments: append([]string{}, k.Comments...), URIs: append([]string{}, k.URIs...), SPKI: k.SPKI}
}

// About gives the payload for the trust anchor with this locator.
func (a Announcement) About(t TAL) tak.TAK {
	current := tak.Key{Comments: a.Comments, URIs: append(slices.Clone(t.HTTPS), t.Rsync), SPKI: t.SPKI}
	return tak.TAK{Current: current, Predecessor: a.Predecessor.key(), Successor: a.Successor.key()}
}

// AnnounceKeys says what the trust anchor says of its keys from the next
// manifest on; nil: nothing.
type AnnounceKeys struct {
	Announcement *Announcement `json:"announcement"`
}

// CommandName names the command in the log.
func (AnnounceKeys) CommandName() string { return "announce_keys" }

// Process wants something that can be written, and other keys than the current
// one before and after it.
func (c AnnounceKeys) Process(s *SignerState, _ time.Time) ([]es.Event, error) {
	if len(s.Identity.Cert) == 0 {
		return nil, fault.New(fault.Invalid, "ta-not-initialized", "TrustAnchor was not initialized")
	}
	if c.Announcement == nil {
		if s.Announcement == nil {
			return nil, nil
		}
		return []es.Event{KeysAnnounced(c)}, nil
	}
	t := c.Announcement.About(s.TAL)
	if _, err := t.Encode(); err != nil {
		return nil, general(err.Error())
	}
	for _, k := range []*tak.Key{t.Predecessor, t.Successor} {
		if k != nil && k.ID() == s.TA.KeyID {
			return nil, general("the current key of the trust anchor cannot be its own predecessor or successor")
		}
	}
	return []es.Event{KeysAnnounced(c)}, nil
}

// announce plans the object for a request, and revokes the one before it.
func (p *Plan) announce(s *SignerState) {
	if old := s.Objects.Keys; old != nil && old.NotAfter.After(p.Now) {
		p.Revoked = append(p.Revoked, Revocation{Serial: old.Serial, RevokedAt: p.Now, NotAfter: old.NotAfter})
	}
	if s.Announcement != nil && p.Request.Seen > 0 {
		t := s.Announcement.About(s.TAL)
		p.Keys = &t
	}
}

// signKeys makes the object, with a certificate that lasts as long as the
// manifest (RFC 9691 section 3).
func (s *Signed) signKeys(k Keys) error {
	o, name := &s.Objects, s.Plan.TA.KeyID.String()+".tak"
	if s.Plan.Keys == nil {
		return nil
	}
	serial := k.Serials[len(k.Serials)-2]
	ee, err := cert.Sign(cert.Template{
		Serial: serial, NotBefore: o.ThisUpdate, NotAfter: o.NextUpdate, PublicKey: k.Announcement.Public(),
		CRLDP: s.Plan.crlURI(), AIA: s.Plan.TA.URI, SIA: cert.SIA{SignedObject: s.Plan.TA.SIA.Repository + name}, Inherit: true,
	}, k.issuer())
	if err != nil {
		return fmt.Errorf("EE certificate: %w", err)
	}
	content, err := s.Plan.Keys.Encode()
	if err != nil {
		return err
	}
	s.Announcement, err = cms.Sign(cms.Template{ContentType: tak.ContentType, Content: content, EE: ee, Key: k.Announcement, SigningTime: s.Plan.Now})
	if err != nil {
		return err
	}
	o.Keys = &KeysObject{Object: Object{Name: name, Hash: HashOf(s.Announcement)}, Serial: serial.String(), NotAfter: o.NextUpdate}
	return nil
}

// checkKeys reads the object back.
func (o Objects) checkKeys(ta *cert.Certificate, der []byte, now time.Time, revoked func(*big.Int) bool) error {
	if o.Keys == nil {
		return nil
	}
	if HashOf(der) != o.Keys.Hash {
		return errors.New("it is another one than its hash says")
	}
	if err := profile.CheckTAK(der, ta, now); err != nil {
		return err
	}
	object, _ := profile.TAK(der)
	switch ee := object.EE; {
	case ee.Serial.String() != o.Keys.Serial || !ee.NotAfter.Equal(o.Keys.NotAfter):
		return errors.New("its certificate is not the one that was planned")
	case revoked(ee.Serial):
		return errors.New("its certificate is revoked")
	}
	return nil
}
