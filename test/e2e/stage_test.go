package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"baleen/api"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/manifest"
)

// holds is what a parent gives to a child, in the text forms of the API.
type holds struct {
	ASN  string `json:"asn"`
	IPv4 string `json:"ipv4"`
	IPv6 string `json:"ipv6"`
}

// stage is a server on which scenarios are played one after the other, each
// with CAs of its own.
type stage struct{ operator }

// settle waits until all that was promised is published.
func (s stage) settle() {
	s.t.Helper()
	settle(s.ctx, s.t, s.Server)
}

// create makes a CA that publishes at a server under its own name.
func (s stage) create(ca string, at stage) {
	s.t.Helper()
	s.done(http.MethodPost, "/api/v1/cas", map[string]string{"handle": ca})
	s.publishAs(ca, ca, at)
}

// publishAs lets a CA publish at a server under a name.
func (s stage) publishAs(ca, publisher string, at stage) {
	s.t.Helper()
	var request map[string]any
	s.read("/api/v1/cas/"+ca+"/id/publisher_request.json", &request)
	request["publisher_handle"] = publisher
	response := at.json(http.MethodPost, "/api/v1/pubd/publishers", request)
	if again := at.get("/api/v1/pubd/publishers/" + publisher + "/response.json"); string(again) != string(response) {
		s.t.Errorf("the repository's response is another one when asked again: %s, then %s", response, again)
	}
	s.done(http.MethodPost, "/api/v1/cas/"+ca+"/repo", `{"repository_response":`+string(response)+`}`)
}

// under makes a CA the child of another one on a server.
func (s stage) under(ca, parent string, res holds, at stage) {
	s.t.Helper()
	response := s.admit(ca, parent, res, at)
	s.done(http.MethodPost, "/api/v1/cas/"+ca+"/parents", `{"handle":"`+parent+`","response":`+response+`}`)
	s.settle()
	at.settle()
}

// admit lets a CA on a server take in a child, and gives its response.
func (s stage) admit(ca, parent string, res holds, at stage) (response string) {
	s.t.Helper()
	var request struct {
		IDCert string `json:"id_cert"`
	}
	s.read("/api/v1/cas/"+ca+"/id/child_request.json", &request)
	return string(at.json(http.MethodPost, "/api/v1/cas/"+parent+"/children", map[string]any{"handle": ca, "resources": res, "id_cert": request.IDCert}))
}

// cast makes a CA that publishes here, below another one of this server.
func (s stage) cast(ca, parent string, res holds) {
	s.t.Helper()
	s.create(ca, s)
	s.under(ca, parent, res, s)
}

// resize changes what a child gets.
func (s stage) resize(parent, child string, res holds) {
	s.t.Helper()
	s.done(http.MethodPost, "/api/v1/cas/"+parent+"/children/"+child, map[string]any{"resources": res})
	s.settle()
}

// roll starts or ends a key roll.
func (s stage) roll(ca, step string) {
	s.t.Helper()
	s.done(http.MethodPost, "/api/v1/cas/"+ca+"/keys/roll_"+step, nil)
	s.settle()
}

func (s stage) read(path string, into any) {
	s.t.Helper()
	if err := json.Unmarshal(s.get(path), into); err != nil {
		s.t.Fatalf("GET %s: %v", path, err)
	}
}

// info is what the API shows of a CA.
func (s stage) info(ca string) (info api.CAInfo) {
	s.t.Helper()
	s.read("/api/v1/cas/"+ca, &info)
	return info
}

// holds wants a CA to have received exactly these resources.
func (s stage) holds(ca string, want holds) {
	s.t.Helper()
	var got struct {
		Resources holds `json:"resources"`
	}
	s.read("/api/v1/cas/"+ca, &got)
	if got.Resources != want {
		s.t.Errorf("%s holds %+v, want %+v", ca, got.Resources, want)
	}
}

// keys gives the state of the keys of a CA's class.
func (s stage) keys(ca, class string) api.KeyState {
	s.t.Helper()
	info := s.info(ca)
	c, ok := info.ResourceClasses[class]
	if !ok {
		s.t.Fatalf("%s has no class %s: %v", ca, class, info.ResourceClasses)
	}
	return c.Keys
}

// active gives the key of a class in the ordinary state.
func (s stage) active(ca, class string) api.CertifiedKeyInfo {
	s.t.Helper()
	k := s.keys(ca, class)
	if k.Active == nil {
		s.t.Fatalf("class %s of %s is not active: %+v", class, ca, k)
	}
	return k.Active.ActiveKey
}

