// Package checklist verifies files against a signed checklist (RFC 9323): the
// checklist by the path from a trust anchor, with what is published in local
// folders, and then each file by its digest. It needs no network. It stands
// behind the command "rsc verify".
package checklist

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"baleen/internal/inspect"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/rsc"
	"baleen/internal/rpki/tal"
)

// Stdin is how the data on standard input is named among files.
const Stdin = "-"

// Options says what Run verifies, and how.
type Options struct {
	TAL     string    // file of the trust anchor locator; "": TACert is trusted as it is
	TACert  string    // file of the trust anchor's certificate; "": it is in Repo, under an URI of the TAL
	Repo    []string  // folders of what is published: DIR, with HOST/PATH in it, or URI=DIR
	RSC     string    // file of the checklist
	Files   []string  // to be verified; Stdin once
	NoNames bool      // files are known by digest alone, and must be listed without a name
	At      time.Time // when all must be valid; zero is the present
	JSON    bool      // a Report instead of text
	Stdin   io.Reader // data without a name
}

// Run writes to w what the checklist says of each file. verified tells whether
// the checklist is valid and every file is listed by its name, or without a name
// where it has none (RFC 9323 section 6). A file that cannot be read is not
// verified but no error; err is about what the checklist is validated with, or
// w, or that ctx ended.
func Run(ctx context.Context, opts Options, w io.Writer) (verified bool, err error) {
	if opts.At = opts.At.UTC(); opts.At.IsZero() {
		opts.At = time.Now().UTC().Truncate(time.Second)
	}
	r := &Report{File: opts.RSC, CheckedAt: opts.At, Path: []Certificate{}, Violations: []Violation{}, Files: []File{}, NotGiven: []Entry{}}
	list, err := r.validate(ctx, opts)
	if err != nil {
		return false, err
	}
	if r.Valid {
		if err := r.compare(ctx, opts, list); err != nil {
			return false, err
		}
	}
	out := bufio.NewWriter(w)
	if opts.JSON {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		err = encoder.Encode(r)
	} else {
		r.writeText(out)
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return false, fmt.Errorf("write: %w", err)
	}
	return r.Verified, nil
}

// validate takes in what the checklist says, and why it is not valid, if so
// (RFC 9323 section 5).
func (r *Report) validate(ctx context.Context, opts Options) (rsc.Checklist, error) {
	der, err := readFile(ctx, opts.RSC)
	if err != nil {
		return rsc.Checklist{}, fmt.Errorf("checklist: %w", err)
	}
	repo, err := openFolders(opts.Repo)
	if err != nil {
		return rsc.Checklist{}, err
	}
	defer repo.close()
	s, broken := profile.Checklist(der)
	r.describe(s)
	err = refuse(opts.RSC, broken...)
	if err == nil {
		err = r.validatePath(ctx, opts, repo, s.EE)
	}
	var refused *refusal
	if errors.As(err, &refused) {
		for _, v := range refused.broken {
			r.Violations = append(r.Violations, Violation{refused.object, inspect.Violation{RFC: v.RFC, Section: v.Section, Rule: v.Rule}})
		}
		return s.Checklist, nil
	}
	r.Valid = err == nil
	return s.Checklist, err
}

// validatePath validates the EE certificate of the checklist, from the trust
// anchor down.
func (r *Report) validatePath(ctx context.Context, opts Options, repo folders, ee *cert.Certificate) error {
	w := walk{ctx: ctx, repo: repo, at: opts.At}
	var err error
	if w.anchor, err = trustAnchor(ctx, opts, repo); err != nil {
		return err
	}
	links, err := w.issuer(opts.RSC, ee)
	for _, l := range links {
		r.Path = append(r.Path, Certificate{l.uri, l.cert.KeyID.String()})
	}
	return err
}

// trustAnchor gives the certificate of the trust anchor: valid, and the one of
// the locator (RFC 8630 section 3).
func trustAnchor(ctx context.Context, opts Options, repo folders) (link, error) {
	if opts.TAL == "" && opts.TACert == "" {
		return link{}, errors.New("no trust anchor: give its locator or its certificate")
	}
	var located tal.TAL
	if opts.TAL != "" {
		file, err := readFile(ctx, opts.TAL)
		if err != nil {
			return link{}, fmt.Errorf("trust anchor locator: %w", err)
		}
		var broken []profile.Violation
		if located, broken = profile.TAL(file); len(broken) > 0 {
			return link{}, refuse(opts.TAL, broken...)
		}
	}
	uri, der, err := anchorCertificate(ctx, opts, repo, located.URIs)
	if err != nil {
		return link{}, err
	}
	if err := profile.CheckTrustAnchor(der, opts.At); err != nil {
		return link{}, refuse(uri, profile.Violations(err, "RFC 6487", "4")...)
	}
	c, err := cert.Decode(der)
	if err != nil {
		return link{}, err
	}
	if opts.TAL != "" {
		return link{uri, c}, refuse(uri, profile.TALNames(located, c)...)
	}
	return link{uri, c}, nil
}

// anchorCertificate gives the file of the operator, or the first of these URIs
// that the folders have.
func anchorCertificate(ctx context.Context, opts Options, repo folders, uris []string) (name string, der []byte, err error) {
	if opts.TACert != "" {
		der, err = readFile(ctx, opts.TACert)
		if err != nil {
			err = fmt.Errorf("trust anchor certificate: %w", err)
		}
		return opts.TACert, der, err
	}
	w := walk{ctx: ctx}
	for _, uri := range uris {
		if der, err = repo.read(ctx, uri); err == nil {
			return uri, der, nil
		}
	}
	return "", nil, w.absent(err, opts.TAL, "RFC 8630", "3", "the trust anchor's certificate")
}

// compare judges every file, and finds out which entries of the list stand for
// none of them.
func (r *Report) compare(ctx context.Context, opts Options, list rsc.Checklist) error {
	r.Verified = true
	used := map[rsc.File]bool{}
	for _, name := range opts.Files {
		f := File{File: name, ListedAs: []string{}}
		if !opts.NoNames && name != Stdin {
			f.Name = filepath.Base(name)
		}
		hash, err := digestFile(ctx, name, opts.Stdin)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			f.Verdict, f.Error = Unreadable, err.Error()
		default:
			f.judge(list, hash)
			used[rsc.File{Name: f.Name, Hash: hash}] = f.Verdict == Verified
		}
		r.Verified = r.Verified && f.Verdict == Verified
		r.Files = append(r.Files, f)
	}
	for _, e := range list.Files {
		if !used[e] {
			r.NotGiven = append(r.NotGiven, Entry{e.Name, hex.EncodeToString(e.Hash[:])})
		}
	}
	return nil
}

func digestFile(ctx context.Context, name string, stdin io.Reader) ([32]byte, error) {
	if name == Stdin {
		return digest(ctx, stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return [32]byte{}, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return digest(ctx, f)
}
