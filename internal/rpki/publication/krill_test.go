package publication_test

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"baleen/internal/rpki/publication"
)

func recordedWithKrill(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata/krill", name+".xml"))
	return must(t, raw, err)
}

// What Krill asks as a publisher, and what this software asked of it, is read
// as it was meant, and what is written of it again reads the same.
func TestQueriesWithKrill(t *testing.T) {
	for role, base := range map[string]string{"repository": "rsync://localhost/krill-repo/mixed1/0/", "publisher": "rsync://localhost/repo/mixed2/0/"} {
		endings := map[string][]string{"list": nil, "publish": {".crl", ".mft"}, "withdraw": {".crl", ".mft", ".roa"}}
		for kind, want := range endings {
			q, err := publication.DecodeQuery(recordedWithKrill(t, role+"/"+kind), publication.Limits{})
			if err != nil {
				t.Fatalf("%s %s: %v", role, kind, err)
			}
			if q.List != (kind == "list") {
				t.Errorf("%s %s: list %t", role, kind, q.List)
			}
			var got []string
			for _, c := range q.Changes {
				got = append(got, filepath.Ext(c.URI))
				if !strings.HasPrefix(c.URI, base) || c.Withdraw != (kind == "withdraw") || (c.Hash == nil) == c.Withdraw || (len(c.Content) == 0) != c.Withdraw {
					t.Errorf("%s %s: %+v", role, kind, c)
				}
			}
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("%s %s: objects %v, want %v", role, kind, got, want)
			}
			text, err := q.Encode()
			again, err2 := publication.DecodeQuery(must(t, text, err), publication.Limits{})
			if err2 != nil || !reflect.DeepEqual(again, q) {
				t.Errorf("%s %s: written again it reads %+v, %v", role, kind, again, err2)
			}
		}
	}
}

// What Krill answers as a repository, and what this software answered it.
func TestRepliesWithKrill(t *testing.T) {
	one, two := sha256.Sum256([]byte("first")), sha256.Sum256([]byte("second"))
	for name, want := range map[string]publication.Reply{
		"repository/success":         {Success: true},
		"publisher/success":          {Success: true},
		"repository/list_none_reply": {},
		"publisher/list_none_reply":  {},
		"refusals/list_reply": {List: []publication.Object{
			{URI: "rsync://localhost/krill-repo/golden/a.cer", Hash: one}, {URI: "rsync://localhost/krill-repo/golden/b.roa", Hash: two},
		}},
		"refusals/permission_failure": {Errors: []publication.ReportError{
			{Code: publication.CodePermissionFailure, Text: "Client does not have permission to update this URI."},
		}},
		"refusals/object_already_present": {Errors: []publication.ReportError{
			{Code: publication.CodeObjectAlreadyPresent, Text: "An object is already present at this URI, yet a \"hash\" attribute was not specified."},
		}},
		"refusals/no_object_present": {Errors: []publication.ReportError{
			{Code: publication.CodeNoObjectPresent, Text: "There is no object present at this URI, yet a \"hash\" attribute was specified."},
		}},
	} {
		r, err := publication.DecodeReply(recordedWithKrill(t, name), publication.Limits{})
		if err != nil || !reflect.DeepEqual(r, want) {
			t.Errorf("%s: got %+v, %v", name, r, err)
		}
		text, err := r.Encode()
		if again, err := publication.DecodeReply(must(t, text, err), publication.Limits{}); err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("%s: written again it reads %+v, %v", name, again, err)
		}
	}
}
