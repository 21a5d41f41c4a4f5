package tafile_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/ta"
	"baleen/internal/tafile"
)

// recorded is when the files of testdata/krill were made.
var recorded = time.Date(2026, 11, 26, 12, 36, 0, 0, time.UTC)

func krillFile(t testing.TB, name string) []byte {
	t.Helper()
	return must(os.ReadFile(filepath.Join("testdata", "krill", name)))
}

func krillSigner(t testing.TB, name string) tafile.Signer {
	t.Helper()
	return must(tafile.DecodeSigner(krillFile(t, name), recorded))
}

func TestKrillDescribesItself(t *testing.T) {
	id := must(tafile.DecodeIdentity(krillFile(t, "proxy-id.json"), recorded))
	if got := id.KeyID.String(); got != "FA692C6D07C26004C817C4291F971BE5E107B0F5" {
		t.Errorf("proxy is %s", got)
	}
	contact := must(tafile.DecodeContact(krillFile(t, "proxy-repo.json")))
	want := ta.Repository{
		ServiceURI: "https://localhost:3977/rfc8181/ta/", SIABase: "rsync://localhost/repo/",
		NotificationURI: "https://localhost:3977/rrdp/notification.xml",
	}
	if contact.ServiceURI != want.ServiceURI || contact.SIABase != want.SIABase || contact.NotificationURI != want.NotificationURI {
		t.Errorf("got %+v", contact)
	}
	first, last := krillSigner(t, "signer-info.json"), krillSigner(t, "signer-info4.json")
	if first.TA.KeyID != last.TA.KeyID || first.Objects.Number != 1 || last.Objects.Number != 5 || len(last.Objects.Issued) != 1 {
		t.Errorf("got %+v and %+v", first.Signer, last.Signer)
	}
	if _, err := tafile.DecodeSigner(krillFile(t, "signer-info.json"), recorded.AddDate(1, 0, 0)); err == nil {
		t.Error("objects are good after a year")
	}
}

func TestKrillAsksAndAnswers(t *testing.T) {
	proxy := must(tafile.DecodeIdentity(krillFile(t, "proxy-id.json"), recorded))
	signer := krillSigner(t, "signer-info.json")
	root := signer.DER[signer.TA.Hash]
	oldKey := must(cert.ParseKeyID("069F3F4C4585EE4E8B70879FA0443B5F3EB59E08"))
	newKey := must(cert.ParseKeyID("5E8B93596DCBDC95D3276133A4EF5B8A0C5FB0D3"))
	for n, c := range map[string]struct {
		number   uint64
		key      cert.KeyID
		outcome  ta.Outcome
		issued   []cert.KeyID
		revoked  int
		children int
	}{
		"1": {2, oldKey, ta.Issued, []cert.KeyID{oldKey}, 0, 1},
		"3": {4, oldKey, ta.Revoked, []cert.KeyID{newKey}, 1, 1},
		"4": {number: 5, issued: []cert.KeyID{newKey}, revoked: 1},
	} {
		t.Run(n, func(t *testing.T) {
			ask, answer := krillFile(t, "request"+n+".json"), krillFile(t, "response"+n+".json")
			r := must(tafile.Opener{From: proxy, Now: recorded}.Request(ask))
			got := must(tafile.Opener{From: signer.Identity, Now: recorded}.Response(answer, root))
			if r.Nonce != got.Nonce || len(r.Children) != c.children || recorded.Sub(r.MadeAt).Abs() > time.Minute {
				t.Errorf("request %+v, response to %s", r, got.Nonce)
			}
			if c.children > 0 && r.Children[0].Requests[c.key].Revokes() != (c.outcome == ta.Revoked) {
				t.Errorf("request %+v", r.Children[0])
			}
			if got.Objects.Number != c.number || len(got.Objects.Issued) != len(c.issued) || len(got.Objects.Revoked) != c.revoked {
				t.Errorf("objects %+v", got.Objects)
			}
			if answer := got.Children["online"][c.key]; answer.Outcome != c.outcome {
				t.Errorf("answer %+v", answer)
			}
			for _, key := range c.issued {
				if _, ok := got.Objects.Issued[key]; !ok {
					t.Errorf("no certificate for %s", key)
				}
			}
			later := recorded.AddDate(0, 0, 15)
			if _, err := (tafile.Opener{From: proxy, Now: later}).Request(ask); err == nil {
				t.Error("the request is good for more than two weeks")
			}
			if _, err := (tafile.Opener{From: proxy}).Request(ask); err != nil {
				t.Errorf("at the time of signing: %v", err)
			}
			if _, err := (tafile.Opener{From: signer.Identity, Now: recorded}).Request(ask); err == nil {
				t.Error("the request comes from the signer too")
			}
			if _, err := (tafile.Opener{From: proxy, Now: recorded}).Response(answer, root); err == nil {
				t.Error("the response comes from the proxy too")
			}
		})
	}
}

// What another signer says is enough for our proxy to go on with it: it knows
// whose certificates are meant.
func TestProxyKnowsTheOwners(t *testing.T) {
	o := krillSigner(t, "signer-info4.json").Objects
	st := ta.ProxyState{Children: map[string]*ta.Child{"online": {Keys: map[cert.KeyID]ta.KeyUse{}}}}
	for key, c := range o.Issued {
		if c.Child != "" {
			t.Errorf("Krill says that %s is of %s", key, c.Child)
		}
		st.Children["online"].Keys[key] = ta.KeyUse{Class: ta.ClassName}
	}
	for key, c := range st.Owned(o).Issued {
		if c.Child != "online" || o.Issued[key].Child != "" {
			t.Errorf("%s is of %q, before of %q", key, c.Child, o.Issued[key].Child)
		}
	}
}
