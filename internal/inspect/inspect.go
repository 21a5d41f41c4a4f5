// Package inspect says what certificates, CRLs, manifests, ROAs, ASPAs, trust
// anchor keys and locators, RRDP files, protocol messages and set-up documents hold, in
// the words of their RFCs, and which rules they break. It stands behind the
// command "inspect".
package inspect

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/profile"
)

// Limits on what is read, in octets.
const (
	maxObject = 32 << 20
	maxRRDP   = 1 << 30
)

// Options says what Run looks at, and how.
type Options struct {
	Issuer string    // file of the issuer's certificate; "" checks every file in itself
	IDCert string    // file with the identity certificate of who sent protocol messages; "" checks them in themselves
	At     time.Time // when signatures under Issuer and IDCert must be valid; zero is the present
	JSON   bool      // one JSON object (a Report) a line instead of text
	Files  []string
}

// Run writes what each file says to w, and every rule it breaks. allValid tells
// whether all of them are valid: each in itself, and if an issuer is given also
// by signature, validity at that time and resources. A self-signed certificate
// is its own issuer. An unreadable file is not valid but no error; err is about
// the issuer's file, about w, or that ctx ended.
func Run(ctx context.Context, opts Options, w io.Writer) (allValid bool, err error) {
	in := inspector{at: opts.At.UTC()}
	if opts.At.IsZero() {
		in.at = time.Now().UTC()
	}
	if opts.Issuer != "" {
		if in.issuer, err = readIssuer(opts.Issuer); err != nil {
			return false, fmt.Errorf("issuer %s: %w", opts.Issuer, err)
		}
	}
	if opts.IDCert != "" {
		if in.identity, err = readIdentity(opts.IDCert); err != nil {
			return false, fmt.Errorf("identity certificate %s: %w", opts.IDCert, err)
		}
	}
	out := bufio.NewWriter(w)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	allValid = true
	for i, file := range opts.Files {
		r := in.file(ctx, file)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		allValid = allValid && r.Valid
		switch {
		case opts.JSON:
			err = encoder.Encode(r)
		default:
			if i > 0 {
				_ = out.WriteByte('\n') // an error stays and shows at Flush
			}
			writeText(out, r)
		}
		if err == nil {
			err = out.Flush()
		}
		if err != nil {
			return false, fmt.Errorf("write: %w", err)
		}
	}
	return allValid, nil
}

func readIssuer(name string) (*cert.Certificate, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	der, err := readObject(f)
	if err != nil {
		return nil, err
	}
	return cert.Decode(der)
}

// inspector is what all files of a run are looked at with.
type inspector struct {
	issuer   *cert.Certificate // nil if none is given
	identity *cert.Identity    // nil if none is given
	at       time.Time
}

// file gives the report on one file, whatever happens.
func (in inspector) file(ctx context.Context, name string) *Report {
	r := &Report{File: name, Violations: []Violation{}}
	f, err := os.Open(name)
	if err != nil {
		r.Error = err.Error()
		return r
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		r.Error = "is a folder"
		return r
	}
	hash := sha256.New()
	counted := &counter{ctx: ctx, r: io.TeeReader(f, hash)}
	if err := in.read(r, name, counted); err != nil {
		r.Error, r.Type = err.Error(), ""
	}
	r.Size, r.SHA256 = counted.n, hex.EncodeToString(hash.Sum(nil))
	r.Valid = r.Error == "" && len(r.Violations) == 0
	return r
}

// read finds out what r is about and fills it. An error means that nothing can be said.
func (in inspector) read(r *Report, name string, f io.Reader) error {
	buffered := bufio.NewReaderSize(f, headSize)
	head, err := buffered.Peek(headSize)
	if err != nil && err != io.EOF {
		return err
	}
	if root, ok := xmlRoot(head); ok && isSetup(root) {
		return in.setup(r, root, buffered)
	} else if ok {
		return r.rrdp(root.local, buffered)
	}
	data, err := readObject(buffered)
	if err != nil {
		return err
	}
	data = unwrapped(data)
	switch r.Type = typeOf(data, name); r.Type {
	case TypeCertificate:
		in.certificate(r, data)
	case TypeCRL:
		in.crl(r, data)
	case TypeManifest:
		in.manifest(r, data)
	case TypeROA:
		in.roa(r, data)
	case TypeASPA:
		in.aspa(r, data)
	case TypeTAK:
		in.tak(r, data)
	case TypeCard:
		in.ghostbusters(r, data)
	case TypeChecklist:
		in.checklist(r, data)
	case TypeSignedObject:
		in.signedObject(r, data)
	case TypeTAL:
		in.tal(r, data)
	case TypeMessage:
		in.message(r, data)
	default:
		return fmt.Errorf("is no certificate, CRL, signed object, trust anchor locator, RRDP file, protocol message or set-up document")
	}
	return nil
}

func readObject(f io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, maxObject+1))
	if err == nil && len(data) > maxObject {
		err = fmt.Errorf("is larger than %d MiB, which no object is", maxObject>>20)
	}
	return data, err
}

// broken adds violations to the report.
func (r *Report) broken(violations ...profile.Violation) {
	for _, v := range violations {
		r.Violations = append(r.Violations, Violation{v.RFC, v.Section, v.Rule})
	}
}

// checked notes against which certificate and when the file was checked.
func (r *Report) checked(issuer *cert.Certificate, at time.Time) {
	r.CheckedBy, r.CheckedAt = issuer.KeyID.String(), at
}

// counter counts octets, and stops when ctx ends.
type counter struct {
	ctx context.Context
	r   io.Reader
	n   int64
}

func (c *counter) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
