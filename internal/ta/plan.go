package ta

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/tak"
)

// Plan says what to sign. It always has a new CRL and a new manifest.
type Plan struct {
	TA         CertRecord // the certificate whose key signs
	Request    Request    // what it answers; zero when the trust anchor starts
	After      uint64     // manifest number before
	Number     uint64     // manifest and CRL number to use
	Now        time.Time  // signing time, in seconds
	ThisUpdate time.Time  // of manifest and CRL: always later than before (RFC 9286 section 4.2.1)
	NextUpdate time.Time
	Issue      []PlannedCert
	Keep       map[cert.KeyID]IssuedCert // stay as they are
	Revoked    []Revocation              // whole content of the CRL
	Answers    map[string]map[cert.KeyID]KeyResponse
	Keys       *tak.TAK // what to say of the trust anchor's keys; nil: nothing
}

// PlannedCert is a certificate to sign for a child's key.
type PlannedCert struct {
	Child     string
	KeyID     cert.KeyID
	PublicKey crypto.PublicKey
	SPKI      []byte
	Resources resources.Set
	SIA       SIA
	NotAfter  time.Time
}

// maxNumber is the highest manifest number that can be asked for: every JSON
// reader takes it exactly, and it leaves room to count on.
const maxNumber = 1<<53 - 1

// PlanInit plans the first CRL and manifest of a trust anchor. A key that was
// used elsewhere needs a number above the last one published there.
func PlanInit(ta CertRecord, number uint64, now time.Time, t Timing) (Plan, error) {
	p := newPlan(ta, Objects{}, now, t)
	return p.WithNumber(number)
}

func newPlan(ta CertRecord, old Objects, now time.Time, t Timing) Plan {
	p := Plan{
		TA: ta, After: old.Number, Number: old.Number + 1, Now: seconds(now),
		NextUpdate: earlier(seconds(now.Add(weeks(t.MftNextUpdateWeeks))), ta.NotAfter),
		ThisUpdate: thisUpdate(old.ThisUpdate, seconds(now)),
		Keep:       maps.Clone(old.Issued), Revoked: []Revocation{},
		Answers: map[string]map[cert.KeyID]KeyResponse{},
	}
	if p.Keep == nil {
		p.Keep = map[cert.KeyID]IssuedCert{}
	}
	// RFC 6487 section 5: the CRL lists what is not expired.
	for _, r := range old.Revoked {
		if r.NotAfter.After(now) {
			p.Revoked = append(p.Revoked, r)
		}
	}
	maps.DeleteFunc(p.Keep, func(_ cert.KeyID, c IssuedCert) bool { return !c.NotAfter.After(now) })
	return p
}

