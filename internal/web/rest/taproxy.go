package rest

// TAProxy answers for the online part of the trust anchor.
type TAProxy struct{ *Deps }
