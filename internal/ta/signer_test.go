package ta_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
)

// begun is a signer that holds these certificates under manifest number 1.
func begun(issued ...ta.IssuedCert) ta.SignerInitialized {
	return ta.SignerInitialized{Identity: signID, ProxyID: proxyID, TA: frozenTA, TAL: frozenTAL, Objects: objects(1, issued...)}
}

func asked(nonce string, at time.Time, children ...ta.ChildRequests) ta.Request {
	return ta.Request{Nonce: nonce, MadeAt: at, Children: append([]ta.ChildRequests{}, children...)}
}

func byChild(child string, rs ...ta.ChildRequest) ta.ChildRequests {
	c := ta.ChildRequests{Child: child, Resources: some, Requests: map[cert.KeyID]ta.ChildRequest{}}
	for _, r := range rs {
		c.Requests[r.KeyID] = r
	}
	return c
}

// done is the event of an exchange without changes.
func done(nonce string, madeAt time.Time, number uint64) ta.RequestProcessed {
	r := ta.Response{Nonce: nonce, Objects: objects(number), Children: map[string]map[cert.KeyID]ta.KeyResponse{}}
	return ta.RequestProcessed{RequestMadeAt: madeAt, Response: r, ResponseHash: must(r.Hash())}
}

func TestWhatHappensOutsideAnExchange(t *testing.T) {
	reissue := ta.ReissueTA{TA: frozenTA, TAL: frozenTAL, ProxyID: signID}
	reissue.TA.URI = "rsync://example.net/ta/other.cer"
	otherKey, otherRepo := reissue, reissue
	otherKey.TA.KeyID = keyA
	otherRepo.TA.SIA.Repository = "rsync://example.net/other/"
	lost := func(nonce string, number uint64) ta.RecoverResponse {
		return ta.RecoverResponse{Response: done(nonce, start, number).Response, SignedAt: start}
	}
	once := []es.Event{begun(), done("n1", start, 2)}
	mine, nobodys := record("online", keyA, some), record("", keyA, some)
	known := func(number uint64, issued ...ta.IssuedCert) ta.RecoverObjects {
		return ta.RecoverObjects{Signer: signer(number, issued...)}
	}
	recovered := append(once[:2:2], ta.ObjectsRecovered{TA: frozenTA, TAL: frozenTAL, Objects: objects(4, mine)})
	if _, ok := fold(t, ta.SignerType(), recovered).ResponseTo("n1"); ok {
		t.Error("the last response is given with other objects")
	}
	for name, tt := range map[string]decision[ta.SignerState]{
		"reissue":                 {given: once, when: reissue, then: []es.Event{ta.TAReissued(reissue)}},
		"reissue nothing":         {when: reissue, fault: "ta-not-initialized", kind: fault.Invalid},
		"reissue another key":     {given: once, when: otherKey, fault: "general-error", kind: fault.Invalid},
		"reissue another folder":  {given: once, when: otherRepo, fault: "general-error", kind: fault.Invalid},
		"recover":                 {given: once, when: lost("n3", 4), then: []es.Event{done("n3", start, 4)}},
		"recover objects":         {given: once, when: known(4, mine), then: []es.Event{ta.ObjectsRecovered{TA: frozenTA, TAL: frozenTAL, Objects: objects(4, mine)}}},
		"old objects":             {given: once, when: known(2), fault: "general-error", kind: fault.Invalid},
		"objects of nobody":       {given: once, when: known(4, nobodys), fault: "general-error", kind: fault.Invalid},
		"objects of another":      {given: once, when: ta.RecoverObjects{Signer: ta.Signer{TA: otherKey.TA, Identity: signID}}, fault: "general-error", kind: fault.Invalid},
		"objects, no signer":      {when: known(4), fault: "ta-not-initialized", kind: fault.Invalid},
		"replay after recovery":   {given: recovered, when: ta.ProcessRequest{Request: asked("n1", start), Response: done("n1", start, 5).Response, After: 4}, fault: "ta-request-replayed", kind: fault.Exists},
		"older after recovery":    {given: recovered, when: ta.ProcessRequest{Request: asked("n0", start.Add(-1)), Response: done("n0", start, 5).Response, After: 4}, fault: "ta-request-out-of-order", kind: fault.Invalid},
		"recover nothing":         {when: lost("n3", 4), fault: "ta-not-initialized", kind: fault.Invalid},
		"recover what is old":     {given: once, when: lost("n0", 2), fault: "general-error", kind: fault.Invalid},
		"recover what is known":   {given: once, when: lost("n1", 3), fault: "general-error", kind: fault.Invalid},
		"recover without a nonce": {given: once, when: lost("", 3), fault: "general-error", kind: fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) { tt.check(t, ta.SignerType()) })
	}
}

