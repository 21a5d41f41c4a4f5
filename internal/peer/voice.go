package peer

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"math/big"
	"sync"
	"time"

	"baleen/internal/ca"
	"baleen/internal/keylock"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
)

const (
	// voiceLife is how long an EE certificate for protocol messages is good for. A key for each message would cost more
	// than everything else in an exchange.
	voiceLife = 4 * time.Hour

	// voiceRest is how much of that must remain: a message is on its way for a while, and peers' clocks differ.
	voiceRest = time.Hour

	// voiceBefore is how far its validity reaches into the past, for peers whose clocks are slow.
	voiceBefore = 5 * time.Minute
)

// voice is what signs the protocol messages of one identity for some hours: a
// key with its EE certificate, and the identity's CRL (RFC 6492 section 3.1.1).
type voice struct {
	ee, crl  []byte // DER
	key      crypto.Signer
	from, to time.Time

	mu     sync.Mutex
	second time.Time
	spoken int // messages in that second
}

// distinct makes the messages of one second differ: the same words signed with
// the same key at the same time would be the same message, which whoever
// receives it must take for a replay. Blank lines at the end of XML say nothing.
func (v *voice) distinct(content []byte, now time.Time) []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !now.Equal(v.second) {
		v.second, v.spoken = now, 0
	}
	v.spoken++
	return append(content, bytes.Repeat([]byte("\n"), v.spoken-1)...)
}

// Voices keeps the voice of each identity, and lets one message at a time go
// from a CA to a peer. The zero value is empty.
type Voices struct {
	turns keylock.Locks
	mu    sync.Mutex
	kept  map[cert.KeyID]*voice
	swept time.Time
}

// get gives a voice that is good at now, or nil.
func (v *Voices) get(id cert.KeyID, now time.Time) *voice {
	v.mu.Lock()
	defer v.mu.Unlock()
	if kept := v.kept[id]; kept != nil && kept.good(now) {
		return kept
	}
	return nil
}

func (v *voice) good(now time.Time) bool {
	return !now.Before(v.from) && now.Before(v.to.Add(-voiceRest))
}

// put keeps a voice, and forgets those that are over.
func (v *Voices) put(id cert.KeyID, fresh *voice, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.kept == nil {
		v.kept = map[cert.KeyID]*voice{}
	}
	v.kept[id] = fresh
	if now.Sub(v.swept).Abs() < voiceRest {
		return
	}
	v.swept = now
	for id, old := range v.kept {
		if !old.good(now) {
			delete(v.kept, id)
		}
	}
}

// speak signs a protocol message for an identity of this server.
func (s Speaker) speak(ctx context.Context, id ca.Identity, content []byte) ([]byte, error) {
	now := s.Now().UTC().Truncate(time.Second)
	v := s.Voices.get(id.KeyID, now)
	if v == nil {
		defer s.Voices.turns.Lock("voice " + id.KeyID.String())()
		if v = s.Voices.get(id.KeyID, now); v == nil {
			var err error
			if v, err = s.newVoice(ctx, id, now); err != nil {
				return nil, fmt.Errorf("sign a message: %w", err)
			}
			s.Voices.put(id.KeyID, v, now)
		}
	}
	return cms.SignMessage(cms.MessageTemplate{Content: v.distinct(content, now), EE: v.ee, CRL: v.crl, Key: v.key, SigningTime: now})
}

func (s Speaker) newVoice(ctx context.Context, id ca.Identity, now time.Time) (*voice, error) {
	own, err := cert.Decode(id.Cert)
	if err != nil {
		return nil, err
	}
	signer, err := s.Keys.Signer(ctx, id.KeyID)
	if err != nil {
		return nil, err
	}
	key, err := s.OneOff.Take(ctx)
	if err != nil {
		return nil, err
	}
	serial, err := cert.NewSerial()
	if err != nil {
		return nil, err
	}
	by := cert.Issuer{RawSubject: own.RawSubject, KeyID: own.KeyID, Signer: signer}
	v := &voice{key: key, from: now.Add(-voiceBefore), to: now.Add(voiceLife)}
	v.ee, err = cert.SignIdentityEE(cert.Template{Serial: serial, NotBefore: v.from, NotAfter: v.to, PublicKey: key.Public()}, by)
	if err != nil {
		return nil, err
	}
	v.crl, err = crl.Sign(crl.Template{Number: big.NewInt(now.UnixMilli()), ThisUpdate: v.from, NextUpdate: v.to}, by)
	return v, err
}
