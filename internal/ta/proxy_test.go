package ta_test

import (
	"reflect"
	"testing"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
)

// The steps that proxy stories begin with.
var (
	created   = ta.ProxyInitialized{Identity: proxyID}
	published = ta.RepositoryAdded{Repository: repo}
	signed    = ta.SignerAdded{Signer: signer(1)}
	online    = ta.ChildAdded{Child: "online", IDCert: idCert, Resources: some}
	other     = ta.ChildAdded{Child: "other", IDCert: idCert, Resources: some}
)

func ready(more ...es.Event) []es.Event {
	return append([]es.Event{created, published, signed, online, other}, more...)
}

func asks(r ta.ChildRequest) es.Event { return ta.ChildRequestAdded{Child: "online", Request: r} }

// requestOf opens exchange "n1" with these requests of the child online.
func requestOf(rs ...ta.ChildRequest) ta.SignerRequestMade {
	r := ta.Request{Nonce: "n1", MadeAt: start, Children: []ta.ChildRequests{}}
	if len(rs) > 0 {
		r.Children = append(r.Children, ta.ChildRequests{Child: "online", Resources: some, Requests: map[cert.KeyID]ta.ChildRequest{}})
	}
	for _, q := range rs {
		r.Children[0].Requests[q.KeyID] = q
	}
	return ta.SignerRequestMade{Request: r}
}

// respond answers exchange "n1" with manifest number 2.
func respond(answers map[cert.KeyID]ta.KeyResponse, issued ...ta.IssuedCert) ta.Response {
	return ta.Response{Nonce: "n1", Objects: objects(2, issued...), Children: map[string]map[cert.KeyID]ta.KeyResponse{"online": answers}}
}

func outcome(o ta.Outcome, keys ...cert.KeyID) map[cert.KeyID]ta.KeyResponse {
	answers := map[cert.KeyID]ta.KeyResponse{}
	for _, key := range keys {
		answers[key] = ta.KeyResponse{Outcome: o}
	}
	return answers
}

func received(r ta.Response) es.Event { return ta.SignerResponseReceived{Response: r} }

func TestProxySetUp(t *testing.T) {
	elsewhere := repo
	elsewhere.SIABase = "rsync://example.org/repo/"
	otherKey, newCert := signer(1), signer(1)
	otherKey.TA.KeyID = cert.KeyID{0x7B}
	newCert.TA.Hash = ta.HashOf([]byte("reissued"))
	tests := map[string]decision[ta.ProxyState]{
		"init":                    {when: ta.InitProxy{Identity: proxyID}, then: []es.Event{created}},
		"init twice":              {given: []es.Event{created}, when: ta.InitProxy{Identity: proxyID}, fault: "ta-initialized", kind: fault.Exists},
		"repository":              {given: []es.Event{created}, when: ta.AddRepository{Repository: repo}, then: []es.Event{published}},
		"repository stays":        {given: []es.Event{created, published}, when: ta.AddRepository{Repository: repo}, fault: "ta-has-repository", kind: fault.Invalid},
		"signer":                  {given: []es.Event{created, published}, when: ta.AddSigner{Signer: signer(1)}, then: []es.Event{signed}},
		"signer, no repository":   {given: []es.Event{created}, when: ta.AddSigner{Signer: signer(1)}, fault: "ta-has-no-repository", kind: fault.Invalid},
		"signer for another":      {given: []es.Event{created, ta.RepositoryAdded{Repository: elsewhere}}, when: ta.AddSigner{Signer: signer(1)}, fault: "general-error", kind: fault.Invalid},
		"second signer":           {given: []es.Event{created, published, signed}, when: ta.AddSigner{Signer: signer(1)}, fault: "ta-has-signer", kind: fault.Invalid},
		"update, new certificate": {given: ready(), when: ta.UpdateSigner{Signer: newCert}, then: []es.Event{ta.SignerUpdated{Signer: newCert}}},
		"update, nothing new":     {given: ready(), when: ta.UpdateSigner{Signer: signer(1)}},
		"update, other key":       {given: ready(), when: ta.UpdateSigner{Signer: otherKey}, fault: "ta-has-different-signer", kind: fault.Invalid},
		"update before a signer":  {given: []es.Event{created, published}, when: ta.UpdateSigner{Signer: signer(1)}, fault: "ta-has-different-signer", kind: fault.Invalid},
		"update to the past": {
			given: ready(requestOf(), received(respond(nil))), when: ta.UpdateSigner{Signer: signer(1)}, fault: "general-error", kind: fault.Invalid,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { tt.check(t, ta.ProxyType()) })
	}
}

