package peer_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/updown"
	"baleen/internal/service"
)

// parentStatus gives how ca1 stands with its one parent.
func (w *world) parentStatus() castore.ParentStatus {
	w.T.Helper()
	all, err := w.ParentStatuses(w.T.Context(), "ca1")
	if err != nil || len(all) != 1 {
		w.T.Fatalf("%d statuses, %v", len(all), err)
	}
	return all[0]
}

// standing is all of ca1 that an answer of its parent could change.
func (w *world) standing() string {
	w.T.Helper()
	st := w.State("ca1")
	var out []string
	for name, c := range st.Classes {
		out = append(out, fmt.Sprintf("class %s %s: current %v", name, c.ParentClass, c.Current.Cert.Hash))
	}
	slices.Sort(out)
	return fmt.Sprint(out, w.FilesOf("ca1")[".roa"], w.FilesOf("ca1")[".mft"], w.FilesOf("ca1")[".crl"])
}

// askAgain has ca1 ask its parent now.
func (w *world) askAgain() {
	w.T.Helper()
	must(w.T, w.SyncParents(w.T.Context(), "ca1"))
	w.Settle()
}

// An answer that is not the parent's, fresh, for us, or not an answer to what
// was asked, changes nothing and shows in the status; then all goes on.
func TestAnswersOfParentsAreVerified(t *testing.T) {
	w, p := underPuppet(t)
	stranger := newParty(t, "stranger", w.Now())
	sign := func(by *party, at, until time.Duration) func(content []byte) ([]byte, error) {
		return func(content []byte) ([]byte, error) {
			l := by.write(content, w.Now().Add(at))
			l.from, l.to = w.Now().Add(-2*time.Hour), w.Now().Add(until)
			return l.sign(t), nil
		}
	}
	replace := func(old, with string) func([]byte) []byte {
		return func(content []byte) []byte { return bytes.ReplaceAll(content, []byte(old), []byte(with)) }
	}
	say := func(payload updown.Payload) func(p *puppets) {
		return func(p *puppets) { p.updown = func(_, _ updown.Payload) updown.Payload { return payload } }
	}
	twice := func(_, honest updown.Payload) updown.Payload {
		class := honest.(updown.ListResponse).Classes[0]
		return updown.ListResponse{Classes: []updown.Class{class, class}}
	}
	was, good := w.standing(), w.parentStatus()
	for name, c := range map[string]struct {
		change func(p *puppets)
		label  string
		text   string
	}{
		"no connection": {func(p *puppets) {
			p.answer = func([]byte) ([]byte, error) {
				return nil, fault.New(fault.Unavailable, "sys-http-client", "HTTP client error: refused")
			}
		}, "sys-http-client", "refused"},
		"not signed":        {func(p *puppets) { p.answer = func(content []byte) ([]byte, error) { return content, nil } }, "rfc6492-protocol", "not a CMS message"},
		"another key":       {func(p *puppets) { p.answer = sign(stranger, 0, time.Hour) }, "rfc6492-protocol", "identity key"},
		"stale":             {func(p *puppets) { p.answer = sign(p.self, -10*time.Minute, time.Hour) }, "rfc6492-protocol", "signed at"},
		"expired":           {func(p *puppets) { p.answer = sign(p.self, -time.Hour, -10*time.Minute) }, "rfc6492-protocol", "expired"},
		"in the future":     {func(p *puppets) { p.answer = sign(p.self, 10*time.Minute, time.Hour) }, "rfc6492-protocol", "future"},
		"another recipient": {func(p *puppets) { p.rewrite = replace(`recipient="me"`, `recipient="you"`) }, "rfc6492-protocol", "'you'"},
		"another sender":    {func(p *puppets) { p.rewrite = replace(`sender="p"`, `sender="q"`) }, "rfc6492-protocol", "'q'"},
		"no XML":            {func(p *puppets) { p.rewrite = func([]byte) []byte { return []byte("hello") } }, "rfc6492-protocol", "up-down message"},
		"another version":   {func(p *puppets) { p.rewrite = replace(`version="1"`, `version="9"`) }, "rfc6492-protocol", "version"},
		"a question":        {say(updown.List{}), "rfc6492-protocol", `answered with "list"`},
		"another answer":    {say(updown.RevokeResponse{Class: "a"}), "rfc6492-protocol", `answered with "revoke_response"`},
		"a class twice":     {func(p *puppets) { p.updown = twice }, "rfc6492-protocol", `class "a" twice`},
		"error 2001":        {say(updown.ErrorResponse{Status: updown.StatusInternal, Description: "oh no"}), "rfc6492-not-performed-response", "2001"},
		"error 1101":        {say(updown.ErrorResponse{Status: updown.StatusBusy}), "rfc6492-not-performed-response", "1101"},
		"error 1104":        {say(updown.ErrorResponse{Status: updown.StatusScheduled}), "rfc6492-not-performed-response", "1104"},
		"an unknown error":  {say(updown.ErrorResponse{Status: 4711}), "rfc6492-not-performed-response", "4711"},
	} {
		t.Run(name, func(t *testing.T) {
			p.set(c.change)
			w.askAgain()
			got := w.parentStatus()
			if got.Fault == nil || got.Fault.Label != c.label || !strings.Contains(got.Fault.Msg, c.text) {
				t.Errorf("status %+v, want %s with %q", got.Fault, c.label, c.text)
			}
			if got.LastSuccess == nil || !got.LastSuccess.Equal(*good.LastSuccess) || len(got.Classes) != 1 {
				t.Errorf("what the last success said is gone: %+v", got)
			}
			if now := w.standing(); now != was {
				t.Errorf("it changed %s to %s", was, now)
			}
			if next := w.nextTask("ca_ask_parent"); next > 5*time.Minute {
				t.Errorf("asked again only after %v", next)
			}
		})
	}
	p.honestly()
	w.askAgain()
	if got := w.parentStatus(); got.Fault != nil || !got.LastSuccess.After(*good.LastSuccess) {
		t.Errorf("status %+v", got)
	}
	w.NoFaults()
}

