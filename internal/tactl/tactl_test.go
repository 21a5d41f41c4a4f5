package tactl_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"strings"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/ta"
)

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
}

// A trust anchor from its beginning: a child gets a certificate, and loses it.
func TestExchanges(t *testing.T) {
	w := newWorld(t)
	w.begin()
	issue := w.csr()
	w.wants(issue)
	w.request("request.json", "n1")
	_, told := w.ok("process --request @request.json", "yes", secret)
	contains(t, told, "Request n1, made 2026-11-26T12:00:00Z by proxy", "Child online, entitled to all resources",
		"issue    key "+issue.KeyID.String()+" until 2027-11-25T12:00:00Z: all resources", "Manifest and CRL number 2 (the last one was 1)",
		"to 2027-02-18T12:00:00Z", "1 certificates, 1 of them new; 0 serial numbers on the CRL")
	out, _ := w.ok("-f json last")
	w.file("response.json", []byte(out))
	w.respond("response.json")
	if got := w.proxy.Signer.Objects; got.Number != 2 || got.Issued[issue.KeyID].Child != "online" {
		t.Errorf("got %+v", got)
	}

	w.now = w.now.Add(time.Hour)
	w.wants(ta.RevokeRequest(ta.ClassName, issue.KeyID))
	w.request("request.json", "n2")
	_, told = w.ok("process --request @request.json --out @response.json --yes", secret)
	contains(t, told, "revoke   key "+issue.KeyID.String(), "1 serial numbers on the CRL", "now revoked: serial number ")
	w.respond("response.json")
	w.now = w.now.Add(time.Hour)
	w.exchange(3)

	out, _ = w.ok("exchanges")
	contains(t, out, "request n1  manifest number 2", "issued   key", "revoked  key", "request nonce-3  manifest number 4")
	var pairs []struct{ Time, Request, Response json.RawMessage }
	out, _ = w.ok("-f json exchanges")
	if err := json.Unmarshal([]byte(out), &pairs); err != nil || len(pairs) != 3 {
		t.Errorf("got %d pairs, %v", len(pairs), err)
	}
	out, _ = w.ok("show")
	contains(t, out, "manifest number    4", "revoked            1", "https://example.net/ta/ta.cer\nrsync://example.net/ta/ta.cer\n\nMII")
	out, _ = w.ok("last")
	contains(t, out, "nonce-3")
	out, _ = w.ok("verify --keys", secret)
	contains(t, out, "4 records", "manifest number 4: all is well", "the passphrase opens the keys")
}

func TestInitRefuses(t *testing.T) {
	w := newWorld(t)
	w.refused("nothing was signed", initLine, "no")
	w.refused("the two passphrases differ", initLine, "yes", secret, secret+"r")
	w.refused("at least 12 characters", initLine, "yes", "short")
	w.refused("is not an rsync URI", strings.Replace(initLine, "rsync://example.net/ta", "https://example.net/ta", 1))
	w.refused("is not an https URI", strings.Replace(initLine, "--tal-https https", "--tal-https http", 1))
	w.refused("Invalid JSON", strings.Replace(initLine, "@proxy-id", "@proxy-repo", 1))
	w.refused("nobody answers", initLine)
	w.refused("there is no signer in this folder", "show")
	w.refused("must be above 0 and at most", initLine+" --initial-manifest-number 9007199254740992")
	w.env["BALEEN_TA_TIMING_MFT_NEXT_UPDATE_WEEKS"] = "0"
	w.refused("BALEEN_TA_TIMING_MFT_NEXT_UPDATE_WEEKS must be a number from 1", initLine)
	w.env = map[string]string{"BALEEN_TA_TIMING_ISSUED_CERTIFICATE_VALIDITY_WEEKS": "20"}
	w.refused("must be less than", initLine)
	w.env = nil
	if inside := must(os.ReadDir(w.dir)); len(inside) != 2 {
		t.Errorf("left behind: %v", inside)
	}
	w.begin()
	w.refused("is not empty", initLine)
	w.refused("there was no exchange yet", "last")
}