func TestProxyChildren(t *testing.T) {
	as1 := must(resources.ParseASSet("AS1"))
	none := resources.ASSet{}
	noIP := resources.IPSet{}
	issue, wrongKey, wrongClass, unreadable := issueRequest(childKey(), ta.Limit{}), issueRequest(childKey(), ta.Limit{}), issueRequest(childKey(), ta.Limit{}), issueRequest(childKey(), ta.Limit{})
	wrongKey.KeyID, wrongClass.Class, unreadable.CSR = keyB, "0", []byte{0x30, 0x00}
	key := issue.KeyID
	has := received(respond(outcome(ta.Issued, key), record("online", key, some)))
	lost := received(respond(outcome(ta.Revoked, key)))
	own := signer(1)
	own.TA.KeyID = key
	ask := func(r ta.ChildRequest) ta.AddChildRequest { return ta.AddChildRequest{Child: "online", Request: r} }
	tests := map[string]decision[ta.ProxyState]{
		"add":              {given: []es.Event{created}, when: ta.AddChild{Child: "online", IDCert: idCert, Resources: some}, then: []es.Event{online}},
		"add twice":        {given: ready(), when: ta.AddChild{Child: "online", Resources: some}, fault: "ca-child-duplicate", kind: fault.Exists},
		"add for nothing":  {given: ready(), when: ta.AddChild{Child: "x"}, fault: "ca-child-resources-required", kind: fault.Invalid},
		"ask":              {given: ready(), when: ask(issue), then: []es.Event{asks(issue)}},
		"ask again":        {given: ready(asks(issue)), when: ask(issue)},
		"ask for our key":  {given: ready(ta.SignerUpdated{Signer: own}), when: ask(issue), fault: "key-re-use", kind: fault.Exists},
		"ask a new one":    {given: ready(requestOf(issue), has), when: ask(issue), then: []es.Event{asks(issue)}},
		"ask for less":     {given: ready(asks(issue)), when: ask(issueRequest(childKey(), ta.Limit{AS: &none})), then: []es.Event{asks(issueRequest(childKey(), ta.Limit{AS: &none}))}},
		"ask for nothing":  {given: ready(), when: ask(issueRequest(childKey(), ta.Limit{AS: &none, V4: &noIP, V6: &noIP})), fault: "rc-missing-resources", kind: fault.Invalid},
		"ask for more":     {given: ready(), when: ask(issueRequest(childKey(), ta.Limit{AS: &as1})), fault: "rfc6492-protocol", kind: fault.Invalid},
		"other class":      {given: ready(), when: ask(wrongClass), fault: "rc-unknown", kind: fault.NotFound},
		"bad CSR":          {given: ready(), when: ask(unreadable), fault: "rfc6492-invalid-csr", kind: fault.Invalid},
		"CSR of other key": {given: ready(), when: ask(wrongKey), fault: "rfc6492-invalid-csr", kind: fault.Invalid},
		"stranger":         {given: ready(), when: ta.AddChildRequest{Child: "x", Request: issue}, fault: "ca-child-unknown", kind: fault.NotFound},
		"revoked key":      {given: ready(requestOf(revokeRequest(childKey())), lost), when: ask(issue), fault: "key-re-use", kind: fault.Exists},
		"other's key":      {given: ready(requestOf(issue), has), when: ta.AddChildRequest{Child: "other", Request: issue}, fault: "key-re-use", kind: fault.Exists},
		"other asks too":   {given: ready(asks(issue)), when: ta.AddChildRequest{Child: "other", Request: issue}, fault: "key-re-use", kind: fault.Exists},
		"revoke":           {given: ready(requestOf(issue), has), when: ask(revokeRequest(childKey())), then: []es.Event{asks(revokeRequest(childKey()))}},
		"revoke unknown":   {given: ready(), when: ask(revokeRequest(childKey())), fault: "key-no-cert", kind: fault.NotFound},
		"revoke other's":   {given: ready(requestOf(issue), has), when: ta.AddChildRequest{Child: "other", Request: revokeRequest(childKey())}, fault: "key-no-cert", kind: fault.NotFound},
		"revoke too early": {given: ready(asks(issue)), when: ask(revokeRequest(childKey())), then: []es.Event{asks(revokeRequest(childKey()))}},
		"give":             {given: ready(requestOf(issue), has), when: ta.GiveChildResponse{Child: "online", KeyID: key}, then: []es.Event{ta.ChildResponseGiven{Child: "online", KeyID: key}}},
		"give nothing":     {given: ready(), when: ta.GiveChildResponse{Child: "online", KeyID: key}, fault: "ta-child-response-unknown", kind: fault.NotFound},
		"give a stranger":  {given: ready(), when: ta.GiveChildResponse{Child: "x", KeyID: key}, fault: "ca-child-unknown", kind: fault.NotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { tt.check(t, ta.ProxyType()) })
	}
}