// nextTask says when ca1's task of this kind runs.
func (w *world) nextTask(kind string) time.Duration {
	w.T.Helper()
	var at time.Time
	if err := w.DB.QueryRow(w.T.Context(), "SELECT run_at FROM task WHERE kind = $1 AND key LIKE 'ca1%'", kind).Scan(&at); err != nil {
		w.T.Errorf("no task %s: %v", kind, err)
	}
	return at.Sub(w.Now())
}

// D16: a certificate is used only if it is the one that was asked for, good, and
// signed by the issuer that the parent shows.
func TestCertificatesOfParentsAreVerified(t *testing.T) {
	w, p := underPuppet(t)
	change := func(f func(c *cert.Template)) func(p *puppets, ask updown.Issue, r updown.Class) updown.Class {
		return func(p *puppets, ask updown.Issue, r updown.Class) updown.Class {
			req, err := cert.DecodeRequest(ask.CSR)
			sure(err)
			c := p.template(req)
			f(&c)
			r.Certs = []updown.Certificate{p.certificate(c)}
			return r
		}
	}
	was := w.standing()
	p.offer = set("AS65000-AS65001", "10.0.0.0/16", "") // so that it asks
	for name, c := range map[string]struct {
		twist func(p *puppets, ask updown.Issue, honest updown.Class) updown.Class
		text  string
	}{
		"another key":   {change(func(c *cert.Template) { c.PublicKey = testKey(t, "stranger").Public() }), "not the one that was requested"},
		"another place": {change(func(c *cert.Template) { c.SIA.Repository = "rsync://elsewhere.example.net/repo/" }), "not the one that was requested"},
		"another mft":   {change(func(c *cert.Template) { c.SIA.Manifest = "rsync://elsewhere.example.net/repo/x.mft" }), "not the one that was requested"},
		"over-claiming": {change(func(c *cert.Template) { c.Resources = set("AS65000", "11.0.0.0/8", "") }), "must be held by the issuer"},
		"expired":       {change(func(c *cert.Template) { c.NotBefore, c.NotAfter = w.Now().Add(-2*time.Hour), w.Now().Add(-time.Hour) }), "not valid after"},
		"not valid yet": {change(func(c *cert.Template) { c.NotBefore = w.Now().Add(time.Hour) }), "not valid before"},
		"inherits":      {change(func(c *cert.Template) { c.Inherit, c.Resources = true, set("", "", "") }), "inherits"},
		"not signed by it": {func(_ *puppets, _ updown.Issue, r updown.Class) updown.Class {
			der := r.Certs[0].DER
			der[len(der)-1] ^= 1
			return r
		}, "signature"},
		"signed by other": {func(p *puppets, ask updown.Issue, r updown.Class) updown.Class {
			req, err := cert.DecodeRequest(ask.CSR)
			sure(err)
			key := testKey(t, "stranger")
			id, err := cert.KeyIDOf(key.Public())
			sure(err)
			r.Certs[0].DER, err = cert.Sign(p.template(req), cert.Issuer{RawSubject: p.authority.RawSubject, KeyID: id, Signer: key})
			sure(err)
			return r
		}, "authority key identifier"},
		"another issuer": {func(_ *puppets, _ updown.Issue, r updown.Class) updown.Class {
			r.Issuer = r.Certs[0].DER
			return r
		}, "issuer"},
		"another class": {func(_ *puppets, _ updown.Issue, r updown.Class) updown.Class { r.Name = "b"; return r }, `class "b"`},
		"not published": {func(_ *puppets, _ updown.Issue, r updown.Class) updown.Class {
			r.Certs[0].URL = []string{"https://h.example/x.cer"}
			return r
		}, "rsync URI"},
		"no certificate": {func(_ *puppets, _ updown.Issue, r updown.Class) updown.Class {
			r.Certs[0].DER = []byte("0000")
			return r
		}, "certificate"},
		"its issuer none": {func(_ *puppets, _ updown.Issue, r updown.Class) updown.Class { r.Issuer = []byte("0000"); return r }, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			p.set(func(p *puppets) {
				p.updown = func(asked, honest updown.Payload) updown.Payload {
					if ask, ok := asked.(updown.Issue); ok {
						return updown.IssueResponse{Class: c.twist(p, ask, honest.(updown.IssueResponse).Class)}
					}
					return honest
				}
			})
			w.askAgain()
			got := w.parentStatus()
			if got.Fault == nil || got.Fault.Label != "ca-parent-sync" || !strings.Contains(got.Fault.Msg, c.text) {
				t.Errorf("status %+v, want %q", got.Fault, c.text)
			}
			if now := w.standing(); now != was {
				t.Errorf("it changed %s to %s", was, now)
			}
		})
	}
	p.honestly()
	w.askAgain()
	if got := w.parentStatus(); got.Fault != nil || !w.State("ca1").Classes["0"].Current.Cert.Resources.Equal(p.offer) {
		t.Errorf("status %+v, %+v", got, w.State("ca1").Classes["0"].Current)
	}
	w.NoFaults()
}

