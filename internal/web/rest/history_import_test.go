package rest

import (
	"baleen/internal/ca"
	"baleen/internal/rpki/resources"
)

// addImport adds a child that came from another CA, and that all is issued again.
func (h *maker) addImport(held resources.Set, id []byte, issued ca.IssuedCert) {
	h.t.Helper()
	h.add(ca.ImportChild{Child: "kid3", IDCert: id, IDKey: key(8), Resources: held, ClassName: "lacnic", Key: key(1), Cert: &issued},
		ca.ChildAdded{Child: "kid3", IDCert: id, Resources: held}, ca.ChildClassMapped{Child: "kid3", Class: "1", Name: "lacnic"},
		ca.ChildCertificatesIssued{Class: "1", Certs: []ca.IssuedCert{issued}})
	h.add(ca.ForceReissue{}, ca.ReissueForced{})
}
