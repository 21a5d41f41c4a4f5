package ta

import (
	"fmt"
	"time"
)

// CheckFollows says whether objects that came from outside can follow on what is
// published. Before there is a signer, and for another one, anything can.
func (s *ProxyState) CheckFollows(o Objects, now time.Time) error {
	if s.Signer == nil {
		return nil
	}
	return checkSuccessor(s.Signer.Objects, o, now)
}

// CheckResponse says the same of a response that came from outside, and whether
// every certificate that is new answers something.
func (s *ProxyState) CheckResponse(r Response, now time.Time) error {
	if err := s.CheckFollows(r.Objects, now); err != nil || s.Signer == nil {
		return err
	}
	return s.checkNew(r)
}

// checkSuccessor says whether objects can follow on those that the world has
// seen: the same ones under the same number; under a higher one a thisUpdate that
// does not go back (RFC 9286 section 4.2.1; a signer may be asked twice in a
// second); and nothing vanished that is valid, unless it is revoked.
func checkSuccessor(old, next Objects, now time.Time) error {
	if next.Number < old.Number {
		return checkNumber(next.Number, old.Number)
	}
	if next.Number == old.Number {
		if next.CRL.Hash != old.CRL.Hash || next.Manifest.Hash != old.Manifest.Hash {
			return general(fmt.Sprintf("there is another manifest or CRL with number %d, which is published already", old.Number))
		}
		return nil
	}
	if next.ThisUpdate.Before(old.ThisUpdate) {
		return general("the manifest's thisUpdate " + next.ThisUpdate.UTC().Format(time.RFC3339) + " is earlier than that of the published one")
	}
	revoked := map[string]bool{}
	for _, r := range next.Revoked {
		revoked[r.Serial] = true
	}
	at := later(now, next.ThisUpdate)
	for _, r := range old.Revoked {
		if r.NotAfter.After(at) && !revoked[r.Serial] {
			return general("certificate " + r.Serial + " was revoked, and the new CRL does not say so")
		}
	}
	for _, key := range sortedKeys(old.Issued) {
		was := old.Issued[key]
		if next.Issued[key].Hash != was.Hash && was.NotAfter.After(at) && !revoked[was.Serial] {
			return general("certificate " + was.Name() + " of child '" + was.Child + "' was replaced or left out, but not revoked")
		}
	}
	return nil
}

// checkNew says whether every certificate that is new answers something.
func (s *ProxyState) checkNew(r Response) error {
	for _, key := range sortedKeys(r.Objects.Issued) {
		c := r.Objects.Issued[key]
		if s.Signer.Objects.Issued[key].Hash == c.Hash {
			continue
		}
		if r.Children[c.Child][key].Outcome != Issued {
			return general("the response has a certificate for key " + key.String() + " that answers nothing")
		}
	}
	return nil
}

// HeldBy gives the certificates of a child, by key in order.
func (o Objects) HeldBy(child string) []IssuedCert {
	var out []IssuedCert
	for _, key := range sortedKeys(o.Issued) {
		if c := o.Issued[key]; c.Child == child {
			out = append(out, c)
		}
	}
	return out
}
