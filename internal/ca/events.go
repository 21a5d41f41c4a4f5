package ca

import (
	"maps"

	"baleen/internal/es"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// All that can have happened to a CA. Names and payloads are frozen once
// released: a changed form gets a new number and lifts the old one.

// Initialized is the first event: the CA exists and has an identity.
type Initialized struct {
	Handle   string   `json:"handle"`
	Identity Identity `json:"identity"`
}

// RepositoryConfigured says where the CA publishes from now on.
type RepositoryConfigured struct {
	Repository Repository `json:"repository"`
}

// ParentAdded gives the CA another parent.
type ParentAdded struct {
	Parent  string `json:"parent"`
	Contact Parent `json:"contact"`
}

// ParentUpdated changes how to reach a parent.
type ParentUpdated struct {
	Parent  string `json:"parent"`
	Contact Parent `json:"contact"`
}

// ResourceClassAdded opens a class with its first key.
type ResourceClassAdded struct {
	Class       string     `json:"class"`
	Parent      string     `json:"parent"`
	ParentClass string     `json:"parent_class"`
	KeyID       cert.KeyID `json:"key_id"`
}

// ResourceClassRemoved closes a class: the parent no longer lists it.
// Everything issued under it is withdrawn and its keys are destroyed.
type ResourceClassRemoved struct {
	Class  string       `json:"class"`
	Parent string       `json:"parent"`
	Keys   []cert.KeyID `json:"keys"`
}

// CertificateRequested says that a key needs a (new) certificate of the parent.
type CertificateRequested struct {
	Class  string     `json:"class"`
	Parent string     `json:"parent"`
	KeyID  cert.KeyID `json:"key_id"`
}

// CertificateReceived brings the certificate of a key; a pending key becomes
// the current one.
type CertificateReceived struct {
	Class string     `json:"class"`
	KeyID cert.KeyID `json:"key_id"`
	Cert  CertRecord `json:"cert"`
}

// ChildAdded makes another CA a child of this one.
type ChildAdded struct {
	Child     string        `json:"child"`
	IDCert    []byte        `json:"id_cert"`
	Resources resources.Set `json:"resources"`
}

// ChildResourcesUpdated changes what a child is entitled to.
type ChildResourcesUpdated struct {
	Child     string        `json:"child"`
	Resources resources.Set `json:"resources"`
}

// ChildCertificatesIssued brings certificates for children's keys; a former
// certificate of the same key is revoked.
type ChildCertificatesIssued struct {
	Class string       `json:"class"`
	Certs []IssuedCert `json:"certs"`
}

// ChildCertificatesRevoked takes children's keys out of use or, if Suspended
// is set, withdraws their certificates until the child is active again.
type ChildCertificatesRevoked struct {
	Class     string       `json:"class"`
	Keys      []cert.KeyID `json:"keys"`
	Suspended bool         `json:"suspended,omitempty"`
}

// ROAsConfigured changes which routes the holder authorises. Commented holds
// routes that stay and only change their comment.
type ROAsConfigured struct {
	Added     []ConfiguredROA `json:"added,omitempty"`
	Removed   []ROA           `json:"removed,omitempty"`
	Commented []ConfiguredROA `json:"commented,omitempty"`
}

// ROAsIssued records signed ROA objects of a class and those that left it;
// what was replaced or withdrawn is revoked.
type ROAsIssued struct {
	Class     string      `json:"class"`
	Issued    []IssuedROA `json:"issued,omitempty"`
	Withdrawn []string    `json:"withdrawn,omitempty"` // file names
}

// RestoreNoted says that the database went back to an earlier moment, or may
// have: what the world saw since then must be overtaken. Numbers jump,
// everything is issued again, parents and repository are asked.
type RestoreNoted struct {
	Epoch  int64  `json:"epoch"` // of the active node that noticed
	Reason string `json:"reason"`
}

// EventName names the event in the log.
func (Initialized) EventName() string { return "ca_initialized/1" }

// EventName names the event in the log.
func (RepositoryConfigured) EventName() string { return "repository_configured/1" }

// EventName names the event in the log.
func (ParentAdded) EventName() string { return "parent_added/1" }

// EventName names the event in the log.
func (ParentUpdated) EventName() string { return "parent_updated/1" }

// EventName names the event in the log.
func (ResourceClassAdded) EventName() string { return "resource_class_added/1" }

// EventName names the event in the log.
func (ResourceClassRemoved) EventName() string { return "resource_class_removed/1" }

// EventName names the event in the log.
func (CertificateRequested) EventName() string { return "certificate_requested/1" }

// EventName names the event in the log.
func (CertificateReceived) EventName() string { return "certificate_received/1" }

// EventName names the event in the log.
func (ChildAdded) EventName() string { return "child_added/1" }

// EventName names the event in the log.
func (ChildResourcesUpdated) EventName() string { return "child_resources_updated/1" }

// EventName names the event in the log.
func (ChildCertificatesIssued) EventName() string { return "child_certificates_issued/1" }

// EventName names the event in the log.
func (ChildCertificatesRevoked) EventName() string { return "child_certificates_revoked/1" }

// EventName names the event in the log.
func (ROAsConfigured) EventName() string { return "roas_configured/1" }

// EventName names the event in the log.
func (ROAsIssued) EventName() string { return "roas_issued/1" }

// EventName names the event in the log.
func (RestoreNoted) EventName() string { return "restore_noted/1" }

// codec reads every form of every event that was ever stored.
func codec() es.Codec {
	all := es.Codec{
		"ca_initialized/1":             es.JSON[Initialized],
		"repository_configured/1":      es.JSON[RepositoryConfigured],
		"parent_added/1":               es.JSON[ParentAdded],
		"parent_updated/1":             es.JSON[ParentUpdated],
		"resource_class_added/1":       es.JSON[ResourceClassAdded],
		"resource_class_removed/1":     es.JSON[ResourceClassRemoved],
		"certificate_requested/1":      es.JSON[CertificateRequested],
		"certificate_received/1":       es.JSON[CertificateReceived],
		"child_added/1":                es.JSON[ChildAdded],
		"child_resources_updated/1":    es.JSON[ChildResourcesUpdated],
		"child_certificates_issued/1":  es.JSON[ChildCertificatesIssued],
		"child_certificates_revoked/1": es.JSON[ChildCertificatesRevoked],
		"roas_configured/1":            es.JSON[ROAsConfigured],
		"roas_issued/1":                es.JSON[ROAsIssued],
		"restore_noted/1":              es.JSON[RestoreNoted],
		"aspas_configured/1":           es.JSON[ASPAsConfigured],
		"aspas_issued/1":               es.JSON[ASPAsIssued],
		"router_keys_configured/1":     es.JSON[RouterKeysConfigured],
		"router_certs_issued/1":        es.JSON[RouterCertsIssued],
		"aspas_staged/1":               es.JSON[ASPAsStaged],
		"router_certs_staged/1":        es.JSON[RouterCertsStaged],
		"reissue_forced/1":             es.JSON[ReissueForced],
		"ghostbusters_configured/1":    es.JSON[GhostbustersConfigured],
		"ghostbusters_issued/1":        es.JSON[GhostbustersIssued],
		"ghostbusters_staged/1":        es.JSON[GhostbustersStaged],
		"checklist_signed/1":           es.JSON[ChecklistSigned],
		"checklists_revoked/1":         es.JSON[ChecklistsRevoked],
		"child_suspended/1":            es.JSON[ChildSuspended],
		"child_unsuspended/1":          es.JSON[ChildUnsuspended],
		"issuing_paused/1":             es.JSON[IssuingPaused],
		"issuing_resumed/1":            es.JSON[IssuingResumed],
	}
	maps.Copy(all, keysCodec())
	return all
}
