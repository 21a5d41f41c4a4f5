package checklist_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"baleen/internal/checklist"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/manifest"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/rsc"
	"baleen/internal/rpki/tal"
)

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

const (
	repo  = "rsync://rpki.example.net/repo/"
	taURI = "rsync://rpki.example.net/ta/ta.cer"
	taURL = "https://rpki.example.net/ta/ta.cer" // which a folder without URI has as well
)

func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// keys are the four that tests of signed objects have; tests go to other folders.
var keys = sync.OnceValues(func() (map[string]*rsa.PrivateKey, error) {
	all := map[string]*rsa.PrivateKey{}
	for name, file := range keyFiles {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		block, _ := pem.Decode(text)
		k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		all[name] = k.(*rsa.PrivateKey)
	}
	return all, nil
})

var keyFiles = func() map[string]string {
	files := map[string]string{}
	for _, name := range []string{"ta", "other", "ca", "ee"} {
		files[name], _ = filepath.Abs(filepath.Join("..", "rpki", "cms", "testdata", "keys", name+".pem"))
	}
	return files
}()

func key(t testing.TB, name string) *rsa.PrivateKey {
	t.Helper()
	return must(keys())(t)[name]
}

func held(t testing.TB, as, v4, v6 string) resources.Set {
	t.Helper()
	return resources.Set{
		AS: must(resources.ParseASSet(as))(t),
		V4: must(resources.ParseIPSet(v4, resources.IPv4))(t),
		V6: must(resources.ParseIPSet(v6, resources.IPv6))(t),
	}
}

// authority is a CA as it is to be made: "ta", which certifies "mid", which
// certifies "ca", which signs the checklist.
type authority struct {
	name   string
	cert   cert.Template
	crl    crl.Template
	mft    manifest.Manifest // Files is filled in
	mftEE  cert.Template
	hidden bool // its certificate is not on the manifest of its issuer
	noCRL  bool // its CRL is not on its manifest
}

func (a *authority) uri(ext string) string { return repo + a.name + "/" + a.name + ext }

// plan is everything as it is to be made, for tests to change.
type plan struct {
	ta, mid, ca *authority
	ee          cert.Template
	list        rsc.Checklist
	signer      string // name of the key that signs the EE certificate of the checklist
}

func newPlan(t testing.TB) *plan {
	t.Helper()
	p := &plan{ta: newAuthority(t, "ta", 1), mid: newAuthority(t, "mid", 2), ca: newAuthority(t, "ca", 3), signer: "ca"}
	p.ta.cert.Resources, p.ta.cert.AIA, p.ta.cert.CRLDP = resources.AllResources(), "", ""
	p.mid.cert.AIA, p.mid.cert.CRLDP, p.mid.cert.Inherit = taURI, p.ta.uri(".crl"), true
	p.ca.cert.AIA, p.ca.cert.CRLDP = repo+"ta/mid.cer", p.mid.uri(".crl")
	p.ca.cert.Resources = held(t, "AS64496-AS64511", "192.0.2.0/24", "2001:db8::/32")
	p.list = rsc.Checklist{Resources: held(t, "AS64496", "192.0.2.0/24", ""), Files: []rsc.File{
		{Name: "letter.pdf", Hash: sha256.Sum256([]byte("letter"))},
		{Name: "annex.txt", Hash: sha256.Sum256([]byte("annex"))},
		{Hash: sha256.Sum256([]byte("secret"))},
	}}
	p.ee = cert.Template{
		Serial: big.NewInt(77), NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 1, 0), PublicKey: key(t, "ee").Public(), Unpublished: true,
		CRLDP: p.ca.uri(".crl"), AIA: repo + "mid/ca.cer", Resources: p.list.Resources,
	}
	return p
}

func newAuthority(t testing.TB, name string, serial int64) *authority {
	t.Helper()
	a := &authority{name: name}
	from, to := now.Add(-time.Hour), now.Add(24*time.Hour)
	a.cert = cert.Template{
		Serial: big.NewInt(serial), NotBefore: from, NotAfter: now.AddDate(1, 0, 0), PublicKey: key(t, keyOf(name)).Public(), CA: true,
		SIA: cert.SIA{Repository: repo + name + "/", Manifest: a.uri(".mft")},
	}
	a.crl = crl.Template{Number: big.NewInt(7), ThisUpdate: from, NextUpdate: to}
	a.mft = manifest.Manifest{Number: big.NewInt(7), ThisUpdate: from, NextUpdate: to}
	a.mftEE = cert.Template{
		Serial: big.NewInt(100 + serial), NotBefore: from, NotAfter: to, PublicKey: key(t, "ee").Public(), Inherit: true,
		CRLDP: a.uri(".crl"), AIA: repo + "up/" + name + ".cer", SIA: cert.SIA{SignedObject: a.uri(".mft")},
	}
	return a
}

