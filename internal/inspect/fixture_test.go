package inspect_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"baleen/internal/rpki/aspa"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/gbr"
	"baleen/internal/rpki/manifest"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/roa"
	"baleen/internal/rpki/rrdp"
	"baleen/internal/rpki/rsc"
	"baleen/internal/rpki/tal"
)

var update = flag.Bool("update", false, "write objects and golden files anew")

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const (
	repo    = "rsync://example.org/repo/"
	session = "5f1c0a3e-8c1b-4b0e-9a57-0d9f6c1d2e3f"
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

func key(t testing.TB, name string) *rsa.PrivateKey {
	t.Helper()
	text := must(os.ReadFile(filepath.Join("..", "rpki", "cms", "testdata", "keys", name+".pem")))(t)
	block, _ := pem.Decode(text)
	return must(x509.ParsePKCS8PrivateKey(block.Bytes))(t).(*rsa.PrivateKey)
}

func held(t testing.TB, as, v4, v6 string) resources.Set {
	t.Helper()
	return resources.Set{
		AS: must(resources.ParseASSet(as))(t),
		V4: must(resources.ParseIPSet(v4, resources.IPv4))(t),
		V6: must(resources.ParseIPSet(v6, resources.IPv6))(t),
	}
}

// objects makes a small hierarchy with fixed keys, and some files that break rules.
func objects(t testing.TB) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	taKey, caKey := key(t, "ta"), key(t, "ca")
	files["ta.cer"] = must(cert.SelfSign(cert.Template{
		Serial: big.NewInt(1), NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(50, 0, 0), CA: true,
		SIA:       cert.SIA{Repository: repo, Manifest: repo + "ta.mft", Notify: "https://example.org/rrdp/notification.xml"},
		Resources: resources.AllResources(),
	}, taKey))(t)
	ta := must(cert.Decode(files["ta.cer"]))(t)
	files["ca.cer"] = must(cert.Sign(cert.Template{
		Serial: big.NewInt(20), NotBefore: now.Add(-5 * time.Minute), NotAfter: now.AddDate(1, 0, 0), PublicKey: caKey.Public(), CA: true,
		CRLDP: repo + "ta.crl", AIA: "rsync://example.org/ta.cer",
		SIA:       cert.SIA{Repository: repo + "ca/", Manifest: repo + "ca/ca.mft", Notify: "https://example.org/rrdp/notification.xml"},
		Resources: held(t, "AS64496-AS64511", "192.0.2.0/24, 198.51.100.0/24", "2001:db8::/32"),
	}, cert.Issuer{RawSubject: ta.RawSubject, KeyID: ta.KeyID, Signer: taKey}))(t)
	ca := must(cert.Decode(files["ca.cer"]))(t)
	by := cert.Issuer{RawSubject: ca.RawSubject, KeyID: ca.KeyID, Signer: caKey}

	files["ca.crl"] = must(crl.Sign(crl.Template{
		Number: big.NewInt(7), ThisUpdate: now.Add(-5 * time.Minute), NextUpdate: now.Add(24 * time.Hour),
		Entries: []crl.Entry{{Serial: big.NewInt(99), RevokedAt: now.AddDate(0, 0, -1)}, {Serial: big.NewInt(100), RevokedAt: now.Add(-time.Hour)}},
	}, by))(t)
	prefixes := func(list ...string) []byte {
		r := roa.ROA{ASID: 64496}
		for _, p := range list {
			prefix := netip.MustParsePrefix(p)
			r.Prefixes = append(r.Prefixes, roa.Prefix{Prefix: prefix, MaxLength: min(prefix.Bits()+1, 32)})
		}
		return must(r.Encode())(t)
	}
	ee := cert.Template{
		Serial: big.NewInt(21), NotBefore: now.Add(-5 * time.Minute), NotAfter: now.AddDate(1, 0, 0), PublicKey: key(t, "ee").Public(),
		CRLDP: repo + "ca/ca.crl", AIA: repo + "ca.cer", SIA: cert.SIA{SignedObject: repo + "ca/AS64496.roa"},
		Resources: held(t, "", "192.0.2.0/24", ""),
	}
	files["AS64496.roa"] = sign(t, ee, by, roa.ContentType, prefixes("192.0.2.0/24", "192.0.2.128/25"))
	files["notheld.roa"] = sign(t, ee, by, roa.ContentType, prefixes("192.0.2.0/24", "10.0.0.0/8"))
	files["other.spl"] = sign(t, ee, by, cms.OID{1, 2, 840, 113549, 1, 9, 16, 1, 51}, []byte{0x30, 0})
	files["nobody.gbr"] = sign(t, ee, by, gbr.ContentType, []byte("BEGIN:VCARD\r\nVERSION:4.0\r\nORG:Example\r\nEND:VCARD\r\n"))
	noc := gbr.Contact{FN: "NOC, night", Tel: []string{"tel:+1-666-555-1212"}, Email: []string{"noc@example.org"}}
	inherits := ee
	inherits.SIA.SignedObject, inherits.Inherit, inherits.Resources = repo+"ca/noc.gbr", true, resources.Set{}
	files["noc.gbr"] = sign(t, inherits, by, gbr.ContentType, must(noc.Encode())(t))
	unpublished := ee
	unpublished.SIA, unpublished.Unpublished = cert.SIA{}, true
	list := rsc.Checklist{Resources: ee.Resources, Files: []rsc.File{{Name: "letter.pdf", Hash: sha256.Sum256([]byte("letter"))}, {Hash: sha256.Sum256([]byte("other"))}}}
	files["letter.sig"] = sign(t, unpublished, by, rsc.ContentType, must(list.Encode())(t))
	list.Resources = held(t, "AS64496", "", "")
	files["foreign.sig"] = sign(t, ee, by, rsc.ContentType, must(list.Encode())(t))
	files["foreign.asa"] = sign(t, ee, by, aspa.ContentType, must(aspa.ASPA{Customer: 64497, Providers: []uint32{1}}.Encode())(t))
	asEE := ee
	asEE.Serial, asEE.SIA.SignedObject, asEE.Resources = big.NewInt(22), repo+"ca/AS64496.asa", held(t, "AS64496", "", "")
	files["AS64496.asa"] = sign(t, asEE, by, aspa.ContentType, must(aspa.ASPA{Customer: 64496, Providers: []uint32{64510, 4294967295}}.Encode())(t))

	ee.SIA.SignedObject, ee.Inherit, ee.Resources = repo+"ca/ca.mft", true, resources.Set{}
	ee.NotAfter = now.Add(24 * time.Hour)
	m := manifest.Manifest{Number: big.NewInt(7), ThisUpdate: ee.NotBefore, NextUpdate: ee.NotAfter}
	for _, name := range []string{"AS64496.roa", "ca.crl"} {
		m.Files = append(m.Files, manifest.File{Name: name, Hash: sha256.Sum256(files[name])})
	}
	files["ca.mft"] = sign(t, ee, by, manifest.ContentType, must(m.Encode())(t))
	files["ta.tal"] = tal.TAL{
		Comments: []string{" a trust anchor"}, URIs: []string{"https://example.org/ta.cer", "rsync://example.org/ta.cer"}, SPKI: ta.SPKI,
	}.Encode()
	addTAKs(t, files)
	addRRDP(t, files)
	addMessages(t, files)
	return files
}

