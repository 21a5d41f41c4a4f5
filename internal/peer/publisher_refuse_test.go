package peer_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"baleen/internal/fault"
	"baleen/internal/peer"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/publication"
	"baleen/internal/testworld"
)

const base = "rsync://localhost/repo/pub/"

// press is a world whose repository has a publisher pub outside, whose keys the
// test has, and another.
type press struct {
	*world
	pub, rival *party
	log        *testworld.Journal
}

func newPress(t *testing.T) press {
	t.Helper()
	w := newWorld(t)
	w.Start()
	p := press{world: w, pub: newParty(t, "pub", w.Now()), rival: newParty(t, "rival", w.Now())}
	for name, who := range map[string]*party{"pub": p.pub, "rival": p.rival} {
		r, err := w.Pubs.AddPublisher(t.Context(), operator, oob.PublisherRequest{PublisherHandle: name, IDCert: who.id.Raw})
		must(t, err)
		if name == "pub" && r.SIABase != base {
			t.Fatalf("the publisher's base is %s", r.SIABase)
		}
	}
	w.Settle()
	p.log = w.Listen()
	return p
}

func query(t *testing.T, q publication.Query) []byte {
	t.Helper()
	xml, err := q.Encode()
	must(t, err)
	return xml
}

func (p press) send(raw []byte) ([]byte, error) {
	return p.Publication(p.T.Context(), "pub", peer.Query{Body: raw, Address: "192.0.2.8", UserAgent: "pub/1"})
}

// ask sends a message of pub and gives what the repository said.
func (p press) ask(xml []byte) publication.Reply {
	p.T.Helper()
	raw, err := p.send(p.pub.write(xml, p.Now()).sign(p.T))
	if err != nil {
		p.T.Fatalf("a proved publisher got no signed answer: %v", err)
	}
	_, own, err := p.Pubs.Identity(p.T.Context())
	must(p.T, err)
	r, err := publication.DecodeReply(p.said(raw, own), publication.Limits{})
	must(p.T, err)
	return r
}

func (p press) change(changes ...publication.Change) publication.Reply {
	p.T.Helper()
	return p.ask(query(p.T, publication.Query{Changes: changes}))
}

func (p press) list() []publication.Object {
	p.T.Helper()
	return p.ask(query(p.T, publication.Query{List: true})).List
}

func hashOf(content string) *[32]byte {
	h := sha256.Sum256([]byte(content))
	return &h
}

// Who is not proved to be a publisher gets no signed answer and changes nothing;
// a line in the log says who it was and why.
func TestPublicationTurnsAway(t *testing.T) { // D3
	p := newPress(t)
	ask := query(t, publication.Query{Changes: []publication.Change{{URI: base + "a.roa", Content: []byte("a")}}})
	first := p.pub.write(ask, p.Now()).sign(t)
	_, err := p.send(first)
	must(t, err)
	p.Settle()
	stranger, now := newParty(t, "stranger", p.Now()), p.Now()
	list := query(t, publication.Query{List: true})
	for name, c := range map[string]struct {
		raw  []byte
		code string
	}{
		"nothing":                    {nil, "cms-undecodable"},
		"another kind of CMS":        {p.anObject(".mft"), "cms-wrong-content-type"},
		"wrong key":                  {stranger.write(list, now).sign(t), "cms-signer-unknown"},
		"the rival's key":            {p.rival.write(list, now).sign(t), "cms-signer-unknown"},
		"the same again":             {first, "message-replayed"},
		"an older one":               {p.pub.write(list, now.Add(-time.Minute)).sign(t), "message-replayed"},
		"expired EE certificate":     {p.pub.write(list, now.Add(-20*time.Minute)).sign(t), "cms-certificate-expired"},
		"EE certificate of tomorrow": {p.pub.write(list, now.Add(20*time.Minute)).sign(t), "cms-certificate-not-yet-valid"},
		"signed in the future": {
			letter{content: list, by: p.pub, signedAt: now.Add(6 * time.Minute), from: now.Add(-time.Hour), to: now.Add(time.Hour)}.sign(t),
			"cms-signing-time-in-future",
		},
		"signed long ago": {
			letter{content: list, by: p.pub, signedAt: now.Add(-61 * time.Minute), from: now.Add(-2 * time.Hour), to: now.Add(time.Hour)}.sign(t), "message-stale",
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := p.mark()
			p.log.Take()
			answer, err := p.send(c.raw)
			if answer != nil || fault.Code(err) != c.code {
				t.Fatalf("answered with %d octets, %v, want %s", len(answer), err, c.code)
			}
			p.log.WantLine(t, map[string]string{"level": "WARN", "peer": "pub", "remote": "192.0.2.8", "code": c.code, "fault": err.Error()})
			if after := p.mark(); after != before {
				t.Errorf("it changed %s to %s", before, after)
			}
		})
	}
	p.log.Take()
	_, err = p.Publication(t.Context(), "nobody", peer.Query{Body: p.pub.write(list, now).sign(t), Address: "192.0.2.8"})
	if fault.Code(err) != "pub-unknown" {
		t.Errorf("unknown publisher: %v", err)
	}
	p.log.WantLine(t, map[string]string{"level": "WARN", "peer": "nobody", "remote": "192.0.2.8", "code": "pub-unknown"})
	for range 3 { // several that differ, in one second
		if got := p.list(); len(got) != 1 {
			t.Errorf("got %+v", got)
		}
	}
}

