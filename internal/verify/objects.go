package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/rpki/aspa"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/manifest"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/roa"
	"baleen/internal/rpki/rsc"
	"baleen/internal/ta"
	"baleen/internal/tasks"
)

// object is a signed object that a state names, and how it must be.
type object struct {
	hash  ca.Hash
	what  string
	check func(der []byte) error
	todo  []tasks.Args // that would bring the row which names it into line
}

// batchSize is how many objects are read at once.
const batchSize = 200

// objects makes sure that all of them are there, unchanged, and say what the
// state says of them.
func (p place) objects(ctx context.Context, list []object) error {
	for batch := range slices.Chunk(list, batchSize) {
		hashes := make([]ca.Hash, len(batch))
		for i, o := range batch {
			hashes[i] = o.hash
		}
		ders, err := p.rows.Found(ctx, hashes)
		if err != nil {
			return err
		}
		for _, o := range batch {
			p.object(o, ders[o.hash])
		}
	}
	return nil
}

func (p place) object(o object, der []byte) {
	p.named[o.hash] = true
	p.sum.Objects++
	switch {
	case der == nil:
		p.found("%s: object %s is missing", o.what, o.hash)
	case p.damaged[o.hash]:
		p.found("%s: object %s was changed: it is not what its name says", o.what, o.hash)
	default:
		if err := o.check(der); err != nil {
			p.unless(o.todo, "%s: object %s does not fit: %v", o.what, o.hash, err)
		}
	}
}

// fitsCert compares a certificate with the record of it.
func fitsCert(r ca.CertRecord) func(der []byte) error {
	return func(der []byte) error {
		c, err := cert.Decode(der)
		if err != nil {
			return err
		}
		x := c.Resources
		switch {
		case c.KeyID != r.KeyID:
			return fmt.Errorf("its key is %s, not %s", c.KeyID, r.KeyID)
		case x.V4.Inherit || x.V6.Inherit || x.AS.Inherit || !x.Set.Equal(r.Resources):
			return fmt.Errorf("its resources are %s, not %s", x.Set, r.Resources)
		case c.SIA.Repository != r.SIA.Repository || c.SIA.Manifest != r.SIA.Manifest || c.SIA.Notify != r.SIA.Notify:
			return errors.New("its subject information access is another one")
		}
		return fitsValidity(c, r.Serial, r.NotBefore, r.NotAfter)
	}
}

func fitsValidity(c *cert.Certificate, serial string, notBefore, notAfter time.Time) error {
	if c.Serial.String() != serial {
		return fmt.Errorf("its serial number is %s, not %s", c.Serial, serial)
	}
	if !c.NotBefore.Equal(notBefore) || !c.NotAfter.Equal(notAfter) {
		return fmt.Errorf("it is valid from %s to %s", c.NotBefore.Format(time.RFC3339), c.NotAfter.Format(time.RFC3339))
	}
	return nil
}

// fitsSigned compares a signed object (RFC 6488) with the record of it: what it
// says, then its EE certificate.
func fitsSigned(serial string, notBefore, notAfter time.Time, says func(content []byte) error) func(der []byte) error {
	return func(der []byte) error {
		o, err := cms.Decode(der)
		if err != nil {
			return err
		}
		ee, err := cert.Decode(o.EE)
		if err != nil {
			return fmt.Errorf("EE certificate: %w", err)
		}
		if err := says(o.Content); err != nil {
			return err
		}
		return fitsValidity(ee, serial, notBefore, notAfter)
	}
}

// fitsTA is fitsCert for the records of the trust anchor.
func fitsTA(r ta.CertRecord) func(der []byte) error {
	return fitsCert(ca.CertRecord{
		Serial: r.Serial, KeyID: r.KeyID, Resources: r.Resources, NotBefore: r.NotBefore, NotAfter: r.NotAfter, SIA: ca.SIA(r.SIA),
	})
}

// fitsROA compares a ROA with the record of it.
func fitsROA(r ca.IssuedROA) func(der []byte) error {
	return fitsSigned(r.Serial, r.NotBefore, r.NotAfter, func(content []byte) error {
		payload, err := roa.Decode(content)
		if err != nil {
			return err
		}
		var says []ca.ROA
		for _, p := range payload.Prefixes {
			says = append(says, ca.ROA{ASID: payload.ASID, Prefix: p.Prefix, MaxLength: p.MaxLength})
		}
		want := slices.SortedFunc(slices.Values(r.Authorizations), ca.CompareROAs)
		if slices.SortFunc(says, ca.CompareROAs); !slices.Equal(says, want) {
			return fmt.Errorf("it authorises %v, not %v", says, want)
		}
		return nil
	})
}