func sign(t testing.TB, ee cert.Template, by cert.Issuer, contentType cms.OID, content []byte) []byte {
	t.Helper()
	return must(cms.Sign(cms.Template{
		ContentType: contentType, Content: content, EE: must(cert.Sign(ee, by))(t), Key: key(t, "ee"), SigningTime: now,
	}))(t)
}

func addRRDP(t testing.TB, files map[string][]byte) {
	t.Helper()
	head := rrdp.Header{Session: session, Serial: 3}
	var snapshot, delta bytes.Buffer
	s := rrdp.NewSnapshotWriter(&snapshot, head)
	for _, name := range []string{"ca.crl", "ca.mft"} {
		must(0, s.Publish(repo+"ca/"+name, files[name]))(t)
	}
	must(0, s.Close())(t)
	files["snapshot.xml"] = snapshot.Bytes()

	old := sha256.Sum256([]byte("old"))
	d := rrdp.NewDeltaWriter(&delta, head)
	for _, e := range []rrdp.Element{
		{URI: repo + "ca/AS64496.roa", Content: files["AS64496.roa"]},
		{URI: repo + "ca/ca.crl", Content: files["ca.crl"], Hash: &old},
		{URI: repo + "ca/old.roa", Hash: &old},
	} {
		must(0, d.Add(e))(t)
	}
	must(0, d.Close())(t)
	files["delta.xml"] = delta.Bytes()

	files["notification.xml"] = rrdp.Notification{
		Session: session, Serial: 3,
		Snapshot: rrdp.Ref{URI: "https://example.org/rrdp/3/snapshot.xml", Hash: sha256.Sum256(files["snapshot.xml"])},
		Deltas: []rrdp.DeltaRef{
			{Serial: 3, Ref: rrdp.Ref{URI: "https://example.org/rrdp/3/delta.xml", Hash: sha256.Sum256(files["delta.xml"])}},
			{Serial: 2, Ref: rrdp.Ref{URI: "https://example.org/rrdp/2/delta.xml", Hash: old}},
		},
	}.Encode()
}
