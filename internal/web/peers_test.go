package web_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/publication"
	"baleen/internal/rpki/updown"
	"baleen/internal/testkeys"
)

// stranger is a CA of another server, with the keys of its identity and of its
// messages.
type stranger struct {
	t          *testing.T
	id         *cert.Identity
	key, speak *rsa.PrivateKey
}

func newStranger(t *testing.T) *stranger {
	t.Helper()
	s := &stranger{t: t}
	source := testkeys.Source(t)
	for _, key := range []**rsa.PrivateKey{&s.key, &s.speak} {
		k, err := source()
		s.must(err)
		*key = k
	}
	raw, err := cert.SelfSignIdentity(s.key, time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0))
	s.must(err)
	s.id, err = cert.DecodeIdentity(raw, time.Now())
	s.must(err)
	return s
}

func (s *stranger) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// sign makes a message.
func (s *stranger) sign(content []byte) []byte {
	s.t.Helper()
	now, by := time.Now(), s.id.Issuer(s.key)
	serial, err := cert.NewSerial()
	s.must(err)
	from, to := now.Add(-time.Minute), now.Add(5*time.Minute)
	ee, err := cert.SignIdentityEE(cert.Template{Serial: serial, NotBefore: from, NotAfter: to, PublicKey: s.speak.Public()}, by)
	s.must(err)
	list, err := crl.Sign(crl.Template{Number: big.NewInt(now.UnixMilli()), ThisUpdate: from, NextUpdate: to}, by)
	s.must(err)
	raw, err := cms.SignMessage(cms.MessageTemplate{Content: content, EE: ee, CRL: list, Key: s.speak, SigningTime: now})
	s.must(err)
	return raw
}

// say sends a message and gives what the signed answer of whoever has idCert says.
func (s *stranger) say(w *world, path, kind string, content, idCert []byte) []byte {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodPost, path, bytes.NewReader(s.sign(content)))
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != kind {
		s.t.Fatalf("%s: %d %v %s", path, rec.Code, rec.Header(), rec.Body)
	}
	exercised(s.t, w.server, http.MethodPost, path, rec.Code)
	m, err := cms.DecodeMessage(rec.Body.Bytes())
	s.must(err)
	id, err := cert.DecodeIdentity(idCert, time.Now())
	s.must(err)
	s.must(m.Verify(id, time.Now(), time.Minute))
	return m.Content
}

// TestPeersOverHTTP: a child and publisher of another server is registered and
// speaks both protocols, with and without the slash at the end.
func TestPeersOverHTTP(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	s := newStranger(t)
	idCert := base64.StdEncoding.EncodeToString(s.id.Raw)

	answer := w.post("/api/v1/cas/testbed/children", `{"handle":"far","resources":{"asn":"","ipv4":"10.0.0.0/8","ipv6":""},"id_cert":"`+idCert+`"}`).ok().body
	var parent oob.ParentResponse
	s.must(parent.UnmarshalJSON([]byte(answer)))
	list, err := updown.Message{Sender: "far", Recipient: "testbed", Payload: updown.List{}}.Encode()
	s.must(err)
	said, err := updown.Decode(s.say(w, "/rfc6492/testbed", "application/rpki-updown", list, parent.IDCert), updown.Limits{})
	s.must(err)
	got, ok := said.Payload.(updown.ListResponse)
	if !ok || len(got.Classes) != 1 || got.Classes[0].Resources.V4.String() != "10.0.0.0/8" {
		t.Errorf("got %+v", said.Payload)
	}

	answer = w.post("/api/v1/pubd/publishers", `{"publisher_handle":"far","id_cert":"`+idCert+`","tag":null}`).ok().body
	var repository oob.RepositoryResponse
	s.must(repository.UnmarshalJSON([]byte(answer)))
	question, err := publication.Query{List: true}.Encode()
	s.must(err)
	reply, err := publication.DecodeReply(s.say(w, "/rfc8181/far/", "application/rpki-publication", question, repository.IDCert), publication.Limits{})
	s.must(err)
	if len(reply.Errors) != 0 || len(reply.List) != 0 {
		t.Errorf("got %+v", reply)
	}
}

// TestSetUpDocumentsAsXML: the documents of RFC 8183 as other programs read them.
func TestSetUpDocumentsAsXML(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.join("ca1", resourcesOfCA1)
	child, err := oob.DecodeChildRequest([]byte(w.get("/api/v1/cas/ca1/id/child_request.xml").ok().body))
	if err != nil || child.ChildHandle != "ca1" {
		t.Errorf("got %+v, %v", child, err)
	}
	publisher, err := oob.DecodePublisherRequest([]byte(w.get("/api/v1/cas/ca1/id/publisher_request.xml").ok().body))
	if err != nil || publisher.PublisherHandle != "ca1" || !bytes.Equal(publisher.IDCert, child.IDCert) {
		t.Errorf("got %+v, %v", publisher, err)
	}
	parent, err := oob.DecodeParentResponse([]byte(w.get("/api/v1/cas/testbed/children/ca1/parent_response.xml").ok().body))
	if err != nil || parent.ChildHandle != "ca1" || parent.ParentHandle != "testbed" || parent.ServiceURI != "https://localhost:3000/rfc6492/testbed" {
		t.Errorf("got %+v, %v", parent, err)
	}
	repository, err := oob.DecodeRepositoryResponse([]byte(w.get("/api/v1/pubd/publishers/ca1/response.xml").ok().body))
	if err != nil || repository.PublisherHandle != "ca1" || repository.SIABase != "rsync://localhost/repo/ca1/" {
		t.Errorf("got %+v, %v", repository, err)
	}
}

// TestPublicationServerIsMadeOverHTTP begins with an empty server.
func TestPublicationServerIsMadeOverHTTP(t *testing.T) {
	w := newWorld(t)
	const body = `{"rrdp_base_uri":"https://localhost:3000/rrdp/","rsync_jail":"rsync://localhost/repo/"}`
	w.get("/api/v1/pubd/publishers").fails(http.StatusBadRequest, "pub-repo-not-initialized")
	w.post("/api/v1/pubd/init", body).empty()
	w.post("/api/v1/pubd/init", body).fails(http.StatusBadRequest, "pub-repo-initialized")
	if a := w.get("/api/v1/pubd/publishers").ok(); a.body != `{"publishers":[]}` {
		t.Errorf("got %s", a.body)
	}
	w.settle()
	w.ask(anybody, "GET", "/rrdp/notification.xml", "").ok()
}
