package tactl

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
	"baleen/internal/tafolder"
)

func at(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func setText(set resources.Set) string {
	if set.Equal(resources.AllResources()) {
		return "all resources"
	}
	return set.String()
}

func sortedKeys[V any](m map[cert.KeyID]V) []cert.KeyID {
	return slices.SortedFunc(maps.Keys(m), func(a, b cert.KeyID) int { return slices.Compare(a[:], b[:]) })
}

// tellTA shows the trust anchor certificate that is about to be signed.
func (s *session) tellTA(key cert.KeyID, p *place, repo ta.Repository, proxy ta.Identity) {
	now := s.env.Now()
	s.say("Trust anchor certificate for key %s", key)
	s.say("  for all resources, from %s to %s", at(now), at(now.AddDate(s.timing.CertificateValidityYears, 0, 0)))
	s.say("  found at       %s", strings.Join(append(slices.Clone(p.https), p.rsync), "\n                 "))
	s.say("  publishes in   %s", repo.SIABase)
	if repo.NotificationURI != "" {
		s.say("  and by RRDP    %s", repo.NotificationURI)
	}
	s.say("  for the proxy  %s", proxy.KeyID)
}

// tellRequest shows where a request comes from, and the times to compare.
func (s *session) tellRequest(f *tafolder.Folder, plan ta.Plan) {
	st, now := &f.State, s.env.Now()
	s.say("Request %s, made %s by proxy %s", plan.Request.Nonce, at(plan.Request.MadeAt), st.ProxyID.KeyID)
	s.say("This machine says that it is %s; the last record is of %s.", at(now), at(f.At()))
	if now.Before(f.At()) {
		s.say("WARNING: the clock went back since then. Compare it with another one before you sign.")
	}
}

// tellPlan shows all that is about to be signed.
func (s *session) tellPlan(p ta.Plan) {
	for _, child := range p.Request.Children {
		s.say("Child %s, entitled to %s", child.Child, setText(child.Resources))
		for _, key := range sortedKeys(child.Requests) {
			s.say("  %s", answerText(p, child.Child, key))
		}
	}
	for _, c := range p.Issue {
		if _, asked := asks(p.Request, c.Child, c.KeyID); !asked {
			s.say("Child %s, whose certificate ends soon\n  %s", c.Child, issueText(c))
		}
	}
	if len(p.Request.Children) == 0 && len(p.Issue) == 0 {
		s.say("No child asks for anything.")
	}
	s.say("Manifest and CRL number %d (the last one was %d), from %s to %s", p.Number, p.After, at(p.ThisUpdate), at(p.NextUpdate))
	if skipped := p.Number - p.After - 1; skipped > 0 {
		s.say("WARNING: %d numbers are left out.", skipped)
	}
	s.say("  %d certificates, %d of them new; %d serial numbers on the CRL", len(p.Keep)+len(p.Issue), len(p.Issue), len(p.Revoked))
	for _, r := range p.Revoked {
		if r.RevokedAt.Equal(p.Now) {
			s.say("  now revoked: serial number %s, which would have ended %s", r.Serial, at(r.NotAfter))
		}
	}
}

func asks(r ta.Request, child string, key cert.KeyID) (ta.ChildRequest, bool) {
	for _, c := range r.Children {
		if c.Child == child {
			q, ok := c.Requests[key]
			return q, ok
		}
	}
	return ta.ChildRequest{}, false
}

// answerText says what becomes of a request.
func answerText(p ta.Plan, child string, key cert.KeyID) string {
	answer := p.Answers[child][key]
	switch answer.Outcome {
	case ta.Issued:
		for _, c := range p.Issue {
			if c.Child == child && c.KeyID == key {
				return issueText(c)
			}
		}
	case ta.Revoked:
		return "revoke   key " + key.String()
	}
	return "REFUSE   key " + key.String() + ": " + answer.Reason
}

func issueText(c ta.PlannedCert) string {
	return fmt.Sprintf("issue    key %s until %s: %s", c.KeyID, at(c.NotAfter), setText(c.Resources))
}
