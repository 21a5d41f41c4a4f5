package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"baleen/api"
	"baleen/internal/rpki/oob"
)

// TestTagsComeBack: a parent_response has the tag of the child_request, and a
// repository_response that of the publisher_request, or none (RFC 8183 sections
// 5.2.2 and 5.2.4).
func TestTagsComeBack(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	for i, tag := range []string{"", "A0001", `<"&> ` + strings.Repeat("x", 1000)} {
		name := string(rune('a' + i))
		request := body(t, api.AddChildRequest{Handle: name, IDCert: idCert(t), Resources: as1, Tag: tag})
		for _, answer := range []string{
			w.post("/api/v1/cas/testbed/children", request).ok().body,
			w.ask(anybody, "POST", "/testbed/children", strings.Replace(request, `"handle":"`, `"handle":"testbed-`, 1)).ok().body,
		} {
			var parent oob.ParentResponse
			if err := json.Unmarshal([]byte(answer), &parent); err != nil || parent.Tag != tag {
				t.Errorf("sent %q: got %q, %v", tag, parent.Tag, err)
			}
		}
		var repository oob.RepositoryResponse
		w.post("/api/v1/pubd/publishers", body(t, oob.PublisherRequest{PublisherHandle: name, IDCert: idCert(t), Tag: tag})).json(&repository)
		if repository.Tag != tag {
			t.Errorf("sent %q: got %q", tag, repository.Tag)
		}
	}
	for _, tag := range []string{"a\u0000b", "é", strings.Repeat("x", 1025)} {
		request := body(t, api.AddChildRequest{Handle: "late", IDCert: idCert(t), Resources: as1, Tag: tag})
		w.post("/api/v1/cas/testbed/children", request).fails(http.StatusBadRequest, "api-json")
	}
}