// thisUpdate gives the time that a manifest made now says: a little earlier, for
// clocks that are behind, but after the one before it. It is in times to come
// only where the clock went back, and the one before it is too.
func thisUpdate(before, now time.Time) time.Time {
	at := later(now.Add(-clockSkew), before.Add(time.Second))
	if at.After(now) && !before.After(now) {
		return now
	}
	return at
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// WithNumber gives the plan with another manifest number. Numbers only grow
// (RFC 9286 section 4.2.1). Whoever needs one may have lost manifests, so
// thisUpdate is the present: those that were lost cannot have a later one.
func (p Plan) WithNumber(number uint64) (Plan, error) {
	if number <= p.After || number > maxNumber {
		return Plan{}, general(fmt.Sprintf("manifest number %d must be above %d and at most %d", number, p.After, uint64(maxNumber)))
	}
	p.Number, p.ThisUpdate = number, later(p.Now, p.ThisUpdate)
	return p, nil
}

// CheckSeen refuses a number that the proxy has already seen: then the signer
// was restored from an old copy and lacks exchanges. What was issued in them
// would vanish from the manifest, and what was revoked would not be on the CRL.
func (p Plan) CheckSeen() error {
	seen := p.Request.Seen
	if p.Number > seen {
		return nil
	}
	args := map[string]string{"seen": strconv.FormatUint(seen, 10), "number": strconv.FormatUint(p.After, 10)}
	return &fault.Error{
		Kind: fault.Invalid, Code: "ta-signer-behind", Args: args,
		Msg: "The proxy has seen manifest number " + args["seen"] + ", but the last one this signer knows is " + args["number"] +
			": the signer was restored from an old copy and lacks exchanges",
	}
}

// Serials gives how many serial numbers Sign needs: one for each certificate
// one for what is said of the keys, and the last for the manifest's.
func (p Plan) Serials() int {
	if p.Keys != nil {
		return len(p.Issue) + 2
	}
	return len(p.Issue) + 1
}

// PlanRequest decides on all that a request asks for. A single request that
// cannot be served fails alone; the others are done. Certificates of other keys
// that would expire soon are renewed as they are.
func (s *SignerState) PlanRequest(req Request, now time.Time, t Timing) (Plan, error) {
	if err := s.checkRequest(req, now); err != nil {
		return Plan{}, err
	}
	p := newPlan(s.TA, s.Objects, now, t)
	p.Request = req
	p.announce(s)
	for _, child := range req.Children {
		for _, key := range sortedKeys(child.Requests) {
			if err := p.decide(child, key, t); err != nil {
				p.answer(child.Child, key, KeyResponse{Outcome: Failed, Reason: err.Error()})
			}
		}
	}
	return p, p.renew(t)
}

// decide plans the answer to one request of a child, or says why there is none.
func (p *Plan) decide(child ChildRequests, key cert.KeyID, t Timing) error {
	r := child.Requests[key]
	if r.KeyID != key {
		return general("the request is for key " + r.KeyID.String())
	}
	if err := checkClass(r.Class); err != nil {
		return err
	}
	if p.taken(child.Child, key) {
		return keyReuse()
	}
	if r.Revokes() {
		p.replace(key)
		p.answer(child.Child, key, KeyResponse{Outcome: Revoked})
		return nil
	}
	in, err := readIssue(r, child.Resources)
	if err != nil {
		return err
	}
	p.issue(PlannedCert{
		Child: child.Child, KeyID: key, PublicKey: in.csr.PublicKey, SPKI: in.csr.SPKI, Resources: in.want, SIA: in.sia,
		NotAfter: t.issuedNotAfter(p.Now, p.TA.NotAfter),
	})
	return nil
}

// taken says whether a key is another child's, or the trust anchor's own.
func (p *Plan) taken(child string, key cert.KeyID) bool {
	c, ok := p.Keep[key]
	return ok && c.Child != child || key == p.TA.KeyID ||
		slices.ContainsFunc(p.Issue, func(c PlannedCert) bool { return c.KeyID == key && c.Child != child })
}

func (p *Plan) answer(child string, key cert.KeyID, answer KeyResponse) {
	if p.Answers[child] == nil {
		p.Answers[child] = map[cert.KeyID]KeyResponse{}
	}
	p.Answers[child][key] = answer
}

func (p *Plan) issue(c PlannedCert) {
	p.replace(c.KeyID)
	p.Issue = append(p.Issue, c)
	p.answer(c.Child, c.KeyID, KeyResponse{Outcome: Issued})
}

// replace revokes what was issued for a key, if anything was.
func (p *Plan) replace(key cert.KeyID) {
	if old, ok := p.Keep[key]; ok {
		p.Revoked = append(p.Revoked, Revocation{Serial: old.Serial, RevokedAt: p.Now, NotAfter: old.NotAfter})
		delete(p.Keep, key)
	}
}

// renew plans new certificates for those that would expire soon and about which
// the request says nothing.
func (p *Plan) renew(t Timing) error {
	for _, key := range sortedKeys(p.Keep) {
		old := p.Keep[key]
		if _, asked := p.Answers[old.Child][key]; asked || !t.wantsReissue(old, p.Now, p.TA.NotAfter) {
			continue
		}
		public, err := x509.ParsePKIXPublicKey(old.SPKI)
		if err != nil {
			return fmt.Errorf("renew certificate of child %s: %w", old.Child, err)
		}
		p.issue(PlannedCert{
			Child: old.Child, KeyID: key, PublicKey: public, SPKI: old.SPKI, Resources: old.Resources, SIA: old.SIA,
			NotAfter: t.issuedNotAfter(p.Now, p.TA.NotAfter),
		})
	}
	return nil
}

// issuedNotAfter gives when a child's certificate made now ends: never after
// the trust anchor's own.
func (t Timing) issuedNotAfter(now, taNotAfter time.Time) time.Time {
	return earlier(seconds(now.Add(weeks(t.IssuedValidityWeeks))), taNotAfter)
}

// wantsReissue says whether a child's certificate has so little left that it
// should be renewed, provided that a new one lasts longer.
func (t Timing) wantsReissue(c IssuedCert, now, taNotAfter time.Time) bool {
	return !c.NotAfter.After(now.Add(weeks(t.IssuedReissueWeeksBefore))) && c.NotAfter.Before(t.issuedNotAfter(now, taNotAfter))
}

// NeedsRenewal says whether an exchange is due although no child asks for
// anything: more than half of the manifest's time is over, or a certificate
// should be renewed.
func (s *SignerState) NeedsRenewal(now time.Time, t Timing) bool {
	o := s.Objects
	if !now.Before(o.ThisUpdate.Add(o.NextUpdate.Sub(o.ThisUpdate) / 2)) {
		return true
	}
	for _, c := range o.Issued {
		if t.wantsReissue(c, now, s.TA.NotAfter) {
			return true
		}
	}
	return false
}