func TestSignerCommands(t *testing.T) {
	init := ta.InitSigner(begun())
	noNumber, full := init, ta.InitSigner(begun(record("online", keyA, some)))
	noNumber.Objects.Number = 0
	process := func(nonce string, at time.Time, after uint64) ta.ProcessRequest {
		return ta.ProcessRequest{Request: asked(nonce, at), Response: done(nonce, at, after+1).Response, After: after}
	}
	once := []es.Event{begun(), done("n1", start, 2)}
	tests := map[string]decision[ta.SignerState]{
		"init":                {when: init, then: []es.Event{begun()}},
		"init twice":          {given: []es.Event{begun()}, when: init, fault: "ta-initialized", kind: fault.Exists},
		"init without number": {when: noNumber, fault: "general-error", kind: fault.Invalid},
		"init with children":  {when: full, fault: "general-error", kind: fault.Invalid},
		"first":               {given: []es.Event{begun()}, when: process("n1", start, 1), then: []es.Event{done("n1", start, 2)}},
		"second":              {given: once, when: process("n2", start, 2), then: []es.Event{done("n2", start, 3)}},
		"replayed":            {given: once, when: process("n1", start, 2), fault: "ta-request-replayed", kind: fault.Exists},
		"out of order":        {given: once, when: process("n2", start.Add(-time.Microsecond), 2), fault: "ta-request-out-of-order", kind: fault.Invalid},
		"clock skew":          {given: once, when: process("n2", start.Add(5*time.Minute), 2), then: []es.Event{done("n2", start.Add(5*time.Minute), 3)}},
		"from the future":     {given: once, when: process("n2", start.Add(6*time.Minute), 2), fault: "ta-request-from-future", kind: fault.Invalid},
		"without nonce":       {given: once, when: process("", start, 2), fault: "general-error", kind: fault.Invalid},
		"plan is stale":       {given: once, when: process("n2", start, 1), fault: "ta-plan-stale", kind: fault.Conflict},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { tt.check(t, ta.SignerType()) })
	}
	mixed := process("n2", start, 2)
	mixed.Response.Nonce = "n3"
	if _, err := mixed.Process(fold(t, ta.SignerType(), once), start); err == nil || fault.Of(err) != fault.Internal {
		t.Errorf("answer to another request: got %v", err)
	}
}

func TestExchangesAreBoundedYetNothingIsReplayed(t *testing.T) {
	given := []es.Event{begun()}
	for i := range 150 {
		given = append(given, done(fmt.Sprint("n", i), start.Add(time.Duration(i)*time.Millisecond), uint64(i+2)))
	}
	s := fold(t, ta.SignerType(), given)
	if n := len(s.Exchanges); n != 100 || s.Exchanges[99].Nonce != "n149" {
		t.Errorf("got %d exchanges, the last %v", n, s.Exchanges[n-1])
	}
	_, err := s.PlanRequest(asked("n0", start), start, timing)
	if fault.Code(err) != "ta-request-out-of-order" {
		t.Errorf("forgotten nonce: got %v", err)
	}
	last, ok := s.ResponseTo("n149")
	if hash := must(last.Hash()); !ok || hash != s.Exchanges[99].ResponseHash {
		t.Errorf("last response: got %v, hash %v, want %v", ok, hash, s.Exchanges[99].ResponseHash)
	}
	if _, ok := s.ResponseTo("n148"); ok {
		t.Error("an older response is given as if it were the last")
	}
}

func TestPlanRefusesWholeRequests(t *testing.T) {
	s := fold(t, ta.SignerType(), []es.Event{begun(), done("n1", start, 2)})
	for name, tt := range map[string]struct {
		request ta.Request
		code    string
	}{
		"replayed":     {asked("n1", start), "ta-request-replayed"},
		"out of order": {asked("n2", start.Add(-time.Second)), "ta-request-out-of-order"},
		"future":       {asked("n2", start.Add(time.Hour)), "ta-request-from-future"},
		"child twice":  {asked("n2", start, byChild("a"), byChild("a")), "general-error"},
	} {
		if _, err := s.PlanRequest(tt.request, start, timing); fault.Code(err) != tt.code {
			t.Errorf("%s: got %v, want %s", name, err, tt.code)
		}
	}
}

