package cms

import (
	"crypto"
	"crypto/rand"
)

// Encode lets tests compare what was decoded with what it was decoded from.
func (o *Object) Encode() ([]byte, error) { return o.encode() }

// Reseal makes signedAttrs follow s.Attributes again after a test changed them.
func (s *Signer) Reseal() { s.signed, _ = attributesElement(s.Attributes) }

// SignedForm gives the octets that s signs.
func (s *Signer) SignedForm() []byte { return signedForm(s.signed) }

// Object gives the frame of m, for tests to change.
func (m *Message) Object() *Object { return &m.object }

// Encode lets tests compare a message with what it was decoded from.
func (m *Message) Encode() ([]byte, error) { return m.object.encode() }

// Sign makes s a signature over its attributes again, in the order they stand in.
func (s *Signer) Sign(key crypto.Signer) error {
	s.Reseal()
	var err error
	s.Signature, err = crypto.SignMessage(key, rand.Reader, signedForm(s.signed), crypto.SHA256)
	return err
}
