package tafolder

import (
	"errors"
	"fmt"
	"reflect"

	"baleen/internal/es"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/profile"
	"baleen/internal/ta"
	"baleen/internal/tafile"
)

// Verify goes through the whole log once more: every message verifies under the
// identity key of who sent it, says what the log says, and every object that was
// issued was good when it was. It needs no passphrase.
func (f *Folder) Verify() error {
	var s ta.SignerState
	for _, r := range f.Records {
		e, err := ta.SignerType().Codec.Decode(r.Event, r.Payload)
		if err != nil {
			return err
		}
		if processed, ok := e.(ta.RequestProcessed); ok {
			err = f.verifyExchange(r, processed, &s)
		}
		ta.SignerType().Apply(&s, es.Meta{At: r.At}, e)
		if err == nil {
			err = f.verifyIssued(r, &s, signs(e))
		}
		if err != nil {
			return fmt.Errorf("%s: record %d: %w", logName, r.Number, err)
		}
	}
	return nil
}

// verifyExchange compares the messages with what was recorded of them.
func (f *Folder) verifyExchange(r Record, e ta.RequestProcessed, before *ta.SignerState) error {
	if r.Request != nil {
		asked, err := tafile.Opener{From: before.ProxyID}.Request(r.Request)
		if err != nil {
			return fmt.Errorf("request: %w", err)
		}
		if asked.Nonce != e.Response.Nonce || !asked.MadeAt.Equal(e.RequestMadeAt) {
			return fmt.Errorf("the request is %s, the response is to %s", asked.Nonce, e.Response.Nonce)
		}
	}
	given, err := tafile.Opener{From: before.Identity}.Response(r.Response, f.DER[before.TA.Hash])
	if err != nil {
		return fmt.Errorf("response: %w", err)
	}
	if !reflect.DeepEqual(given.Response, e.Response) {
		return errors.New("the response says something else than the log")
	}
	return nil
}

// verifyIssued looks at certificate, manifest and CRL as they were then.
func (f *Folder) verifyIssued(r Record, s *ta.SignerState, fresh bool) error {
	at := r.At
	if at.Before(s.Objects.ThisUpdate) {
		at = s.Objects.ThisUpdate
	}
	der := f.DER[s.TA.Hash]
	if err := profile.CheckTrustAnchor(der, r.At); err != nil {
		return fmt.Errorf("trust anchor certificate: %w", err)
	}
	root, err := cert.Decode(der)
	if err != nil {
		return err
	}
	if !fresh {
		return nil // the manifest is that of before, and may be old
	}
	return s.Objects.Check(root, f.DER, at)
}
