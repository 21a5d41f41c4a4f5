package inspect_test

import (
	"math/big"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/tak"
	"baleen/internal/rpki/tal"
)

// addTAKs adds what a trust anchor says of its keys: one that is well, and one
// that another CA signed.
func addTAKs(t testing.TB, files map[string][]byte) {
	t.Helper()
	locator := must(tal.Decode(files["ta.tal"]))(t)
	next := must(cert.SelfSignIdentity(key(t, "other"), now, now.AddDate(1, 0, 0)))(t)
	content := must(tak.TAK{
		Current:   tak.Of(locator),
		Successor: &tak.Key{URIs: []string{"https://example.org/next.cer", "rsync://example.org/next.cer"}, SPKI: must(cert.Decode(next))(t).SPKI},
	}.Encode())(t)
	for name, by := range map[string]string{"ta.tak": "ta", "foreign.tak": "ca"} {
		issuer := must(cert.Decode(files[by+".cer"]))(t)
		files[name] = sign(t, cert.Template{
			Serial: big.NewInt(30), NotBefore: now.Add(-5 * time.Minute), NotAfter: now.AddDate(0, 3, 0), PublicKey: key(t, "ee").Public(),
			CRLDP: repo + by + ".crl", AIA: "rsync://example.org/" + by + ".cer", SIA: cert.SIA{SignedObject: repo + name}, Inherit: true,
		}, cert.Issuer{RawSubject: issuer.RawSubject, KeyID: issuer.KeyID, Signer: key(t, by)}, tak.ContentType, content)
	}
}