// seen gives the request of a proxy that has a signer with this manifest number.
func seen(number uint64, r ta.SignerRequestMade) ta.SignerRequestMade {
	r.Request.Seen = number
	return r
}

func TestProxyExchange(t *testing.T) {
	issue, revoke := ta.ChildRequest{KeyID: keyA, Class: ta.ClassName, CSR: []byte{0x30}}, ta.RevokeRequest(ta.ClassName, keyB)
	opened := ready(asks(issue), asks(revoke), requestOf(issue, revoke))
	good := respond(map[cert.KeyID]ta.KeyResponse{keyA: {Outcome: ta.Issued}, keyB: {Outcome: ta.Revoked}}, record("online", keyA, some))
	held := ready(requestOf(), received(respond(outcome(ta.Issued, keyA), record("online", keyA, some))), requestOf())
	renewed, taken := respond(outcome(ta.Issued, keyA), record("online", keyA, some)), respond(outcome(ta.Revoked, keyA))
	renewed.Objects.Number, taken.Objects.Number = 3, 3
	bad := func(change func(r *ta.Response)) decision[ta.ProxyState] {
		r := respond(map[cert.KeyID]ta.KeyResponse{keyA: {Outcome: ta.Issued}, keyB: {Outcome: ta.Revoked}}, record("online", keyA, some))
		change(&r)
		return decision[ta.ProxyState]{given: opened, when: ta.ProcessSignerResponse{Response: r}, fault: "general-error", kind: fault.Invalid}
	}
	tests := map[string]decision[ta.ProxyState]{
		"request":       {given: ready(asks(issue), asks(revoke)), when: ta.MakeSignerRequest{Nonce: "n1"}, then: []es.Event{seen(1, requestOf(issue, revoke))}},
		"empty request": {given: []es.Event{created}, when: ta.MakeSignerRequest{Nonce: "n1"}, then: []es.Event{requestOf()}},
		"one at a time": {given: opened, when: ta.MakeSignerRequest{Nonce: "n2"}, fault: "ta-has-signer-req", kind: fault.Invalid},
		"no nonce":      {given: ready(), when: ta.MakeSignerRequest{}, fault: "general-error", kind: fault.Invalid},
		"response":      {given: opened, when: ta.ProcessSignerResponse{Response: good}, then: []es.Event{received(good)}},
		"not asked":     {given: ready(), when: ta.ProcessSignerResponse{Response: good}, fault: "ta-has-no-signer-req", kind: fault.Invalid},
		"no signer":     {given: []es.Event{created, requestOf()}, when: ta.ProcessSignerResponse{Response: good}, fault: "ta-has-no-signer", kind: fault.Invalid},
		"other nonce":   {given: opened, when: ta.ProcessSignerResponse{Response: ta.Response{Nonce: "n2"}}, fault: "ta-proxy-response-nonce", kind: fault.Invalid},
		"failed alone": {given: opened, when: ta.ProcessSignerResponse{Response: respond(outcome(ta.Failed, keyA, keyB))}, then: []es.Event{
			received(respond(outcome(ta.Failed, keyA, keyB))),
		}},
		"renewed unasked": {given: held, when: ta.ProcessSignerResponse{Response: renewed}, then: []es.Event{received(renewed)}},
		"revoked unasked": {given: held, when: ta.ProcessSignerResponse{Response: taken}, fault: "general-error", kind: fault.Invalid},
		"same number":     bad(func(r *ta.Response) { r.Objects.Number = 1 }),
		"no answer":       bad(func(r *ta.Response) { delete(r.Children["online"], keyB) }),
		"wrong answer":    bad(func(r *ta.Response) { r.Children["online"][keyA] = ta.KeyResponse{Outcome: ta.Revoked} }),
		"no such child": bad(func(r *ta.Response) {
			r.Children["x"] = outcome(ta.Failed, keyA)
		}),
		"unasked": bad(func(r *ta.Response) {
			r.Children["other"] = outcome(ta.Issued, cert.KeyID{5})
			r.Objects.Issued[cert.KeyID{5}] = record("other", cert.KeyID{5}, some)
		}),
		"nothing issued": bad(func(r *ta.Response) { delete(r.Objects.Issued, keyA) }),
		"other's":        bad(func(r *ta.Response) { r.Objects.Issued[keyA] = record("other", keyA, some) }),
		"over-claiming":  bad(func(r *ta.Response) { r.Objects.Issued[keyA] = record("online", keyA, resources.AllResources()) }),
		"not revoked":    bad(func(r *ta.Response) { r.Objects.Issued[keyB] = record("online", keyB, some) }),
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { tt.check(t, ta.ProxyType()) })
	}
}

