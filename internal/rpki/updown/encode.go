package updown

import "errors"

var errNotYet = errors.New("not yet")

// Encode writes the message.
func (m Message) Encode() ([]byte, error) { return nil, errNotYet }

func (List) append(b []byte) ([]byte, error)             { return nil, errNotYet }
func (p ListResponse) append(b []byte) ([]byte, error)   { return nil, errNotYet }
func (p Issue) append(b []byte) ([]byte, error)          { return nil, errNotYet }
func (p IssueResponse) append(b []byte) ([]byte, error)  { return nil, errNotYet }
func (p Revoke) append(b []byte) ([]byte, error)         { return nil, errNotYet }
func (p RevokeResponse) append(b []byte) ([]byte, error) { return nil, errNotYet }
func (p ErrorResponse) append(b []byte) ([]byte, error)  { return nil, errNotYet }
