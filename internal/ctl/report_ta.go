package ctl

import (
	"maps"
	"slices"
	"strings"

	"baleen/api"
)

func identityReport(r *report, answer api.IDCertInfo) {
	r.certificate(answer.Base64)
	r.linef("SHA-256: %s", answer.Hash)
}

func contactReport(r *report, answer api.RepositoryContact) {
	repoReport(r, api.CARepoDetails{Contact: answer})
}

func taSignerReport(r *report, answer api.TASignerInfo) {
	const layout = "2006-01-02T15:04:05Z"
	root, objects := answer.CertDetails.Cert, answer.Objects
	r.linef("Trust anchor key: %s", objects.KeyID)
	r.linef("Certificate until: %s", root.Validity.NotAfter.UTC().Format(layout))
	r.linef("Found at: %s", strings.Join(append(slices.Clone(answer.CertDetails.TAL.URIs), answer.CertDetails.TAL.RsyncURI), " "))
	r.linef("Manifest number: %d", objects.Revision.Number)
	r.linef("Manifest until: %s", objects.Revision.NextUpdate.UTC().Format(layout))
	r.linef("Serial numbers that are revoked: %d", len(objects.Revocations))
	for _, key := range slices.Sorted(maps.Keys(objects.Issued)) {
		c := objects.Issued[key]
		r.linef("\nChild: %s", c.Child)
		r.linef("Key %s until %s:", key, c.Validity.NotAfter.UTC().Format(layout))
		r.resources("    ", c.Resources)
	}
}

func taRequestReport(r *report, answer api.TASignedRequest) {
	r.linef("Nonce: %s", answer.Request.Nonce)
	for _, child := range answer.Request.ChildRequests {
		r.linef("\nChild: %s", child.Child)
		r.resources("    ", child.Resources)
		for _, key := range slices.Sorted(maps.Keys(child.Requests)) {
			what := "issue a certificate"
			if child.Requests[key].Revocation != nil {
				what = "revoke"
			}
			r.linef("    Key %s: %s", key, what)
		}
	}
	if len(answer.Request.ChildRequests) == 0 {
		r.line("\nNo child asks for anything: manifest and CRL are renewed.")
	}
	for _, renew := range answer.RenewTimes {
		r.linef("\nThe certificate for key %s ends at %s", renew.KeyID, renew.Time.UTC().Format("2006-01-02"))
	}
	if answer.TARenewTime != nil {
		r.linef("\nThe trust anchor certificate ends at %s", answer.TARenewTime.UTC().Format("2006-01-02"))
	}
}

func taChildrenReport(r *report, answer []api.TAChild) {
	for i, child := range answer {
		if i > 0 {
			r.line("")
		}
		r.linef("Child: %s", child.Handle)
		r.linef("State: %s", child.State)
		r.line("May have:")
		r.resources("    ", child.EntitledResources)
		for _, key := range child.Keys {
			r.linef("Key %s until %s:", key.KeyID, key.NotAfter.UTC().Format("2006-01-02"))
			r.resources("    ", key.Resources)
		}
		r.linef("Requests that wait for the signer: %d", child.Waiting)
	}
	if len(answer) == 0 {
		r.line("There are no children.")
	}
}
