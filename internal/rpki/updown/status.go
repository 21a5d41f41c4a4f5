package updown

import (
	"errors"
	"strconv"
)

// Status is the code of an error_response.
type Status int

// The codes of RFC 6492 section 3.6.
const (
	StatusBusy          Status = 1101 // a request of this client is being worked on
	StatusVersion       Status = 1102
	StatusType          Status = 1103
	StatusScheduled     Status = 1104 // accepted, the answer comes later
	StatusNoClass       Status = 1201
	StatusNoResources   Status = 1202
	StatusBadRequest    Status = 1203 // the PKCS #10 request
	StatusKeyUsed       Status = 1204
	StatusRevokeNoClass Status = 1301
	StatusRevokeNoKey   Status = 1302
	StatusInternal      Status = 2001
)

var descriptions = map[Status]string{
	StatusBusy:          "already processing request",
	StatusVersion:       "version number error",
	StatusType:          "unrecognized request type",
	StatusScheduled:     "request scheduled for processing",
	StatusNoClass:       "request - no such resource class",
	StatusNoResources:   "request - no resources allocated in resource class",
	StatusBadRequest:    "request - badly formed certificate request",
	StatusKeyUsed:       "request - already used key in request",
	StatusRevokeNoClass: "revoke - no such resource class",
	StatusRevokeNoKey:   "revoke - no such key",
	StatusInternal:      "Internal Server Error - Request not performed",
}

// Description gives the words of RFC 6492 section 3.6; "" for other codes.
func (s Status) Description() string { return descriptions[s] }

// String gives the code with its description.
func (s Status) String() string {
	code := strconv.Itoa(int(s))
	if d := s.Description(); d != "" {
		return code + " " + d
	}
	return code
}

// StatusOf gives the code to answer a message with that Decode refused. RFC
// 6492 has none for malformed XML: that is no request anybody recognizes.
func StatusOf(err error) Status {
	if errors.Is(err, ErrVersion) {
		return StatusVersion
	}
	return StatusType
}
