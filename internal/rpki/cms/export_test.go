package cms

// Encode lets tests compare what was decoded with what it was decoded from.
func (o *Object) Encode() ([]byte, error) { return o.encode() }

// Reseal makes signedAttrs follow s.Attributes again after a test changed them.
func (s *Signer) Reseal() { s.signed, _ = attributesElement(s.Attributes) }

// SignedForm gives the octets that s signs.
func (s *Signer) SignedForm() []byte { return signedForm(s.signed) }
