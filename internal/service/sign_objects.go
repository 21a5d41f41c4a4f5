package service

import (
	"context"
	"fmt"
	"time"

	"baleen/internal/ca"
	"baleen/internal/rpki/aspa"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/gbr"
	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/rsc"
)

// signASPA makes one ASPA and checks it as a relying party would.
func (m Maker) signASPA(ctx context.Context, a authority, p ca.ASPA) (ca.IssuedASPA, []byte, error) {
	now := m.Now().UTC().Truncate(time.Second)
	content, err := aspa.ASPA(p).Encode()
	if err != nil {
		return ca.IssuedASPA{}, nil, fmt.Errorf("%s: %w", p, err)
	}
	obj, err := m.signObject(ctx, a, cms.Template{ContentType: aspa.ContentType, Content: content, SigningTime: now}, cert.Template{
		NotBefore: now.Add(-backdate), NotAfter: now.Add(m.Policy.ASPAValid),
		SIA: cert.SIA{SignedObject: a.rec.SIA.Repository + p.FileName()}, Resources: resources.OneAS(p.Customer),
	})
	if err != nil {
		return ca.IssuedASPA{}, nil, fmt.Errorf("%s: %w", p, err)
	}
	if err := profile.CheckASPA(obj.der, a.cert, now); err != nil {
		return ca.IssuedASPA{}, nil, fmt.Errorf("%s: what was signed is not valid: %w", p, err)
	}
	return ca.IssuedASPA{ASPA: p, Hash: ca.HashOf(obj.der), Serial: obj.serial.String(), NotBefore: obj.from, NotAfter: obj.until}, obj.der, nil
}

// signRouterCert certifies a router's key (RFC 8209 section 3) and checks the
// certificate as a relying party would.
func (m Maker) signRouterCert(_ context.Context, a authority, r ca.ConfiguredRouterKey) (ca.IssuedRouterCert, []byte, error) {
	now := m.Now().UTC().Truncate(time.Second)
	req, err := cert.DecodeRouterRequest(r.CSR)
	if err != nil {
		return ca.IssuedRouterCert{}, nil, fmt.Errorf("%s: %w", r.Router, err)
	}
	serial, err := cert.NewSerial()
	if err != nil {
		return ca.IssuedRouterCert{}, nil, err
	}
	t := cert.Template{
		Serial: serial, NotBefore: now.Add(-backdate), NotAfter: now.Add(m.Policy.RouterValid), PublicKey: req.PublicKey, Router: true,
		CRLDP: a.crlURI(), AIA: a.rec.URI, Resources: resources.OneAS(r.Router.ASID),
	}
	der, err := cert.Sign(t, a.issuer())
	if err != nil {
		return ca.IssuedRouterCert{}, nil, fmt.Errorf("%s: %w", r.Router, err)
	}
	if err := profile.CheckRouterCertificate(der, a.cert, now); err != nil {
		return ca.IssuedRouterCert{}, nil, fmt.Errorf("%s: what was signed is not valid: %w", r.Router, err)
	}
	return ca.IssuedRouterCert{Router: r.Router, Hash: ca.HashOf(der), Serial: serial.String(), NotBefore: t.NotBefore, NotAfter: t.NotAfter}, der, nil
}

// signGhostbusters makes one record and checks it as a relying party would. Its
// EE certificate inherits its resources (RFC 6493 section 6).
func (m Maker) signGhostbusters(ctx context.Context, a authority, g ca.Ghostbusters) (ca.IssuedGhostbusters, []byte, error) {
	now := m.Now().UTC().Truncate(time.Second)
	content, err := g.Contact.Encode()
	if err != nil {
		return ca.IssuedGhostbusters{}, nil, fmt.Errorf("%s: %w", g.Name, err)
	}
	obj, err := m.signObject(ctx, a, cms.Template{ContentType: gbr.ContentType, Content: content, SigningTime: now}, cert.Template{
		NotBefore: now.Add(-backdate), NotAfter: now.Add(m.Policy.GhostbustersValid),
		SIA: cert.SIA{SignedObject: a.rec.SIA.Repository + g.FileName()}, Inherit: true,
	})
	if err != nil {
		return ca.IssuedGhostbusters{}, nil, fmt.Errorf("%s: %w", g.Name, err)
	}
	if err := profile.CheckGhostbusters(obj.der, a.cert, now); err != nil {
		return ca.IssuedGhostbusters{}, nil, fmt.Errorf("%s: what was signed is not valid: %w", g.Name, err)
	}
	return ca.IssuedGhostbusters{Ghostbusters: g, Hash: ca.HashOf(obj.der), Serial: obj.serial.String(), NotBefore: obj.from, NotAfter: obj.until}, obj.der, nil
}

// makeChecklist makes one checklist and checks it as a relying party would. Its
// EE certificate holds the resources of the checklist alone and has no SIA (RFC
// 9323 section 2).
func (m Maker) makeChecklist(ctx context.Context, a authority, r ca.ChecklistRequest) (signed, error) {
	now := m.Now().UTC().Truncate(time.Second)
	content, err := r.Payload().Encode()
	if err != nil {
		return signed{}, err
	}
	obj, err := m.signObject(ctx, a, cms.Template{ContentType: rsc.ContentType, Content: content, SigningTime: now}, cert.Template{
		NotBefore: now.Add(-backdate), NotAfter: r.NotAfter, Unpublished: true, Resources: r.Resources,
	})
	if err != nil {
		return signed{}, err
	}
	if err := profile.CheckChecklist(obj.der, a.cert, now); err != nil {
		return signed{}, fmt.Errorf("what was signed is not valid: %w", err)
	}
	return obj, nil
}
