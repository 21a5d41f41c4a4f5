package ctl

import (
	"fmt"
	"maps"
	"slices"

	"baleen/api"
	"baleen/internal/rpki/cert"
)

func parentContactReport(r *report, contact api.ParentContact) {
	r.linef("Service uri: %s", contact.ServiceURI)
	r.linef("Parent handle: %s", contact.ParentHandle)
	r.linef("Child handle: %s", contact.ChildHandle)
	r.linef("ID key identifier: %s", keyIdentifier(contact.IDCert.PublicKey))
	r.linef("ID cert hash: %s", contact.IDCert.Hash)
	r.line("ID cert PEM:")
	r.certificate(contact.IDCert.Base64)
}

// keyIdentifier gives the identifier of a key (RFC 6487 section 4.8.2), or says
// that the answer held no key.
func keyIdentifier(spki []byte) string {
	id, err := cert.KeyIDOfSPKI(spki)
	if err != nil {
		return fmt.Sprintf("unknown (%v)", err)
	}
	return id.String()
}

func parentStatusesReport(r *report, answer api.ParentStatuses) {
	for i, name := range slices.Sorted(maps.Keys(answer)) {
		if i > 0 {
			r.line("")
		}
		r.linef("Parent: %s", name)
		parentStatusReport(r, answer[name])
	}
}

func parentStatusReport(r *report, status api.ParentStatus) {
	if status.LastExchange == nil {
		r.line("Status: connection still pending")
		return
	}
	exchangeReport(r, status.LastExchange)
	heading := "Resource Entitlements:"
	if status.LastExchange.Result.Failure != nil {
		r.linef("Last successful contact: %s", unixTimeOr(status.LastSuccess, "never"))
		heading = "LAST KNOWN Resource Entitlements:"
	}
	r.line(heading)
	r.resources("    ", status.AllResources)

	for _, class := range status.Classes {
		r.linef("  resource class: %s", class.ClassName)
		r.linef("  entitled resources: %s", class.ResourceSet)
		r.linef("  entitled not after: %s", class.NotAfter)
		r.linef("  issuing cert uri: %s", class.SigningCert.URL)
		r.line("  issuing cert PEM:")
		r.certificate(class.SigningCert.Cert)
		for _, issued := range class.IssuedCerts {
			r.linef("  received cert uri: %s", issued.URI)
			r.line("  received cert PEM:")
			r.certificate(issued.Cert)
		}
	}
}

// exchangeReport writes where, how and when a peer was met last.
func exchangeReport(r *report, exchange *api.Exchange) {
	r.linef("URI: %s", exchange.URI)
	r.linef("Status: %s", exchangeResult(exchange.Result))
	r.linef("Last contacted: %s", unixTime(exchange.Timestamp))
}

func exchangeResult(result api.ExchangeResult) string {
	if result.Failure != nil {
		return "failure: " + result.Failure.Msg
	}
	return "success"
}

func repoReport(r *report, answer api.CARepoDetails) {
	contact := answer.Contact
	r.linef("Service uri: %s", contact.ServerInfo.ServiceURI)
	r.linef("Server key identifier: %s", keyIdentifier(contact.ServerInfo.PublicKey))
	r.linef("base_uri: %s", contact.RepoInfo.SIABase)
	r.linef("rpki_notify: %s", orText(contact.RepoInfo.NotificationURI, none))
}

func repoStatusReport(r *report, status api.RepoStatus) {
	if status.LastExchange == nil {
		r.line("Status: connection still pending")
		return
	}
	exchangeReport(r, status.LastExchange)
	r.linef("Last successful contact: %s", unixTimeOr(status.LastSuccess, "never"))
}

func publisherReport(r *report, answer api.PublisherDetails) {
	r.linef("handle: %s", answer.Handle)
	r.line("ID cert PEM:")
	r.certificate(answer.IDCert.Base64)
	r.linef("base uri: %s", answer.BaseURI)
	r.line("objects:")
	for _, file := range answer.CurrentFiles {
		r.linef("  %s", file.URI)
	}
	if len(answer.CurrentFiles) == 0 {
		r.line("  " + none)
	}
}

func statsReport(r *report, answer api.RepoStats) {
	r.line("Server URIs:")
	r.linef("    rrdp:  %s", answer.RRDPBase)
	r.linef("    rsync: %s", answer.RsyncBase)
	r.line("")
	updated := "never"
	if answer.LastUpdate != nil {
		updated = answer.LastUpdate.String()
	}
	r.linef("RRDP updated: %s", updated)
	r.linef("RRDP session: %s", answer.Session)
	r.linef("RRDP serial:  %d", answer.Serial)
	r.line("")
	r.line("Publisher, Objects, Size, Last Updated")
	for _, name := range slices.Sorted(maps.Keys(answer.Publishers)) {
		publisher := answer.Publishers[name]
		r.linef("%s, %d, %d, %s", name, publisher.Objects, publisher.Size, lastManifest(publisher.Manifests))
	}
}

// lastManifest gives the time of the newest manifest.
func lastManifest(manifests []api.ManifestStats) string {
	if len(manifests) == 0 {
		return "never"
	}
	newest := slices.MaxFunc(manifests, func(a, b api.ManifestStats) int { return a.ThisUpdate.Compare(b.ThisUpdate.Time) })
	return newest.ThisUpdate.String()
}