// Whoever is proved to be a publisher gets a signed answer with the code of RFC
// 8181 section 2.5, the change at fault and its tag, and nothing at all is
// changed by what is refused in part (D17).
func TestPublicationRefuses(t *testing.T) {
	p := newPress(t)
	if got := p.change(publication.Change{URI: base + "a.roa", Content: []byte("a")}, publication.Change{URI: base + "b.roa", Content: []byte("b")}); !got.Success {
		t.Fatalf("got %+v", got)
	}
	p.Settle()
	good := publication.Change{Tag: "good", URI: base + "new.roa", Content: []byte("new")}
	publish := func(uri, content string, old *[32]byte) publication.Change {
		return publication.Change{Tag: "bad", URI: uri, Content: []byte(content), Hash: old}
	}
	withdraw := func(uri string, old *[32]byte) publication.Change {
		return publication.Change{Tag: "bad", URI: uri, Hash: old, Withdraw: true}
	}
	for name, c := range map[string]struct {
		bad  publication.Change
		code publication.Code
	}{
		"replace with a wrong hash":  {publish(base+"a.roa", "x", hashOf("b")), publication.CodeNoObjectMatchingHash}, // D17
		"withdraw with a wrong hash": {withdraw(base+"a.roa", hashOf("b")), publication.CodeNoObjectMatchingHash},
		"replace what is not there":  {publish(base+"c.roa", "x", hashOf("c")), publication.CodeNoObjectPresent},
		"withdraw what is not there": {withdraw(base+"c.roa", hashOf("c")), publication.CodeNoObjectPresent},
		"what is there already":      {publish(base+"a.roa", "x", nil), publication.CodeObjectAlreadyPresent},
		"even if it is the same":     {publish(base+"a.roa", "a", nil), publication.CodeObjectAlreadyPresent},
		"outside":                    {publish("rsync://localhost/repo/other/c.roa", "c", nil), publication.CodePermissionFailure},
		"the rival's":                {publish("rsync://localhost/repo/rival/c.roa", "c", nil), publication.CodePermissionFailure},
		"another host":               {publish("rsync://example.net/repo/pub/c.roa", "c", nil), publication.CodePermissionFailure},
		"the base itself":            {publish(base, "c", nil), publication.CodePermissionFailure},
		"https":                      {publish("https://localhost/repo/pub/c.roa", "c", nil), publication.CodePermissionFailure},
		"a dotted way out":           {publish(base+"../rival/c.roa", "c", nil), publication.CodePermissionFailure},
		"an encoded way out":         {publish(base+"%2e%2E/rival/c.roa", "c", nil), publication.CodePermissionFailure},
		"an encoded slash":           {publish(base+"..%2frival%2fc.roa", "c", nil), publication.CodePermissionFailure},
		"an encoded zero":            {publish(base+"c%00.roa", "c", nil), publication.CodePermissionFailure},
		"a backslash":                {publish(base+`..\c.roa`, "c", nil), publication.CodePermissionFailure},
		"an empty part":              {publish(base+"/c.roa", "c", nil), publication.CodePermissionFailure},
		"below an object":            {publish(base+"a.roa/c.roa", "c", nil), publication.CodeConsistencyProblem},
		"the same URI twice":         {publish(base+"new.roa", "c", nil), publication.CodeConsistencyProblem},
	} {
		t.Run(name, func(t *testing.T) {
			p.log.Take()
			before := p.mark()
			got := p.change(good, c.bad)
			if len(got.Errors) != 1 || got.Success {
				t.Fatalf("got %+v", got)
			}
			e := got.Errors[0]
			if e.Code != c.code || e.Text == "" {
				t.Errorf("got %+v, want %s", e, c.code)
			}
			if want := c.bad; name != "the same URI twice" && (e.Tag != "bad" || e.Failed == nil || e.Failed.URI != want.URI || !bytes.Equal(e.Failed.Content, want.Content)) {
				t.Errorf("got %+v, want the change %+v", e, want)
			}
			p.log.WantLine(t, map[string]string{"level": "INFO", "publisher": "pub", "code": string(c.code), "fault": "'"})
			if after := p.mark(); after != before {
				t.Errorf("it changed %s to %s", before, after)
			}
		})
	}
	if got := p.list(); len(got) != 2 {
		t.Errorf("now there are %+v", got)
	}
}