// A child that asked for something else meanwhile must not get the old answer.
func TestLateRequestOutlivesTheExchange(t *testing.T) {
	none := resources.ASSet{}
	first, second := issueRequest(childKey(), ta.Limit{}), issueRequest(childKey(), ta.Limit{AS: &none})
	key := first.KeyID
	s := fold(t, ta.ProxyType(), ready(asks(first), requestOf(first), asks(second)))
	if !s.WaitsForSigner() {
		t.Error("the second request does not call for another exchange")
	}
	s = fold(t, ta.ProxyType(), ready(asks(first), requestOf(first), asks(second), received(respond(outcome(ta.Issued, key), record("online", key, some)))))
	child := s.Children["online"]
	if len(child.Responses) != 0 || !child.Requests[key].Equal(second) || !s.WaitsForSigner() {
		t.Errorf("got responses %v, requests %v", child.Responses, child.Requests)
	}
	if child.Keys[key] != (ta.KeyUse{Class: ta.ClassName}) {
		t.Errorf("key use: got %v", child.Keys[key])
	}
}

// A key that was revoked is out of use, whatever was asked for it meanwhile.
func TestRevokedKeyEndsItsRequests(t *testing.T) {
	issue := issueRequest(childKey(), ta.Limit{})
	revoke := revokeRequest(childKey())
	s := fold(t, ta.ProxyType(), ready(asks(issue), asks(revoke), requestOf(revoke), asks(issue), received(respond(outcome(ta.Revoked, issue.KeyID)))))
	if child := s.Children["online"]; len(child.Requests) != 0 || !child.Keys[issue.KeyID].Revoked {
		t.Errorf("got requests %v, keys %v", child.Requests, child.Keys)
	}
}