func TestPlanAnswersEachKeyAlone(t *testing.T) {
	as1 := must(resources.ParseASSet("AS1"))
	good := issueRequest(childKey(), ta.Limit{})
	change := func(f func(r *ta.ChildRequest)) ta.ChildRequest {
		r := issueRequest(secondKey(), ta.Limit{})
		f(&r)
		return r
	}
	own := frozenTA
	own.KeyID = idOf(secondKey())
	tests := map[string]struct {
		given   ta.SignerInitialized
		request ta.ChildRequest
		want    ta.Outcome
	}{
		"issue":           {begun(), change(func(*ta.ChildRequest) {}), ta.Issued},
		"again":           {begun(record("online", idOf(secondKey()), some)), change(func(*ta.ChildRequest) {}), ta.Issued},
		"revoke":          {begun(record("online", keyB, some)), ta.RevokeRequest(ta.ClassName, keyB), ta.Revoked},
		"revoke nothing":  {begun(), ta.RevokeRequest(ta.ClassName, keyB), ta.Revoked},
		"revoke other's":  {begun(record("other", keyB, some)), ta.RevokeRequest(ta.ClassName, keyB), ta.Failed},
		"other's key":     {begun(record("other", idOf(secondKey()), some)), change(func(*ta.ChildRequest) {}), ta.Failed},
		"trust anchor's":  {ta.SignerInitialized{TA: own, Objects: objects(1)}, change(func(*ta.ChildRequest) {}), ta.Failed},
		"unknown class":   {begun(), change(func(r *ta.ChildRequest) { r.Class = "x" }), ta.Failed},
		"beyond":          {begun(), change(func(r *ta.ChildRequest) { r.Limit.AS = &as1 }), ta.Failed},
		"unreadable":      {begun(), change(func(r *ta.ChildRequest) { r.CSR = []byte{0} }), ta.Failed},
		"key of another":  {begun(), change(func(r *ta.ChildRequest) { r.KeyID = keyA }), ta.Failed},
		"filed elsewhere": {begun(), ta.ChildRequest{KeyID: keyB, Class: ta.ClassName, CSR: good.CSR}, ta.Failed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := fold(t, ta.SignerType(), []es.Event{tt.given})
			p, err := s.PlanRequest(asked("n1", start, byChild("online", good, tt.request)), start, timing)
			if err != nil {
				t.Fatal(err)
			}
			got := p.Answers["online"]
			if got[good.KeyID].Outcome != ta.Issued || got[tt.request.KeyID].Outcome != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
			if failed := got[tt.request.KeyID].Reason != ""; failed != (tt.want == ta.Failed) {
				t.Errorf("reason: got %q", got[tt.request.KeyID].Reason)
			}
			if len(p.Keep)+len(p.Issue)+len(p.Revoked) < len(s.Objects.Issued) {
				t.Errorf("a certificate got lost: %+v", p)
			}
		})
	}
}

