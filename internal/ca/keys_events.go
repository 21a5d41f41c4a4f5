package ca

import (
	"baleen/internal/es"
	"baleen/internal/rpki/cert"
)

// What can have happened to keys, and to the parties that a CA leaves.

// KeyRollInitiated gives a class a second key, which needs a certificate.
type KeyRollInitiated struct {
	Class  string     `json:"class"`
	Parent string     `json:"parent"`
	KeyID  cert.KeyID `json:"key_id"`
}

// KeyStaged brings the certificate of the pending key of a roll: it is the new
// key now, with a manifest and a CRL of its own and no other object.
type KeyStaged struct {
	Class string     `json:"class"`
	KeyID cert.KeyID `json:"key_id"`
	Cert  CertRecord `json:"cert"`
}

// KeyActivationStarted says that the new key shall follow the current one:
// everything is signed with it from now on, and nothing of that is published.
type KeyActivationStarted struct {
	Class string     `json:"class"`
	KeyID cert.KeyID `json:"key_id"` // the new key
}

// ROAsStaged records ROA objects of the new key, and those that left it again.
type ROAsStaged struct {
	Class     string      `json:"class"`
	KeyID     cert.KeyID  `json:"key_id"` // the new key
	Issued    []IssuedROA `json:"issued,omitempty"`
	Withdrawn []string    `json:"withdrawn,omitempty"` // file names
}

// ChildCertificatesStaged records certificates for children's keys that the
// new key signed, and those that left it again.
type ChildCertificatesStaged struct {
	Class     string       `json:"class"`
	KeyID     cert.KeyID   `json:"key_id"` // the new key
	Certs     []IssuedCert `json:"certs,omitempty"`
	Withdrawn []cert.KeyID `json:"withdrawn,omitempty"`
}

// KeyRollActivated makes the new key the current one, with all that was staged.
// The one that was current is old: everything it signed is revoked.
type KeyRollActivated struct {
	Class  string     `json:"class"`
	KeyID  cert.KeyID `json:"key_id"` // the new key
	OldKey cert.KeyID `json:"old_key"`
}

// KeyRevocationRequested says that all that replaces the old key's objects is
// published, and that the parent is asked to revoke the key.
type KeyRevocationRequested struct {
	Class  string     `json:"class"`
	Parent string     `json:"parent"`
	KeyID  cert.KeyID `json:"key_id"`
}

// KeyRollFinished says that the parent revoked the old key: its manifest and
// CRL are withdrawn, and it is destroyed.
type KeyRollFinished struct {
	Class string     `json:"class"`
	KeyID cert.KeyID `json:"key_id"`
}

// KeyRollAbandoned gives up the second key of a class, which the parent refused.
type KeyRollAbandoned struct {
	Class  string     `json:"class"`
	KeyID  cert.KeyID `json:"key_id"`
	Reason string     `json:"reason"`
}

// UnexpectedKeyFound says that a parent lists a certificate for a key that is
// none of ours, and that it is asked to revoke it.
type UnexpectedKeyFound struct {
	Class  string     `json:"class"`
	Parent string     `json:"parent"`
	KeyID  cert.KeyID `json:"key_id"`
}

// UnexpectedKeyRevoked says that the parent no longer has such a key.
type UnexpectedKeyRevoked struct {
	Class string     `json:"class"`
	KeyID cert.KeyID `json:"key_id"`
}

// RepositoryLeft says that nothing of the CA is left at a former repository,
// or that this was given up.
type RepositoryLeft struct {
	ServiceURI string `json:"service_uri"`
	SIABase    string `json:"sia_base"`
	GivenUp    bool   `json:"given_up,omitempty"`
}

// ParentRemoved ends the relation to a parent. Its classes are gone before.
type ParentRemoved struct {
	Parent  string     `json:"parent"`
	Contact Parent     `json:"contact"`          // to ask it for revocations still
	Revoke  []KeyClaim `json:"revoke,omitempty"` // what it certified
}

// KeyClaim names a key by the class under which its parent certified it.
type KeyClaim struct {
	Class string     `json:"class"` // the parent's name
	KeyID cert.KeyID `json:"key_id"`
}

// ChildIDCertUpdated changes the certificate under which a child speaks.
type ChildIDCertUpdated struct {
	Child  string `json:"child"`
	IDCert []byte `json:"id_cert"`
}

