package api

// TAIssues is what keeps the trust anchor from being well, the worst first.
type TAIssues struct {
	NextUpdate *Time           `json:"next_update"` // of its manifest: nothing is valid after it without an exchange; null: it has no signer
	NotAfter   *Time           `json:"not_after"`   // of its certificate; null: it has no signer
	Issues     []ErrorResponse `json:"issues"`
}
