package api

// Issuing is the answer to GET /api/v1/cas/{ca}/issuing: how far a CA is with
// its ROA objects.
type Issuing struct {
	Paused   bool  `json:"paused"`
	Wanted   int64 `json:"wanted"`   // objects that the CA should have
	Issued   int64 `json:"issued"`   // those of them that it has
	Withdraw int64 `json:"withdraw"` // objects that it has and should not
}