// After a restore the proxy learns from its signer what it forgot.
func TestUpdateSignerCatchesUp(t *testing.T) {
	issue := issueRequest(childKey(), ta.Limit{})
	s := fold(t, ta.ProxyType(), ready(asks(issue), requestOf(issue), ta.SignerUpdated{Signer: signer(5, record("online", keyA, some))}))
	if s.OpenRequest != nil || !s.WaitsForSigner() {
		t.Error("a request that the signer cannot answer any more stays open")
	}
	if _, ok := s.Children["online"].Keys[keyA]; !ok {
		t.Error("the key of an issued certificate is unknown")
	}
	revoked := fold(t, ta.ProxyType(), ready(requestOf(), received(respond(outcome(ta.Revoked, keyA))), ta.SignerUpdated{Signer: signer(5, record("online", keyA, some))}))
	if !revoked.Children["online"].Keys[keyA].Revoked {
		t.Error("a revoked key is in use again")
	}
	same := fold(t, ta.ProxyType(), ready(asks(issue), requestOf(issue), ta.SignerUpdated{Signer: signer(1)}))
	if same.OpenRequest == nil {
		t.Error("the open request got lost although the signer signed nothing")
	}
}

func TestPublished(t *testing.T) {
	if got := fold(t, ta.ProxyType(), []es.Event{created, published}).Published(); got != nil {
		t.Errorf("without signer: got %v", got)
	}
	s := fold(t, ta.ProxyType(), ready(requestOf(), received(respond(nil, record("online", keyB, some), record("online", keyA, some)))))
	var names []string
	for _, p := range s.Published() {
		names = append(names, p.Name)
	}
	want := []string{frozenTA.KeyID.String() + ".crl", frozenTA.KeyID.String() + ".mft", keyA.String() + ".cer", keyB.String() + ".cer"}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
	if got, want := s.Published()[2].Hash, [32]byte(ta.HashOf(keyA[:])); got != want {
		t.Errorf("hash: got %x, want %x", got, want)
	}
}

func TestEntitlements(t *testing.T) {
	long, short := record("online", keyA, some), record("online", keyA, some)
	long.NotAfter, short.NotAfter = start.Add(26*week+time.Second), start.Add(26*week)
	tests := map[string]struct {
		issued   []ta.IssuedCert
		notAfter time.Time
		listed   int
	}{
		"nothing issued": {nil, start.Add(52 * week), 0},
		"runs on":        {[]ta.IssuedCert{long, record("other", keyB, some)}, long.NotAfter, 1},
		"ends soon":      {[]ta.IssuedCert{short}, start.Add(52 * week), 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := fold(t, ta.ProxyType(), []es.Event{created, published, online, ta.SignerAdded{Signer: signer(1, tt.issued...)}})
			got := must(s.Entitlements("online", start, timing))
			if len(got) != 1 {
				t.Fatalf("got %d classes", len(got))
			}
			e := got[0]
			if e.Class != "default" || !e.Resources.Equal(some) || e.CertURL != frozenTA.URI || e.CertHash != frozenTA.Hash {
				t.Errorf("got %+v", e)
			}
			if !e.NotAfter.Equal(tt.notAfter) || len(e.Issued) != tt.listed {
				t.Errorf("got %v, %d listed, want %v, %d", e.NotAfter, len(e.Issued), tt.notAfter, tt.listed)
			}
		})
	}
	s := fold(t, ta.ProxyType(), []es.Event{created, online})
	if got, err := s.Entitlements("online", start, timing); err != nil || got != nil {
		t.Errorf("without signer: got %v, %v", got, err)
	}
	if _, err := s.Entitlements("x", start, timing); fault.Code(err) != "ca-child-unknown" {
		t.Errorf("stranger: got %v", err)
	}
}