// D15: that a certificate cannot be stored costs nothing but time.
func TestFailureToStoreKeepsTheClass(t *testing.T) {
	w, p := underPuppet(t)
	was := w.standing()
	p.offer = set("AS65000-AS65001", "10.0.0.0/16", "")
	rename := func(from, to string) {
		if _, err := w.DB.Exec(t.Context(), "ALTER TABLE "+from+" RENAME TO "+to); err != nil {
			t.Error(err)
		}
	}
	p.set(func(p *puppets) {
		p.updown = func(asked, honest updown.Payload) updown.Payload {
			if asked.Type() == updown.TypeIssue {
				rename("der_object", "away")
			}
			return honest
		}
	})
	w.askAgain()
	rename("away", "der_object")
	if now := w.standing(); now != was {
		t.Errorf("it changed %s to %s", was, now)
	}
	if got := w.parentStatus(); got.Fault == nil || strings.Contains(got.Fault.Msg, "der_object") {
		t.Errorf("status %+v", got.Fault)
	}
	p.honestly()
	w.askAgain()
	if got := w.State("ca1").Classes["0"].Current.Cert.Resources; !got.Equal(p.offer) {
		t.Errorf("it has %v", got)
	}
	w.NoFaults()
}

// D28: a revocation that is refused does not keep a certificate from being
// renewed, and is asked for until it is done.
func TestRefusedRevocationAtARemoteParentBlocksNothing(t *testing.T) {
	w, p := underPuppet(t)
	p.set(func(p *puppets) {
		p.updown = func(asked, honest updown.Payload) updown.Payload {
			if asked.Type() == updown.TypeRevoke {
				return updown.ErrorResponse{Status: updown.StatusInternal}
			}
			return honest
		}
	})
	must(t, w.InitiateKeyRoll(t.Context(), operator, "ca1", service.AnyVersion))
	w.Settle()
	must(t, w.ActivateKeyRoll(t.Context(), operator, "ca1", service.AnyVersion))
	w.Settle()
	if c := w.State("ca1").Classes["0"]; c.Old == nil {
		t.Fatal("no key waits to be revoked")
	}
	p.mu.Lock()
	p.offer = set("AS65000-AS65001", "10.0.0.0/16", "")
	p.mu.Unlock()
	w.askAgain()
	c := w.State("ca1").Classes["0"]
	if !c.Current.Cert.Resources.Equal(p.offer) || c.Old == nil {
		t.Errorf("current %+v, old %+v", c.Current, c.Old)
	}
	if got := w.parentStatus(); got.Fault == nil || !strings.Contains(got.Fault.Msg, "2001") {
		t.Errorf("status %+v", got.Fault)
	}
	p.honestly()
	w.askAgain()
	if c := w.State("ca1").Classes["0"]; c.Old != nil {
		t.Errorf("old %+v", c.Old)
	}
	w.NoFaults()
}

