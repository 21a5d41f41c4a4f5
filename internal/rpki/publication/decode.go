package publication

import "errors"

var errNotYet = errors.New("not yet")

// DecodeQuery reads a query. Whatever error it gives, the document is at
// fault: the answer is xml_error.
func DecodeQuery(data []byte, l Limits) (Query, error) { return Query{}, errNotYet }

// DecodeReply reads a reply.
func DecodeReply(data []byte, l Limits) (Reply, error) { return Reply{}, errNotYet }