func TestPublicationPointEndsInASlash(t *testing.T) {
	sia := childSIA(childKey())
	sia.Repository = strings.TrimSuffix(sia.Repository, "/")
	csr := must(cert.DecodeRequest(must(cert.SignRequest(sia, childKey()))))
	s := fold(t, ta.SignerType(), []es.Event{begun()})
	p := must(s.PlanRequest(asked("n1", start, byChild("online", ta.IssueRequest(ta.ClassName, csr, ta.Limit{}))), start, timing))
	if got, want := p.Issue[0].SIA.Repository, sia.Repository+"/"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPlanOneKeyForTwoChildren(t *testing.T) {
	s := fold(t, ta.SignerType(), []es.Event{begun()})
	r := issueRequest(childKey(), ta.Limit{})
	p := must(s.PlanRequest(asked("n1", start, byChild("a", r), byChild("b", r)), start, timing))
	if p.Answers["a"][r.KeyID].Outcome != ta.Issued || p.Answers["b"][r.KeyID].Outcome != ta.Failed || len(p.Issue) != 1 {
		t.Errorf("got %v", p.Answers)
	}
}

func TestPlanRenewsRevokesAndForgets(t *testing.T) {
	until := func(child string, key cert.KeyID, serial string, notAfter time.Time) ta.IssuedCert {
		c := record(child, key, some)
		c.Serial, c.NotAfter, c.SPKI = serial, notAfter, spkiOf(childKey())
		return c
	}
	soon, late, expired := until("online", keyA, "1", start.Add(26*week)), until("online", keyB, "2", start.Add(40*week)), until("other", cert.KeyID{0xC0}, "3", start)
	given := begun(soon, late, expired)
	given.Objects.Revoked = []ta.Revocation{{Serial: "4", NotAfter: start.Add(week)}, {Serial: "5", NotAfter: start}}
	s := fold(t, ta.SignerType(), []es.Event{given})
	p := must(s.PlanRequest(asked("n1", start), start.Add(time.Millisecond), timing))

	if len(p.Issue) != 1 || p.Issue[0].KeyID != keyA || !p.Issue[0].NotAfter.Equal(start.Add(52*week)) || !p.Issue[0].Resources.Equal(some) {
		t.Errorf("renewed: got %+v", p.Issue)
	}
	if len(p.Keep) != 1 || p.Keep[keyB].Serial != "2" {
		t.Errorf("kept: got %v", p.Keep)
	}
	want := []ta.Revocation{{Serial: "4", NotAfter: start.Add(week)}, {Serial: "1", RevokedAt: start, NotAfter: soon.NotAfter}}
	if !reflect.DeepEqual(p.Revoked, want) {
		t.Errorf("revoked: got %v, want %v", p.Revoked, want)
	}
	if p.Number != 2 || p.Serials() != 2 || !p.NextUpdate.Equal(start.Add(12*week)) || p.Answers["online"][keyA].Outcome != ta.Issued {
		t.Errorf("got %+v", p)
	}
	revoke := must(s.PlanRequest(asked("n1", start, byChild("online", ta.RevokeRequest(ta.ClassName, keyA))), start, timing))
	if len(revoke.Issue) != 0 || revoke.Answers["online"][keyA].Outcome != ta.Revoked {
		t.Errorf("a key to be revoked is renewed: %+v", revoke.Issue)
	}
}

func TestNothingOutlivesTheTrustAnchor(t *testing.T) {
	given := begun()
	given.TA.NotAfter = start.Add(4 * week)
	c := record("online", keyA, some)
	c.NotAfter = given.TA.NotAfter
	given.Objects.Issued[keyA] = c
	s := fold(t, ta.SignerType(), []es.Event{given})
	p := must(s.PlanRequest(asked("n1", start, byChild("online", issueRequest(childKey(), ta.Limit{}))), start, timing))
	if len(p.Issue) != 1 || !p.Issue[0].NotAfter.Equal(given.TA.NotAfter) || !p.NextUpdate.Equal(given.TA.NotAfter) {
		t.Errorf("got %+v until %v", p.Issue, p.NextUpdate)
	}
	if s.NeedsRenewal(start, timing) {
		t.Error("a certificate that cannot last longer is to be renewed for ever")
	}
}

func TestManifestNumberOverride(t *testing.T) {
	s := fold(t, ta.SignerType(), []es.Event{begun()})
	p := must(s.PlanRequest(asked("n1", start), start, timing))
	if q := must(p.WithNumber(55)); q.Number != 55 || q.After != 1 {
		t.Errorf("got number %d after %d", q.Number, q.After)
	}
	for _, n := range []uint64{0, 1, 1 << 53} {
		if _, err := p.WithNumber(n); fault.Of(err) != fault.Invalid {
			t.Errorf("number %d: got %v", n, err)
		}
	}
	if _, err := ta.PlanInit(frozenTA, 0, start, timing); err == nil {
		t.Error("a trust anchor starts with manifest number 0")
	}
}

func TestNeedsRenewal(t *testing.T) {
	c := record("online", keyA, some)
	s := fold(t, ta.SignerType(), []es.Event{begun(c)})
	empty := fold(t, ta.SignerType(), []es.Event{begun()})
	late := begun(c)
	late.Objects.ThisUpdate, late.Objects.NextUpdate = start.Add(20*week), start.Add(40*week)
	certFirst := fold(t, ta.SignerType(), []es.Event{late})
	for name, tt := range map[string]struct {
		s    *ta.SignerState
		now  time.Time
		want bool
	}{
		"new":                  {s, start, false},
		"before half":          {empty, start.Add(6*week - time.Second), false},
		"at half":              {empty, start.Add(6 * week), true},
		"certificate lasts":    {certFirst, start.Add(26*week - time.Second), false},
		"certificate to renew": {certFirst, start.Add(26 * week), true},
	} {
		if got := tt.s.NeedsRenewal(tt.now, timing); got != tt.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestRenewalNeedsAReadableKey(t *testing.T) {
	c := record("online", keyA, some)
	c.NotAfter = start.Add(week)
	s := fold(t, ta.SignerType(), []es.Event{begun(c)})
	_, err := s.PlanRequest(asked("n1", start), start, timing)
	if err == nil || fault.Of(err) != fault.Internal || errors.Unwrap(err) == nil {
		t.Errorf("got %v", err)
	}
}