// A parent that will answer later is asked again soon, and meanwhile all is as
// it was (RFC 6492 section 3.6, codes 1101 and 1104).
func TestParentThatWillAnswerLater(t *testing.T) {
	for _, status := range []updown.Status{updown.StatusBusy, updown.StatusScheduled} {
		t.Run(status.String(), func(t *testing.T) {
			w, p := underPuppet(t)
			was := w.standing()
			p.offer = set("AS65000-AS65001", "10.0.0.0/16", "")
			p.set(func(p *puppets) {
				p.updown = func(asked, honest updown.Payload) updown.Payload {
					if asked.Type() == updown.TypeIssue {
						return updown.ErrorResponse{Status: status}
					}
					return honest
				}
			})
			w.askAgain()
			if now := w.standing(); now != was {
				t.Errorf("it changed %s to %s", was, now)
			}
			if next := w.nextTask("ca_ask_parent"); next > 10*time.Minute || next < time.Minute {
				t.Errorf("asked again after %v", next)
			}
			if got := w.parentStatus(); got.Fault != nil {
				t.Errorf("status %+v", got.Fault)
			}
			p.honestly()
			w.Pass(11 * time.Minute)
			w.Settle()
			if status == updown.StatusScheduled { // its list says nothing new: the request is repeated on the next day
				if asked := p.heard(); slices.Contains(asked, updown.TypeIssue) || !slices.Contains(asked, updown.TypeList) {
					t.Errorf("soon it was asked %v", asked)
				}
				w.Pass(24 * time.Hour)
				w.Settle()
			}
			if got := w.State("ca1").Classes["0"].Current.Cert.Resources; !got.Equal(p.offer) {
				t.Errorf("it has %v", got)
			}
			w.NoFaults()
		})
	}
}