// fitsASPA compares an ASPA with the record of it.
func fitsASPA(r ca.IssuedASPA) func(der []byte) error {
	return fitsSigned(r.Serial, r.NotBefore, r.NotAfter, func(content []byte) error {
		payload, err := aspa.Decode(content)
		if err != nil {
			return err
		}
		if says := ca.ASPA(payload); !says.Equal(r.ASPA) {
			return fmt.Errorf("it says %s, not %s", says, r.ASPA)
		}
		return nil
	})
}

// fitsRouter compares a router certificate with the record of it.
func fitsRouter(r ca.IssuedRouterCert) func(der []byte) error {
	return func(der []byte) error {
		c, err := cert.Decode(der)
		if err != nil {
			return err
		}
		switch {
		case c.KeyID != r.Router.KeyID:
			return fmt.Errorf("its key is %s, not %s", c.KeyID, r.Router.KeyID)
		case !c.Resources.Set.Equal(resources.OneAS(r.Router.ASID)):
			return fmt.Errorf("its resources are %s, not AS%d alone", c.Resources.Set, r.Router.ASID)
		}
		return fitsValidity(c, r.Serial, r.NotBefore, r.NotAfter)
	}
}

// fitsGhostbusters compares a Ghostbusters record with the record of it.
func fitsGhostbusters(r ca.IssuedGhostbusters) func(der []byte) error {
	return fitsSigned(r.Serial, r.NotBefore, r.NotAfter, func(content []byte) error {
		if want, err := r.Contact.Encode(); err != nil || !bytes.Equal(content, want) {
			return errors.New("its vCard is another one")
		}
		return nil
	})
}

// fitsChecklist compares a signed checklist with the record of it.
func fitsChecklist(r ca.IssuedChecklist) func(der []byte) error {
	return fitsSigned(r.Serial, r.NotBefore, r.NotAfter, func(content []byte) error {
		says, err := rsc.Decode(content)
		if err != nil {
			return err
		}
		want := ca.ChecklistRequest{Resources: r.Resources, Files: r.Files}.Payload()
		if !says.Resources.Equal(want.Resources) || !slices.Equal(says.Files, want.Files) {
			return errors.New("it lists other resources or files")
		}
		return nil
	})
}

// fitsManifest compares a manifest with its row and with the files that are
// wanted beside it.
func fitsManifest(m castore.Manifest, files map[string]ca.Hash) func(der []byte) error {
	return func(der []byte) error {
		o, err := cms.Decode(der)
		if err != nil {
			return err
		}
		says, err := manifest.Decode(o.Content)
		if err != nil {
			return err
		}
		if err := fitsEdition(m, says.Number, says.ThisUpdate, says.NextUpdate); err != nil {
			return err
		}
		if len(says.Files) != len(files) {
			return fmt.Errorf("it lists %d files, and %d are wanted", len(says.Files), len(files))
		}
		for _, f := range says.Files {
			if h, ok := files[f.Name]; !ok || h != ca.Hash(f.Hash) {
				return fmt.Errorf("it lists %s with hash %x, which is not what is wanted", f.Name, f.Hash)
			}
		}
		return nil
	}
}

// fitsCRL compares a CRL with its row and with what must be revoked.
func fitsCRL(m castore.Manifest, revoked []ca.Revocation) func(der []byte) error {
	return func(der []byte) error {
		says, err := crl.Decode(der)
		if err != nil {
			return err
		}
		for _, r := range revoked {
			if n, ok := new(big.Int).SetString(r.Serial, 10); !ok || !says.Revoked(n) {
				return fmt.Errorf("it does not revoke %s", r.Serial)
			}
		}
		return fitsEdition(m, says.Number, says.ThisUpdate, says.NextUpdate)
	}
}

func fitsEdition(m castore.Manifest, number *big.Int, thisUpdate, nextUpdate time.Time) error {
	if number == nil || number.Cmp(big.NewInt(m.Number)) != 0 {
		return fmt.Errorf("its number is %v, not %d", number, m.Number)
	}
	if !thisUpdate.Equal(m.ThisUpdate) || !nextUpdate.Equal(m.NextUpdate) {
		return fmt.Errorf("it is good from %s to %s", thisUpdate.Format(time.RFC3339), nextUpdate.Format(time.RFC3339))
	}
	return nil
}
