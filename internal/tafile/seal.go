package tafile

import (
	"bytes"
	"crypto"
	"math/big"
	"time"

	"baleen/api"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/ta"
)

// Sealer signs messages for one of the two sides.
type Sealer struct {
	By     ta.Identity   // the sender
	Key    crypto.Signer // its identity key
	OneOff crypto.Signer // a fresh RSA key, to be forgotten afterwards
	Serial *big.Int      // never used before
	Now    time.Time
	Timing ta.Timing // for how long a message is good
}

// seal gives the content as a signed message.
func (s Sealer) seal(clear any) (api.TASignedMessage, error) {
	content, err := pretty(clear)
	if err != nil {
		return api.TASignedMessage{}, err
	}
	own, err := cert.Decode(s.By.Cert)
	if err != nil {
		return api.TASignedMessage{}, err
	}
	now := s.Now.UTC().Truncate(time.Second)
	from, to := now.Add(-clockSkew), now.AddDate(0, 0, s.Timing.SignedMessageValidityDays)
	by := cert.Issuer{RawSubject: own.RawSubject, KeyID: own.KeyID, Signer: s.Key}
	ee, err := cert.SignIdentityEE(cert.Template{Serial: s.Serial, NotBefore: from, NotAfter: to, PublicKey: s.OneOff.Public()}, by)
	if err != nil {
		return api.TASignedMessage{}, err
	}
	list, err := crl.Sign(crl.Template{Number: big.NewInt(now.UnixMilli()), ThisUpdate: from, NextUpdate: to}, by)
	if err != nil {
		return api.TASignedMessage{}, err
	}
	message, err := cms.SignMessage(cms.MessageTemplate{Content: content, EE: ee, CRL: list, Key: s.OneOff, SigningTime: now})
	return api.TASignedMessage{Message: message}, err
}

// Opener verifies messages of the other side.
type Opener struct {
	From ta.Identity // the sender
	Now  time.Time   // zero: the moment of signing, for what was taken before and is read again
}

// open verifies a message, reads its content into signed and compares it with
// the clear text, which is of the same type. It gives the time of signing.
func (o Opener) open(sealed api.TASignedMessage, clear, signed any) (time.Time, error) {
	m, err := cms.DecodeMessage(sealed.Message)
	if err != nil {
		return time.Time{}, because(err, "The signed message")
	}
	now := o.Now
	if now.IsZero() {
		now = m.SigningTime
	}
	id, err := cert.DecodeIdentity(o.From.Cert, now)
	if err != nil {
		return time.Time{}, bad("The sender's %v", err)
	}
	if err := m.Verify(id, now, clockSkew); err != nil {
		return time.Time{}, because(err, "The signed message is not good:")
	}
	if err := decode(m.Content, signed); err != nil {
		return time.Time{}, err
	}
	same, err := equal(clear, signed)
	if err == nil && !same {
		err = bad("The clear text is not what was signed: the file was edited")
	}
	return m.SigningTime, err
}

// equal says whether both are written in the same way.
func equal(a, b any) (bool, error) {
	one, err := api.Marshal(a)
	if err != nil {
		return false, err
	}
	other, err := api.Marshal(b)
	return bytes.Equal(one, other), err
}