// A request that was scheduled is sent once a day (RFC 6492 section 3.4.1), also
// where the parent then says that it is at work; but at once when the parent
// lists the certificate.
func TestScheduledRequestsRest(t *testing.T) {
	w, p := underPuppet(t)
	p.offer = set("AS65000-AS65001", "10.0.0.0/16", "")
	var ready *updown.Certificate
	status := updown.StatusScheduled
	var csr []byte
	p.set(func(p *puppets) {
		p.updown = func(asked, honest updown.Payload) updown.Payload {
			switch ask := asked.(type) {
			case updown.Issue:
				csr = ask.CSR
				if ready == nil {
					return updown.ErrorResponse{Status: status}
				}
				class := honest.(updown.IssueResponse).Class
				class.Certs = []updown.Certificate{*ready}
				return updown.IssueResponse{Class: class}
			case updown.List:
				list := honest.(updown.ListResponse)
				if ready != nil {
					list.Classes[0].Certs = []updown.Certificate{*ready}
				}
				return list
			}
			return honest
		}
	})
	issues := func() (n int) {
		for _, asked := range p.heard() {
			if asked == updown.TypeIssue {
				n++
			}
		}
		return n
	}
	w.askAgain()
	status = updown.StatusBusy
	for day := range 3 {
		for range 3 {
			w.Pass(11 * time.Minute)
			w.Settle()
		}
		if n := issues(); n != day+1 {
			t.Fatalf("by day %d it was sent %d times", day, n)
		}
		w.Pass(24 * time.Hour)
		w.Settle()
	}
	before := issues()
	if w.askAgain(); issues() != before+1 {
		t.Errorf("an operator had it sent %d times, want once", issues()-before)
	}
	req, err := cert.DecodeRequest(csr)
	must(t, err)
	c := p.certificate(p.template(req))
	ready = &c
	w.Pass(11 * time.Minute)
	w.Settle()
	if got := w.State("ca1").Classes["0"].Current.Cert; !got.Resources.Equal(p.offer) || got.Hash != ca.HashOf(c.DER) {
		t.Errorf("the certificate that is listed was not fetched: %+v", got)
	}
	w.NoFaults()
}

// A refusal of a certificate does not close a class that the parent still
// offers; one that it does not offer any more is closed.
func TestClassIsClosedOnlyWhenItIsNotOffered(t *testing.T) {
	w, p := underPuppet(t)
	was := w.standing()
	p.offer = set("AS65000-AS65001", "10.0.0.0/16", "")
	refuse := func(gone bool) func(p *puppets) {
		refused := false
		return func(p *puppets) {
			p.updown = func(asked, honest updown.Payload) updown.Payload {
				switch {
				case asked.Type() == updown.TypeIssue:
					refused = true
					return updown.ErrorResponse{Status: updown.StatusNoClass}
				case refused && gone:
					return updown.ListResponse{}
				}
				return honest
			}
		}
	}
	p.set(refuse(false))
	w.askAgain()
	if now := w.standing(); now != was {
		t.Errorf("it changed %s to %s", was, now)
	}
	if got := w.parentStatus(); got.Fault == nil || !strings.Contains(got.Fault.Msg, "1201") {
		t.Errorf("status %+v", got.Fault)
	}
	p.set(refuse(true))
	w.askAgain()
	if st := w.State("ca1"); len(st.Classes) != 0 || len(w.FilesOf("ca1")) != 0 {
		t.Errorf("classes %v, published %v", st.Classes, w.FilesOf("ca1"))
	}
}

// A parent that does not answer properly is not taken.
func TestParentIsAskedBeforeItIsTaken(t *testing.T) {
	w, p := underPuppet(t)
	contact := w.State("ca1").Parents["up"]
	p.set(func(p *puppets) {
		p.answer = func([]byte) ([]byte, error) { return nil, fault.New(fault.Unavailable, "sys-http-client", "down") }
	})
	err := w.SetParent(t.Context(), operator, "ca1", "up", oob.ParentResponse{
		ParentHandle: "p", ChildHandle: "me", ServiceURI: parentURI, IDCert: newParty(t, "stranger", w.Now()).id.Raw,
	}, service.AnyVersion)
	if err == nil || fault.Of(err) == fault.NotFound {
		t.Errorf("got %v", err)
	}
	if got := w.State("ca1").Parents["up"]; !bytes.Equal(got.IDCert, contact.IDCert) {
		t.Error("the contact was changed")
	}
}