// keyOf gives the name of the key that a CA has.
func keyOf(name string) string {
	if name == "mid" {
		return "other"
	}
	return name
}

func issuer(t testing.TB, name string) cert.Issuer {
	t.Helper()
	k := key(t, keyOf(name))
	// The subject of our certificates follows from the key.
	c := must(cert.Decode(must(cert.SelfSign(cert.Template{
		Serial: big.NewInt(1), NotBefore: now, NotAfter: now.AddDate(1, 0, 0), CA: true, Resources: resources.AllResources(),
		SIA: cert.SIA{Repository: repo, Manifest: repo + "x.mft"},
	}, k))(t)))(t)
	return cert.Issuer{RawSubject: c.RawSubject, KeyID: c.KeyID, Signer: k}
}

func signObject(t testing.TB, ee cert.Template, by cert.Issuer, contentType cms.OID, content []byte) []byte {
	t.Helper()
	return must(cms.Sign(cms.Template{
		ContentType: contentType, Content: content, EE: must(cert.Sign(ee, by))(t), Key: key(t, "ee"), SigningTime: now,
	}))(t)
}

// build makes everything. Objects are by URI, the checklist is "letter.sig", the
// locator "ta.tal".
func (p *plan) build(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	files[taURI] = must(cert.SelfSign(p.ta.cert, key(t, "ta")))(t)
	files[repo+"ta/mid.cer"] = must(cert.Sign(p.mid.cert, issuer(t, "ta")))(t)
	files[repo+"mid/ca.cer"] = must(cert.Sign(p.ca.cert, issuer(t, "mid")))(t)
	for i, a := range []*authority{p.ta, p.mid, p.ca} {
		files[a.uri(".crl")] = must(crl.Sign(a.crl, issuer(t, a.name)))(t)
		if !a.noCRL {
			a.list(a.name+".crl", files[a.uri(".crl")])
		}
		if child := []*authority{p.mid, p.ca, nil}[i]; child != nil && !child.hidden {
			a.list(child.name+".cer", files[repo+a.name+"/"+child.name+".cer"])
		}
		files[a.mftEE.SIA.SignedObject] = signObject(t, a.mftEE, issuer(t, a.name), manifest.ContentType, must(a.mft.Encode())(t))
	}
	files["letter.sig"] = signObject(t, p.ee, issuer(t, p.signer), rsc.ContentType, must(p.list.Encode())(t))
	ta := must(cert.Decode(files[taURI]))(t)
	files["ta.tal"] = tal.TAL{URIs: []string{taURL, taURI}, SPKI: ta.SPKI}.Encode()
	return files
}

func (a *authority) list(name string, content []byte) {
	a.mft.Files = append(a.mft.Files, manifest.File{Name: name, Hash: sha256.Sum256(content)})
	slices.SortFunc(a.mft.Files, func(x, y manifest.File) int { return strings.Compare(x.Name, y.Name) })
}

// enter writes files into a folder, beside three that the checklist lists and
// some more, and goes there.
func enter(t testing.TB, files map[string][]byte) {
	t.Helper()
	t.Chdir(t.TempDir())
	files = maps.Clone(files)
	for name, content := range map[string]string{
		"letter.pdf": "letter", "annex.txt": "annex", "secret.bin": "secret",
		"sub/letter.pdf": "other", "sub/annex.txt": "letter", "copy.pdf": "letter", "more.pdf": "more",
	} {
		files[name] = []byte(content)
	}
	write(t, ".", files)
}

// write puts files into a folder, what is published as the cache of a validator
// has it.
func write(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	for uri, content := range files {
		name := uri
		if _, rest, ok := strings.Cut(uri, "://"); ok {
			name = "cache/" + rest
		}
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// options are the ones that verify a file of the fixture.
func options(files ...string) checklist.Options {
	return checklist.Options{TAL: "ta.tal", Repo: []string{"cache"}, RSC: "letter.sig", Files: files, At: now}
}

func run(t testing.TB, opts checklist.Options) (string, bool) {
	t.Helper()
	var out bytes.Buffer
	verified, err := checklist.Run(t.Context(), opts, &out)
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), verified
}
