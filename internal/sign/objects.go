package sign

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

// ASPA makes one ASPA and checks it as a relying party would.
func (m Maker) ASPA(ctx context.Context, a Authority, p ca.ASPA) (ca.IssuedASPA, []byte, error) {
	now := m.Now().UTC().Truncate(time.Second)
	content, err := aspa.ASPA(p).Encode()
	if err != nil {
		return ca.IssuedASPA{}, nil, fmt.Errorf("%s: %w", p, err)
	}
	obj, err := m.signObject(ctx, a, cms.Template{ContentType: aspa.ContentType, Content: content, SigningTime: now}, cert.Template{
		NotBefore: now.Add(-Backdate), NotAfter: now.Add(m.Policy.ASPAValid),
		SIA: cert.SIA{SignedObject: a.Rec.SIA.Repository + p.FileName()}, Resources: resources.OneAS(p.Customer),
	})
	if err != nil {
		return ca.IssuedASPA{}, nil, fmt.Errorf("%s: %w", p, err)
	}
	if err := profile.CheckASPA(obj.DER, a.Cert, now); err != nil {
		return ca.IssuedASPA{}, nil, fmt.Errorf("%s: what was signed is not valid: %w", p, err)
	}
	return ca.IssuedASPA{ASPA: p, Hash: ca.HashOf(obj.DER), Serial: obj.Serial.String(), NotBefore: obj.NotBefore, NotAfter: obj.NotAfter}, obj.DER, nil
}

// RouterCert certifies a router's key (RFC 8209 section 3) and checks the
// certificate as a relying party would.
func (m Maker) RouterCert(_ context.Context, a Authority, r ca.ConfiguredRouterKey) (ca.IssuedRouterCert, []byte, error) {
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
		Serial: serial, NotBefore: now.Add(-Backdate), NotAfter: now.Add(m.Policy.RouterValid), PublicKey: req.PublicKey, Router: true,
		CRLDP: a.crlURI(), AIA: a.Rec.URI, Resources: resources.OneAS(r.Router.ASID),
	}
	der, err := cert.Sign(t, a.issuer())
	if err != nil {
		return ca.IssuedRouterCert{}, nil, fmt.Errorf("%s: %w", r.Router, err)
	}
	if err := profile.CheckRouterCertificate(der, a.Cert, now); err != nil {
		return ca.IssuedRouterCert{}, nil, fmt.Errorf("%s: what was signed is not valid: %w", r.Router, err)
	}
	return ca.IssuedRouterCert{Router: r.Router, Hash: ca.HashOf(der), Serial: serial.String(), NotBefore: t.NotBefore, NotAfter: t.NotAfter}, der, nil
}

// Ghostbusters makes one record and checks it as a relying party would. Its
// EE certificate inherits its resources (RFC 6493 section 6).
func (m Maker) Ghostbusters(ctx context.Context, a Authority, g ca.Ghostbusters) (ca.IssuedGhostbusters, []byte, error) {
	now := m.Now().UTC().Truncate(time.Second)
	content, err := g.Contact.Encode()
	if err != nil {
		return ca.IssuedGhostbusters{}, nil, fmt.Errorf("%s: %w", g.Name, err)
	}
	obj, err := m.signObject(ctx, a, cms.Template{ContentType: gbr.ContentType, Content: content, SigningTime: now}, cert.Template{
		NotBefore: now.Add(-Backdate), NotAfter: now.Add(m.Policy.GhostbustersValid),
		SIA: cert.SIA{SignedObject: a.Rec.SIA.Repository + g.FileName()}, Inherit: true,
	})
	if err != nil {
		return ca.IssuedGhostbusters{}, nil, fmt.Errorf("%s: %w", g.Name, err)
	}
	if err := profile.CheckGhostbusters(obj.DER, a.Cert, now); err != nil {
		return ca.IssuedGhostbusters{}, nil, fmt.Errorf("%s: what was signed is not valid: %w", g.Name, err)
	}
	return ca.IssuedGhostbusters{Ghostbusters: g, Hash: ca.HashOf(obj.DER), Serial: obj.Serial.String(), NotBefore: obj.NotBefore, NotAfter: obj.NotAfter}, obj.DER, nil
}

// Checklist makes one checklist and checks it as a relying party would. Its
// EE certificate holds the resources of the checklist alone and has no SIA (RFC
// 9323 section 2).
func (m Maker) Checklist(ctx context.Context, a Authority, r ca.ChecklistRequest) (Signed, error) {
	now := m.Now().UTC().Truncate(time.Second)
	content, err := r.Payload().Encode()
	if err != nil {
		return Signed{}, err
	}
	obj, err := m.signObject(ctx, a, cms.Template{ContentType: rsc.ContentType, Content: content, SigningTime: now}, cert.Template{
		NotBefore: now.Add(-Backdate), NotAfter: r.NotAfter, Unpublished: true, Resources: r.Resources,
	})
	if err != nil {
		return Signed{}, err
	}
	if err := profile.CheckChecklist(obj.DER, a.Cert, now); err != nil {
		return Signed{}, fmt.Errorf("what was signed is not valid: %w", err)
	}
	return obj, nil
}