// TestAnswer plays the slow flow: a child asks until the signer answered.
func TestAnswer(t *testing.T) {
	none := resources.ASSet{}
	issue, less, revoke := issueRequest(childKey(), ta.Limit{}), issueRequest(childKey(), ta.Limit{AS: &none}), revokeRequest(childKey())
	key := issue.KeyID
	fits := record("online", key, some)
	sia := childSIA(childKey())
	fits.SIA = ta.SIA{Repository: sia.Repository, Manifest: sia.Manifest, Notify: sia.Notify}
	expired := fits
	expired.NotAfter = start
	add := func(r ta.ChildRequest) es.Command[ta.ProxyState] {
		return ta.AddChildRequest{Child: "online", Request: r}
	}
	give := ta.GiveChildResponse{Child: "online", KeyID: key}
	scheduled := func(r ta.ChildRequest) ta.Answer { return ta.Answer{Code: ta.CodeScheduled, Then: add(r)} }
	answered := func(r ta.ChildRequest, o ta.Outcome, issued ...ta.IssuedCert) []es.Event {
		return ready(asks(r), requestOf(r), received(respond(outcome(o, key), issued...)))
	}
	tests := map[string]struct {
		given []es.Event
		ask   ta.ChildRequest
		want  ta.Answer
	}{
		"first":               {ready(), issue, scheduled(issue)},
		"same again":          {ready(asks(issue)), issue, ta.Answer{Code: ta.CodeAlreadyProcessing}},
		"same, with signer":   {ready(asks(issue), requestOf(issue)), issue, ta.Answer{Code: ta.CodeAlreadyProcessing}},
		"another":             {ready(asks(issue)), less, scheduled(less)},
		"issued":              {answered(issue, ta.Issued, fits), issue, ta.Answer{Issued: &fits, Then: give}},
		"issued and given":    {append(answered(issue, ta.Issued, fits), ta.ChildResponseGiven{Child: "online", KeyID: key}), issue, scheduled(issue)},
		"issued, wants less":  {answered(issue, ta.Issued, fits), less, scheduled(less)},
		"issued for other":    {answered(issue, ta.Issued, record("online", key, some)), issue, scheduled(issue)},
		"issued, expired":     {answered(issue, ta.Issued, expired), issue, scheduled(issue)},
		"issued, then revoke": {answered(issue, ta.Issued, fits), revoke, scheduled(revoke)},
		"issued, gone by":     {append(answered(issue, ta.Issued, fits), asks(less)), issue, scheduled(issue)},
		"revoked":             {answered(revoke, ta.Revoked), revoke, ta.Answer{Revoked: true, Then: give}},
		"revoked, then issue": {answered(revoke, ta.Revoked), issue, scheduled(issue)},
		"failed":              {answered(issue, ta.Failed), issue, ta.Answer{Code: ta.CodeInternal, Then: give}},
		"other class":         {answered(issue, ta.Issued, fits), ta.RevokeRequest("0", key), scheduled(ta.RevokeRequest("0", key))},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := fold(t, ta.ProxyType(), tt.given).Answer("online", tt.ask, start)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, tt.want)
			}
		})
	}
	if _, err := fold(t, ta.ProxyType(), ready()).Answer("x", issue, start); fault.Code(err) != "ca-child-unknown" {
		t.Errorf("stranger: got %v", err)
	}
	bad := issue
	bad.CSR = []byte{0x30, 0x00}
	if _, err := fold(t, ta.ProxyType(), answered(issue, ta.Issued, fits)).Answer("online", bad, start); fault.Code(err) != "rfc6492-invalid-csr" {
		t.Errorf("bad CSR: got %v", err)
	}
}

// Where the clock went back, requests still come in their order, and the signer
// takes them.
func TestRequestsKeepTheirOrderWhenTheClockGoesBack(t *testing.T) {
	s := replay(ta.ProxyType(), append(ready(), ta.SignerRequestMade{Request: asked("n1", start.Add(time.Hour))}))
	s.OpenRequest = nil // answered
	events, err := ta.MakeSignerRequest{Nonce: "n2"}.Process(s, start)
	if err != nil {
		t.Fatal(err)
	}
	next := events[0].(ta.SignerRequestMade).Request
	if !next.MadeAt.After(start.Add(time.Hour)) {
		t.Errorf("the next request was made at %v, before the last one", next.MadeAt)
	}
	signer := fold(t, ta.SignerType(), []es.Event{begun(), done("n1", start.Add(time.Hour), 2)})
	if _, err := signer.PlanRequest(next, start, timing); err != nil {
		t.Errorf("the signer refuses it: %v", err)
	}
	if _, err := signer.PlanRequest(asked("n3", start.Add(2*time.Hour)), start, timing); fault.Code(err) != "ta-request-from-future" {
		t.Errorf("one from the future: %v", err)
	}
}
