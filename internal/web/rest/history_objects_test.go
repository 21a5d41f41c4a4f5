package rest

import (
	"baleen/internal/ca"
	"baleen/internal/rpki/gbr"
)

// addObjects adds what happened to Ghostbusters records and signed checklists.
func (h *maker) addObjects(rec ca.CertRecord) {
	h.t.Helper()
	noc := ca.Ghostbusters{Name: "noc", Contact: gbr.Contact{FN: "NOC", Email: []string{"noc@example.net"}}}
	ops := ca.Ghostbusters{Name: "ops", Contact: gbr.Contact{FN: "Ops", Adr: &gbr.Address{Locality: "Town"}}}
	record := ca.IssuedGhostbusters{Ghostbusters: noc, Hash: rec.Hash, Serial: "22", NotBefore: rec.NotBefore, NotAfter: rec.NotAfter}
	h.add(ca.ConfigureGhostbusters{Add: []ca.Ghostbusters{noc, ops}, Remove: []string{"old"}},
		ca.GhostbustersConfigured{Added: []ca.Ghostbusters{noc}, Updated: []ca.Ghostbusters{ops}, Removed: []string{"old"}})
	h.add(ca.RecordGhostbusters{Class: "1", Key: key(1), Issued: []ca.IssuedGhostbusters{record}, Withdrawn: []string{"old"}},
		ca.GhostbustersIssued{Class: "1", Issued: []ca.IssuedGhostbusters{record}, Withdrawn: []string{"old"}})
	h.add(ca.RecordGhostbusters{Class: "1", Key: key(2), Issued: []ca.IssuedGhostbusters{record}}, ca.GhostbustersStaged{Class: "1", KeyID: key(2), Issued: []ca.IssuedGhostbusters{record}})
	h.refuse(ca.ConfigureGhostbusters{Remove: []string{"old"}}, "ca-ghostbusters-unknown", "there is no Ghostbusters record 'old'")

	r := ca.ChecklistRequest{Resources: rec.Resources, Files: []ca.ChecklistEntry{{Name: "letter.pdf", Hash: ca.Hash{1}}, {Hash: ca.Hash{2}}}, NotAfter: rec.NotAfter}
	by := ca.ChecklistSignature{Class: "1", Key: key(1), Hash: rec.Hash, Serial: "23", NotBefore: rec.NotBefore}
	h.add(ca.SignChecklist{ChecklistRequest: r, Signed: &by}, ca.ChecklistSigned{Class: "1", KeyID: key(1), Checklist: ca.IssuedChecklist{
		Resources: r.Resources, Files: r.Files, Hash: by.Hash, Serial: by.Serial, NotBefore: by.NotBefore, NotAfter: r.NotAfter,
	}})
	h.add(ca.RevokeChecklist{Serial: "23"}, ca.ChecklistsRevoked{Class: "1", Serials: []string{"23"}, Reason: ca.ChecklistsRemoved})
	h.add(ca.RevokeChecklists{}, ca.ChecklistsRevoked{Class: "1", Serials: []string{"24", "25"}, Reason: ca.ChecklistsNotHeld})
	h.refuse(ca.SignChecklist{ChecklistRequest: r}, "ca-rsc-not-entitled", "the resources … are not held by you")
}