func TestRequestsRefused(t *testing.T) {
	w := newWorld(t)
	w.begin()
	w.wants(w.csr())
	w.request("request.json", "n1")
	w.refused("nothing was signed", "process -r @request.json", "no")
	w.refused("the passphrase is wrong", "process -r @request.json", "yes", secret+"!")
	w.refused("must be above 1", "process -r @request.json --ta-mft-number-override 1")

	file := string(must(os.ReadFile(w.path("request.json"))))
	w.file("edited.json", []byte(strings.Replace(file, `"::/0"`, `"2001:db8::/32"`, 1)))
	w.refused("the file was edited", "process -r @edited.json")
	at := strings.Index(file, `"message": "`) + 2000
	w.file("damaged.json", []byte(file[:at]+"AAAAAAAA"+file[at+8:]))
	w.refused("Fetch it from the proxy once more", "process -r @damaged.json")

	other := newWorld(t)
	other.proxyKey, other.child = other.child, other.proxyKey
	other.proxy.Identity = ta.Identity{KeyID: must(cert.KeyIDOf(other.proxyKey.Public())), Cert: must(cert.SelfSignIdentity(other.proxyKey, start.Add(-time.Hour), start.AddDate(1, 0, 0)))}
	other.request("request.json", "n1")
	w.file("other.json", must(os.ReadFile(other.path("request.json"))))
	w.refused("It was not made by this signer's proxy", "process -r @other.json")

	w.now = start.AddDate(0, 0, 15)
	w.refused("Fetch the request from the proxy once more", "process -r @request.json")
	w.now = start.Add(-time.Hour)
	w.refused("Is the clock of this machine wrong?", "process -r @request.json")
	w.now = start

	w.ok("process -r @request.json -o @response.json", "yes", secret)
	w.refused("was already processed\nThe answer is there already: `baleen-ta last", "process -r @request.json")
	w.respond("response.json")
	w.request("old.json", "n2")
	w.proxy.OpenRequest = nil
	w.now = w.now.Add(time.Minute)
	w.exchange(3)
	w.refused("before the last one that was processed\nFetch the open request", "process -r @old.json")
}

// A signer that was restored from an old copy is told so, and how to go on.
func TestOldCopies(t *testing.T) {
	w := newWorld(t)
	w.begin()
	w.copyFolder("signer", "backup")
	w.wants(w.csr())
	w.exchange(1)
	w.exchange(2)
	newest := w.proxy.Signer.Objects
	w.copyFolder("signer", "newest")

	w.copyFolder("backup", "signer")
	w.request("request.json", "n3")
	w.refused("lacks exchanges\n1. Restore the newest backup", "process -r @request.json")
	w.refused("it is no response of this signer", "recover --response @request1.json")
	w.ok("recover --response @response2.json")
	w.refused("knows number 3 already", "recover --response @response1.json")
	w.ok("verify")
	w.ok("process -r @request.json -o @response.json", "yes", secret)
	w.respond("response.json")
	if got := w.proxy.Signer.Objects; got.Number != newest.Number+1 || len(got.Issued) != 1 {
		t.Errorf("after the recovery %+v", got)
	}

	out, _ := w.ok("-f json show")
	w.file("info.json", []byte(out))
	w.copyFolder("backup", "signer")
	w.refused("that is another signer", "recover --signer-info @"+w.other("info.json"))
	_, told := w.ok("recover --signer-info @info.json")
	contains(t, told, "child online, key ", "the signer is at manifest number 4")
	w.refused("knows number 4 already", "recover --signer-info @info.json")
	w.ok("verify")
	w.exchange(4)
}

// Where nothing was lost but numbers, another number is enough.
func TestLostNumbers(t *testing.T) {
	w := newWorld(t)
	w.begin()
	w.copyFolder("signer", "backup")
	w.exchange(1)
	w.exchange(2)
	w.copyFolder("backup", "signer")
	w.request("request.json", "n3")
	w.refused("lacks exchanges", "process -r @request.json --ta-mft-number-override 3")
	_, told := w.ok("process -r @request.json -o @response.json --ta-mft-number-override 10", "yes", secret)
	contains(t, told, "WARNING: 8 numbers are left out.")
	w.respond("response.json")
	out, _ := w.ok("last")
	contains(t, out, "manifest number 10 was asked for after 1")
}

// other gives the name of a copy of a file about another signer.
func (w *world) other(name string) string {
	w.t.Helper()
	o := newWorld(w.t)
	o.begin()
	out, _ := o.ok("-f json show")
	w.file("other-"+name, []byte(out))
	return "other-" + name
}

func TestCutLog(t *testing.T) {
	w := newWorld(t)
	w.begin()
	before := w.log()
	w.exchange(1)
	w.file("signer/log.jsonl", before)
	w.refused("the log was cut; restore the newest backup of the whole folder", "show")
}

