package api

import "baleen/internal/rpki/resources"

// TAChild is an element of the answer to GET /api/v1/ta/proxy/children.
type TAChild struct {
	Handle            string        `json:"handle"`
	State             string        `json:"state"` // active, or removing until all it holds is revoked
	IDCert            IDCertInfo    `json:"id_cert"`
	EntitledResources resources.Set `json:"entitled_resources"`
	Keys              []TAChildKey  `json:"keys"`
	Waiting           int           `json:"waiting"` // requests for the signer
}

// TAChildKey is a key of a child that has a certificate.
type TAChildKey struct {
	KeyID     string        `json:"key_identifier"`
	Resources resources.Set `json:"resources"`
	NotAfter  Time          `json:"not_after"`
}