// What cannot be read gets xml_error, in bounded time and space.
func TestPublicationMalformed(t *testing.T) {
	p := newPress(t)
	list := query(t, publication.Query{List: true})
	many := bytes.Repeat([]byte(`<publish uri="rsync://localhost/repo/pub/x" tag=""/>`), 100_000)
	root := list[:bytes.IndexByte(list, '>')+1]
	for name, xml := range map[string][]byte{
		"nothing":          {},
		"no XML":           []byte("hello"),
		"half":             list[:len(list)-5],
		"a reply":          bytes.Replace(list, []byte(`"query"`), []byte(`"reply"`), 1),
		"another version":  bytes.Replace(list, []byte(`version="4"`), []byte(`version="3"`), 1),
		"a document type":  append([]byte(`<!DOCTYPE msg [<!ENTITY a "b">]>`), list...),
		"entities in many": append([]byte(`<!DOCTYPE msg [<!ENTITY a "&b;&b;"><!ENTITY b "&c;&c;">]>`), list...),
		"deep nesting":     append(bytes.Clone(root), bytes.Repeat([]byte("<list>"), 100_000)...),
		"list and more":    bytes.Replace(list, []byte("</msg>"), []byte(`<publish uri="rsync://localhost/repo/pub/x" tag=""/></msg>`), 1),
		"no base64":        append(append(bytes.Clone(root), `<publish uri="rsync://localhost/repo/pub/x" tag="">=</publish>`...), "</msg>"...),
		"a withdrawal without a hash": append(append(bytes.Clone(root),
			`<withdraw uri="rsync://localhost/repo/pub/x" tag=""/>`...), "</msg>"...),
	} {
		t.Run(name, func(t *testing.T) {
			p.log.Take()
			before := p.mark()
			got := p.ask(xml)
			if len(got.Errors) != 1 || got.Errors[0].Code != publication.CodeXMLError || len(got.Errors[0].Text) > 1000 {
				t.Fatalf("got %+v", got)
			}
			p.log.WantLine(t, map[string]string{"level": "INFO", "publisher": "pub", "code": "xml_error"})
			if after := p.mark(); after != before {
				t.Errorf("it changed %s to %s", before, after)
			}
		})
	}
	t.Run("100,000 changes of one object", func(t *testing.T) {
		got := p.ask(append(append(bytes.Clone(root), many...), "</msg>"...))
		if len(got.Errors) != 1 || got.Errors[0].Code != publication.CodeConsistencyProblem {
			t.Fatalf("got %+v", got)
		}
	})
	t.Run("100,000 changes", func(t *testing.T) {
		var changes []publication.Change
		for i := range 100_000 {
			changes = append(changes, publication.Change{URI: fmt.Sprint("rsync://localhost/repo/rival/", i), Content: []byte{}})
		}
		if got := p.change(changes...); len(got.Errors) != 1 || got.Errors[0].Code != publication.CodePermissionFailure {
			t.Fatalf("got %.1000v", got)
		}
	})
}

// A refusal tells a publisher nothing about the inside of the server, and no
// object that is large is sent back.
func TestPublicationHidesTheInside(t *testing.T) {
	p := newPress(t)
	large := publication.Change{Tag: "large", URI: "rsync://localhost/repo/rival/x", Content: bytes.Repeat([]byte("x"), 2<<20)}
	got := p.change(large)
	if len(got.Errors) != 1 || got.Errors[0].Tag != "large" || got.Errors[0].Failed != nil {
		t.Errorf("got %.1000v", got)
	}
	p.log.Take()
	if _, err := p.DB.Exec(t.Context(), "ALTER TABLE der_object RENAME TO away"); err != nil {
		t.Fatal(err)
	}
	got = p.change(publication.Change{URI: base + "a.roa", Content: []byte("a")})
	if len(got.Errors) != 1 || got.Errors[0].Code != publication.CodeOtherError || strings.Contains(got.Errors[0].Text, "object") {
		t.Errorf("got %+v", got)
	}
	p.log.WantLine(t, map[string]string{"level": "ERROR", "publisher": "pub", "fault": "der_object"})
}