// rolling gives both keys of a class whose new key waits for its activation.
func (s stage) rolling(ca, class string) api.KeysRollNew {
	s.t.Helper()
	k := s.keys(ca, class)
	if k.RollNew == nil {
		s.t.Fatalf("class %s of %s has no new key: %+v", class, ca, k)
	}
	return *k.RollNew
}

// classes names the classes of a CA.
func (s stage) classes(ca string) []string {
	s.t.Helper()
	var names []string
	for name := range s.info(ca).ResourceClasses {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ownOf names the manifest and the CRL of a key.
func ownOf(class string, k api.CertifiedKeyInfo) []string {
	return []string{class + "/" + k.KeyID + ".crl", class + "/" + k.KeyID + ".mft"}
}

// files gives what a publisher has here, by name below its base.
func (s stage) files(publisher string) map[string][]byte {
	s.t.Helper()
	var details api.PublisherDetails
	s.read("/api/v1/pubd/publishers/"+publisher, &details)
	out := map[string][]byte{}
	for _, f := range details.CurrentFiles {
		name, ok := strings.CutPrefix(f.URI, details.BaseURI)
		if !ok {
			s.t.Errorf("%s is not below %s", f.URI, details.BaseURI)
		}
		out[name] = f.Base64
	}
	return out
}

// publishes wants a publisher to have exactly these files.
func (s stage) publishes(publisher string, want ...[]string) {
	s.t.Helper()
	var got []string
	for name := range s.files(publisher) {
		got = append(got, name)
	}
	slices.Sort(got)
	all := slices.Concat(want...)
	slices.Sort(all)
	if !slices.Equal(got, all) {
		s.t.Errorf("%s publishes\n  %s\nwant\n  %s", publisher, strings.Join(got, "\n  "), strings.Join(all, "\n  "))
	}
}

// lists wants the manifest of a key to have this number and to list exactly the
// key's CRL and these files.
func (s stage) lists(publisher, class string, k api.CertifiedKeyInfo, number string, want ...string) {
	s.t.Helper()
	obj, err := cms.Decode(s.files(publisher)[class+"/"+k.KeyID+".mft"])
	if err != nil {
		s.t.Fatalf("the manifest of %s: %v", publisher, err)
	}
	m, err := manifest.Decode(obj.Content)
	if err != nil {
		s.t.Fatalf("the manifest of %s: %v", publisher, err)
	}
	var got []string
	for _, f := range m.Files {
		got = append(got, f.Name)
	}
	slices.Sort(got)
	want = append([]string{k.KeyID + ".crl"}, want...)
	slices.Sort(want)
	if m.Number.String() != number || !slices.Equal(got, want) {
		s.t.Errorf("the manifest of %s has number %s and lists %q, want number %s and %q", publisher, m.Number, got, number, want)
	}
}

// routes changes the ROAs of a CA, given in the form "10.0.0.0/16-24 => 64496".
func (s stage) routes(ca string, added, removed []string) {
	s.t.Helper()
	s.done(http.MethodPost, "/api/v1/cas/"+ca+"/routes", map[string]any{"added": routesOf(added), "removed": routesOf(removed)})
	s.settle()
}

func routesOf(texts []string) []map[string]any {
	out := []map[string]any{}
	for _, text := range texts {
		text, comment, commented := strings.Cut(text, " # ")
		var prefix string
		var length, asn int
		if _, err := fmt.Sscanf(strings.Replace(text, "-", " ", 1), "%s %d => %d", &prefix, &length, &asn); err != nil {
			panic(text + ": " + err.Error())
		}
		r := map[string]any{"prefix": prefix, "max_length": length, "asn": asn}
		if commented {
			r["comment"] = comment
		}
		out = append(out, r)
	}
	return out
}

// configured gives the ROAs of a CA in that form, sorted.
func (s stage) configured(ca string) []string {
	s.t.Helper()
	var list []struct {
		ASN       int     `json:"asn"`
		Prefix    string  `json:"prefix"`
		MaxLength int     `json:"max_length"`
		Comment   *string `json:"comment"`
	}
	s.read("/api/v1/cas/"+ca+"/routes", &list)
	var out []string
	for _, r := range list {
		text := fmt.Sprintf("%s-%d => %d", r.Prefix, r.MaxLength, r.ASN)
		if r.Comment != nil {
			text += " # " + *r.Comment
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

// simple names the ROA object of one route.
func simple(route string) string { return fmt.Sprintf("0/%x.roa", route) }

// wants compares two lists, whatever their order.
func (s stage) wants(what string, got []string, want ...string) {
	s.t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// valid wants a relying party to take everything that is published.
func (s stage) valid() {
	s.t.Helper()
	if _, err := s.VRPs(s.ctx); err != nil {
		s.t.Error(err)
	}
}
