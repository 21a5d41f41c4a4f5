package publication

// Encode writes the query.
func (q Query) Encode() ([]byte, error) { return nil, errNotYet }

// Encode writes the reply.
func (r Reply) Encode() ([]byte, error) { return nil, errNotYet }