func TestReissue(t *testing.T) {
	w := newWorld(t)
	w.begin()
	w.exchange(1)
	key := w.proxy.Signer.TA.KeyID
	w.now = w.now.AddDate(1, 0, 0)
	w.refused("nothing was signed", "reissue --tal-https https://other.example/ta.cer", "no")
	_, told := w.ok("reissue --tal-https https://other.example/ta.cer --tal-https https://example.net/ta/ta.cer", "yes", secret)
	contains(t, told, "key "+key.String(), "https://other.example/ta.cer\n                 https://example.net/ta/ta.cer\n                 rsync://example.net/ta/ta.cer")
	w.exchangeAfterReissue()
	if got := w.proxy.Signer; got.TA.KeyID != key || len(got.TAL.HTTPS) != 2 || !got.TA.NotBefore.After(start.AddDate(0, 11, 0)) {
		t.Errorf("got %+v", got)
	}
	w.ok("verify")
}

// exchangeAfterReissue brings a fresh manifest first: the old one is over.
func (w *world) exchangeAfterReissue() {
	w.t.Helper()
	w.request("request.json", "after")
	w.ok("process -r @request.json -o @response.json", "yes", secret)
	w.meet()
}

func TestImportedKeys(t *testing.T) {
	key := must(newWorld(t).source())
	pkcs8 := must(x509.MarshalPKCS8PrivateKey(key))
	for kind, der := range map[string][]byte{"RSA PRIVATE KEY": x509.MarshalPKCS1PrivateKey(key), "PRIVATE KEY": pkcs8} {
		w := newWorld(t)
		w.file("key.pem", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
		w.ok(initLine+" --private-key-pem @key.pem --initial-manifest-number 700", "yes", secret, secret)
		w.meet()
		if got := w.proxy.Signer; got.TA.KeyID != must(cert.KeyIDOf(key.Public())) || got.Objects.Number != 700 {
			t.Errorf("%s: got %+v", kind, got)
		}
	}
	w := newWorld(t)
	w.file("key.pem", pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: pkcs8}))
	w.refused("is encrypted", initLine+" --private-key-pem @key.pem")
	w.file("key.pem", []byte("nothing"))
	w.refused("has no private key in PEM", initLine+" --private-key-pem @key.pem")
	if err := os.Chmod(w.path("key.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.refused("others may read", initLine+" --private-key-pem @key.pem")
}

func TestPassphraseChanges(t *testing.T) {
	w := newWorld(t)
	w.begin()
	w.refused("the passphrase is wrong", "passphrase", "nonsense")
	w.ok("passphrase", secret, "another passphrase", "another passphrase")
	w.request("request.json", "n1")
	w.refused("the passphrase is wrong", "process -r @request.json", "yes", secret)
	w.ok("process -r @request.json", "yes", "another passphrase")
}

// What the trust anchor says of its keys reaches the proxy, and goes again.
func TestAnnounce(t *testing.T) {
	w, next := newWorld(t), newWorld(t)
	w.begin()
	next.file("key.pem", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(w.child)})) // a key that w does not sign with
	next.ok(initLine+" --private-key-pem @key.pem", "yes", secret, secret)
	next.meet()
	w.file("next.tal", next.proxy.Signer.TAL.Encode())
	w.file("broken.tal", []byte("ftp://example.net/ta.cer\n\nAAAA"))
	w.refused("RFC 8630", "announce --successor @broken.tal")
	w.refused("nothing was announced", "announce --off")
	w.ok("announce --comment ours --successor @next.tal")
	w.request("request.json", "n1")
	_, told := w.ok("process -r @request.json -o @response.json", "yes", secret)
	contains(t, told, "Trust anchor keys: "+w.proxy.Signer.TA.KeyID.String()+" is the current one, "+next.proxy.Signer.TA.KeyID.String()+" after it")
	w.respond("response.json")
	if files := w.proxy.Published(); len(files) != 3 || w.proxy.Signer.Objects.Keys == nil {
		t.Errorf("published %v", files)
	}
	out, _ := w.ok("show")
	contains(t, out, "announces          its key, "+next.proxy.Signer.TA.KeyID.String()+" after it")
	w.meet()
	w.ok("announce --off")
	w.now = w.now.Add(time.Hour)
	w.exchange(2)
	if files := w.proxy.Published(); len(files) != 2 || len(w.proxy.Signer.Objects.Revoked) != 1 {
		t.Errorf("published %v", files)
	}
	w.ok("verify")
}