// ChildClassMapped gives a class of ours another name for a child.
type ChildClassMapped struct {
	Child string `json:"child"`
	Class string `json:"class"` // our name
	Name  string `json:"name"`  // the child's name
}

// ChildRemoved ends the relation to a child. Its certificates are revoked
// before.
type ChildRemoved struct {
	Child string `json:"child"`
}

// IdentityRenewed replaces the key and certificate for the protocols.
type IdentityRenewed struct {
	Identity Identity   `json:"identity"`
	OldKey   cert.KeyID `json:"old_key"`
}

// Deleted is the last event: the CA is no more, and its keys are destroyed.
type Deleted struct {
	Keys         []cert.KeyID `json:"keys"`
	Repositories []string     `json:"repositories,omitempty"` // service URIs of those where something may be left
}

// EventName names the event in the log.
func (KeyRollInitiated) EventName() string { return "key_roll_initiated/1" }

// EventName names the event in the log.
func (KeyStaged) EventName() string { return "key_staged/1" }

// EventName names the event in the log.
func (KeyActivationStarted) EventName() string { return "key_activation_started/1" }

// EventName names the event in the log.
func (ROAsStaged) EventName() string { return "roas_staged/1" }

// EventName names the event in the log.
func (ChildCertificatesStaged) EventName() string { return "child_certificates_staged/1" }

// EventName names the event in the log.
func (KeyRollActivated) EventName() string { return "key_roll_activated/1" }

// EventName names the event in the log.
func (KeyRevocationRequested) EventName() string { return "key_revocation_requested/1" }

// EventName names the event in the log.
func (KeyRollFinished) EventName() string { return "key_roll_finished/1" }

// EventName names the event in the log.
func (KeyRollAbandoned) EventName() string { return "key_roll_abandoned/1" }

// EventName names the event in the log.
func (UnexpectedKeyFound) EventName() string { return "unexpected_key_found/1" }

// EventName names the event in the log.
func (UnexpectedKeyRevoked) EventName() string { return "unexpected_key_revoked/1" }

// EventName names the event in the log.
func (RepositoryLeft) EventName() string { return "repository_left/1" }

// EventName names the event in the log.
func (ParentRemoved) EventName() string { return "parent_removed/1" }

// EventName names the event in the log.
func (ChildIDCertUpdated) EventName() string { return "child_id_cert_updated/1" }

// EventName names the event in the log.
func (ChildClassMapped) EventName() string { return "child_class_mapped/1" }

// EventName names the event in the log.
func (ChildRemoved) EventName() string { return "child_removed/1" }

// EventName names the event in the log.
func (IdentityRenewed) EventName() string { return "identity_renewed/1" }

// EventName names the event in the log.
func (Deleted) EventName() string { return "ca_deleted/1" }

// keysCodec is the part of the codec for the events of this file.
func keysCodec() es.Codec {
	return es.Codec{
		"key_roll_initiated/1":        es.JSON[KeyRollInitiated],
		"key_staged/1":                es.JSON[KeyStaged],
		"key_activation_started/1":    es.JSON[KeyActivationStarted],
		"roas_staged/1":               es.JSON[ROAsStaged],
		"child_certificates_staged/1": es.JSON[ChildCertificatesStaged],
		"key_roll_activated/1":        es.JSON[KeyRollActivated],
		"key_revocation_requested/1":  es.JSON[KeyRevocationRequested],
		"key_roll_finished/1":         es.JSON[KeyRollFinished],
		"key_roll_abandoned/1":        es.JSON[KeyRollAbandoned],
		"unexpected_key_found/1":      es.JSON[UnexpectedKeyFound],
		"unexpected_key_revoked/1":    es.JSON[UnexpectedKeyRevoked],
		"repository_left/1":           es.JSON[RepositoryLeft],
		"parent_removed/1":            es.JSON[ParentRemoved],
		"child_id_cert_updated/1":     es.JSON[ChildIDCertUpdated],
		"child_class_mapped/1":        es.JSON[ChildClassMapped],
		"child_removed/1":             es.JSON[ChildRemoved],
		"identity_renewed/1":          es.JSON[IdentityRenewed],
		"ca_deleted/1":                es.JSON[Deleted],
	}
}
