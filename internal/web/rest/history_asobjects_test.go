package rest

import (
	"baleen/internal/ca"
	"baleen/internal/rpki/cert"
)

// addASObjects adds what happened to ASPAs and router keys.
func (h *maker) addASObjects(ders map[ca.Hash][]byte, rec ca.CertRecord) {
	h.t.Helper()
	csr, router := object(h.t, "router.csr"), object(h.t, "router.cer")
	req, err := cert.DecodeRouterRequest(csr)
	if err != nil {
		h.t.Fatal(err)
	}
	hash := ca.HashOf(router)
	ders[hash] = router
	r, gone := ca.RouterKey{ASID: 64496, KeyID: req.KeyID}, ca.RouterKey{ASID: 64497, KeyID: key(6)}
	one, two := ca.ASPA{Customer: 64496, Providers: []uint32{65001, 65002}}, ca.ASPA{Customer: 64497, Providers: []uint32{65003}}
	object1 := ca.IssuedASPA{ASPA: one, Hash: rec.Hash, Serial: "20", NotBefore: rec.NotBefore, NotAfter: rec.NotAfter}
	object2 := ca.IssuedRouterCert{Router: r, Hash: hash, Serial: "21", NotBefore: rec.NotBefore, NotAfter: rec.NotAfter}

	h.add(ca.ConfigureASPAs{AddOrReplace: []ca.ASPA{one, two}, Remove: []uint32{64498, 64499}}, ca.ASPAsConfigured{
		Added:   []ca.ASPA{one},
		Updated: []ca.ASPAUpdate{{ASPA: two, Added: []uint32{65003}, Removed: []uint32{65004, 65005}}}, Removed: []uint32{64498, 64499},
	})
	h.add(ca.UpdateASPA{Customer: 64496, Added: []uint32{65003}, Removed: []uint32{65001}}, ca.ASPAsConfigured{
		Updated: []ca.ASPAUpdate{{ASPA: ca.ASPA{Customer: 64496, Providers: []uint32{65002, 65003}}, Added: []uint32{65003}, Removed: []uint32{65001}}},
	})
	h.add(ca.ConfigureASPAs{Remove: []uint32{64497}}, ca.ASPAsConfigured{Removed: []uint32{64497}})
	h.add(ca.RecordASPAs{Class: "1", Key: key(1), Issued: []ca.IssuedASPA{object1}, Withdrawn: []uint32{64497}},
		ca.ASPAsIssued{Class: "1", Issued: []ca.IssuedASPA{object1}, Withdrawn: []uint32{64497}})
	h.add(ca.ConfigureRouterKeys{Add: []ca.RouterCSR{{ASID: 64496, CSR: csr}}, Remove: []ca.RouterKey{gone}},
		ca.RouterKeysConfigured{Added: []ca.ConfiguredRouterKey{{Router: r, CSR: csr}}, Removed: []ca.RouterKey{gone}})
	h.add(ca.ConfigureRouterKeys{Add: []ca.RouterCSR{{ASID: 64496, CSR: csr}}}, ca.RouterKeysConfigured{Updated: []ca.ConfiguredRouterKey{{Router: r, CSR: csr}}})
	h.add(ca.RecordRouterCerts{Class: "1", Key: key(1), Issued: []ca.IssuedRouterCert{object2}, Withdrawn: []ca.RouterKey{gone}},
		ca.RouterCertsIssued{Class: "1", Issued: []ca.IssuedRouterCert{object2}, Withdrawn: []ca.RouterKey{gone}})
	h.add(ca.RecordRouterCerts{Class: "1", Key: key(1), Withdrawn: []ca.RouterKey{r}}, ca.RouterCertsIssued{Class: "1", Withdrawn: []ca.RouterKey{r}})
	h.add(ca.RecordASPAs{Class: "1", Key: key(2), Issued: []ca.IssuedASPA{object1}}, ca.ASPAsStaged{Class: "1", KeyID: key(2), Issued: []ca.IssuedASPA{object1}})
	h.add(ca.RecordRouterCerts{Class: "1", Key: key(2), Withdrawn: []ca.RouterKey{r}}, ca.RouterCertsStaged{Class: "1", KeyID: key(2), Withdrawn: []ca.RouterKey{r}})
	h.refuse(ca.ConfigureASPAs{AddOrReplace: []ca.ASPA{{Customer: 64496}}}, "ca-aspa-provider-as-empty", "ASPA for customer AS 'AS64496' requires at least one provider")
	h.refuse(ca.ConfigureRouterKeys{Remove: []ca.RouterKey{gone}}, "ca-bgpsec-unknown", "Cannot remove BGPSec CSR for unknown combination of ASN 'AS64497' and key '…'")
}
