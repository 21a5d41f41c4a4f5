package e2e

import (
	"bytes"
	"net/http"
	"strings"

	"baleen/api"
	"baleen/internal/rpki/oob"
	"baleen/test/harness"
)

// anybody sends what is open to everybody: there is no token.
func (s stage) anybody(method, path string, body []byte) harness.Answer {
	s.t.Helper()
	a, err := s.Ask(s.ctx, harness.Request{Method: method, Path: path, Body: bytes.NewReader(body)})
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	if a.Status != http.StatusOK {
		s.t.Fatalf("%s %s: got %s, want 200", method, path, show(a))
	}
	return a
}

// everybodysTestbed has somebody without a token register a CA and a publisher
// with the testbed, use them, and remove them again.
func everybodysTestbed(s stage) {
	s.anybody(http.MethodGet, "/testbed/enabled", nil)
	s.shows("/api/v1/pubd/publishers", `{"publishers":[{"handle":"ta"},{"handle":"testbed"}]}`)
	s.done(http.MethodPost, "/api/v1/cas", `{"handle":"t13"}`)
	s.wants("children of the testbed before", s.info("testbed").Children)

	var request struct {
		IDCert string `json:"id_cert"`
	}
	s.read("/api/v1/cas/t13/id/child_request.json", &request)
	s.anybody(http.MethodPost, "/testbed/children", []byte(`{"handle":"t13","resources":{"asn":"AS1","ipv4":"","ipv6":""},"id_cert":"`+request.IDCert+`"}`))
	s.wants("children of the testbed", s.info("testbed").Children, "t13")
	if parents := s.info("t13").Parents; len(parents) != 0 {
		s.t.Errorf("the CA has parents already: %v", parents)
	}
	response := s.anybody(http.MethodGet, "/testbed/children/t13/parent_response.xml", nil).Body
	if r, err := oob.DecodeParentResponse(response); err != nil || r.ParentHandle != "testbed" || r.ChildHandle != "t13" {
		s.t.Errorf("the parent's response is %+v (%v): %s", r, err, response)
	}
	s.done(http.MethodPost, "/api/v1/cas/t13/parents/testbed", string(response))
	if parents := s.info("t13").Parents; len(parents) != 1 || parents[0] != (api.ParentInfo{Handle: "testbed", Kind: "rfc6492"}) {
		s.t.Errorf("the CA has the parents %v", parents)
	}

	s.anybody(http.MethodPost, "/testbed/publishers", s.get("/api/v1/cas/t13/id/publisher_request.json"))
	response = s.anybody(http.MethodGet, "/testbed/publishers/t13/response.xml", nil).Body
	if r, err := oob.DecodeRepositoryResponse(response); err != nil || r.PublisherHandle != "t13" {
		s.t.Errorf("the repository's response is %+v (%v): %s", r, err, response)
	}
	s.shows("/api/v1/pubd/publishers", `{"publishers":[{"handle":"t13"},{"handle":"ta"},{"handle":"testbed"}]}`)
	s.done(http.MethodPost, "/api/v1/cas/t13/repo", string(response))
	s.shows("/api/v1/cas/t13/repo", `{"contact":{"repo_info":{"sia_base":"rsync://localhost/repo/t13/","rrdp_notification_uri":"`+s.PublicURI()+`rrdp/notification.xml"},`+
		`"server_info":{"public_key":"~.+","service_uri":"`+s.PublicURI()+`rfc8181/t13/"}}}`)
	s.settle()
	s.holds("t13", holds{ASN: "AS1"})
	s.publishes("t13", ownOf("0", s.active("t13", "0")))

	s.anybody(http.MethodDelete, "/testbed/publishers/t13", nil)
	s.anybody(http.MethodDelete, "/testbed/children/t13", nil)
	s.shows("/api/v1/pubd/publishers", `{"publishers":[{"handle":"ta"},{"handle":"testbed"}]}`)
	s.wants("children of the testbed in the end", s.info("testbed").Children)
	one, other := s.anybody(http.MethodGet, "/testbed.tal", nil).Body, s.anybody(http.MethodGet, "/ta/ta.tal", nil).Body
	if !bytes.Equal(one, other) || !strings.HasPrefix(string(one), s.PublicURI()+"ta/ta.cer\n") {
		s.t.Errorf("the trust anchor's locator is at one place\n%s, at another\n%s", one, other)
	}
	s.done(http.MethodDelete, "/api/v1/cas/t13", nil) // nobody knows it any more
	s.settle()
}
