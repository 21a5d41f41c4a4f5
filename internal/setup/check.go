package setup

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"baleen/internal/ca"
	"baleen/internal/fault"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
)

// importRefused is a refusal of an import in the words of the API.
func importRefused(format string, args ...any) error {
	return fault.New(fault.Invalid, "general-error", fmt.Sprintf(format, args...))
}

// checkImport makes all checks before anything is done: whatever it lets pass
// can be done, as far as this server alone decides.
func (s *Importer) checkImport(ctx context.Context, m Import) error {
	known, err := s.importGround(ctx, m)
	if err != nil {
		return err
	}
	if err := checkHierarchy(m.CAs, known); err != nil {
		return err
	}
	if err := s.checkImportedServer(ctx, m); err != nil {
		return err
	}
	if m.TA != nil {
		if err := s.checkImportedTA(ctx, *m.TA); err != nil {
			return err
		}
	}
	for _, c := range m.CAs {
		if err := s.checkImportedCA(ctx, c, m.TA != nil); err != nil {
			return err
		}
	}
	return nil
}

// checkImportedServer wants one publication server: the one that is there, or
// the one of the import.
func (s *Importer) checkImportedServer(ctx context.Context, m Import) error {
	taken, err := s.Service.Pubs.Publishers(ctx)
	switch {
	case err == nil && m.PublicationServer != nil:
		return fault.New(fault.Invalid, "pub-repo-initialized", "Publication Server already initialized")
	case err == nil:
		return freeToPublish(m, taken)
	case fault.Code(err) != "pub-repo-not-initialized" || m.PublicationServer == nil && (m.TA != nil || len(m.CAs) > 0):
		return err
	case m.PublicationServer != nil:
		u := *m.PublicationServer
		_, err = pubserver.InitRepository{RRDPBase: u.RRDPBase, RsyncBase: u.RsyncJail}.Process(&pubserver.State{}, s.Service.Now())
		return err
	}
	return nil
}

// freeToPublish refuses CAs whose name another publisher has.
func freeToPublish(m Import, taken []string) error {
	have := make(map[string]bool, len(taken))
	for _, p := range taken {
		have[p] = true
	}
	for _, c := range m.CAs {
		if have[c.Handle] {
			return &fault.Error{Kind: fault.Exists, Code: "pub-duplicate", Msg: "Duplicate publisher '" + c.Handle + "'", Args: map[string]string{"publisher": c.Handle}}
		}
	}
	return nil
}

// checkImportedTA wants a server that may sign for a trust anchor, has none yet,
// and can use the key.
func (s *Importer) checkImportedTA(ctx context.Context, t ImportTA) error {
	if !s.Service.Config.EmbeddedTA {
		return importRefused("Import TA requires ta_support_enabled = true and ta_signer_enabled = true")
	}
	_, err := s.Service.Proxy.StreamID(ctx, ta.Handle)
	if err == nil {
		return fault.New(fault.Invalid, "ta-initialized", "TrustAnchor was already initialized")
	}
	if fault.Code(err) != "stream-unknown" {
		return err
	}
	if !cert.IsRsyncURI(t.AIA) || !cert.IsHTTPSURI(t.URI) {
		return importRefused("ta_aia must be an rsync URI and ta_uri an https URI")
	}
	if t.ManifestNumber > maxImportedNumber {
		return importRefused("ta_mft_nr_override must be at most %d", uint64(maxImportedNumber))
	}
	_, err = t.key()
	return err
}

// maxImportedNumber is the highest manifest number that a trust anchor can go on from.
const maxImportedNumber = 1<<53 - 1

// key reads the private key of a trust anchor; nil if a new one is to be made.
func (t ImportTA) key() (*rsa.PrivateKey, error) {
	if t.KeyPEM == "" {
		return nil, nil
	}
	refuse := func(err error) error { return importRefused("ta_key_pem: %v", err) }
	block, rest := pem.Decode([]byte(t.KeyPEM))
	if block == nil || strings.TrimSpace(string(rest)) != "" {
		return nil, refuse(errors.New("it is not one PEM block"))
	}
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY": // PKCS#1
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "PRIVATE KEY": // PKCS#8
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	default:
		err = fmt.Errorf("it holds %q, not an RSA private key (PKCS#1 or PKCS#8)", block.Type)
	}
	if err != nil {
		return nil, refuse(errors.New("the private key cannot be read")) // its error might quote the key
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, refuse(errors.New("it is not an RSA key"))
	}
	if err := cert.CheckRSAKey(private.Public()); err != nil {
		return nil, refuse(err)
	}
	return private, nil
}

// importGround gives the CAs of this server that matter for an import, with what
// they hold: those that have a name of the import, and those that are to be
// parents. CAs of an import that is not complete yet count too.
func (s *Importer) importGround(ctx context.Context, m Import) (map[string]resources.Set, error) {
	known := map[string]resources.Set{ta.Handle: resources.AllResources()}
	look := func(handle string) error {
		if _, seen := known[handle]; seen {
			return nil
		}
		err := s.Service.ViewCA(ctx, handle, func(st *ca.State, _ int64) error { known[handle] = st.Held(); return nil })
		if fault.Code(err) == "ca-unknown" {
			return nil
		}
		return err
	}
	for _, c := range m.CAs {
		if err := look(c.Handle); err != nil {
			return nil, err
		}
		for _, p := range c.Parents {
			if err := look(p.Handle); err != nil {
				return nil, err
			}
		}
	}
	running, err := s.imports(ctx)
	for _, r := range running {
		for _, handle := range r.Args.CAs {
			if _, seen := known[handle]; !seen {
				known[handle] = resources.Set{}
			}
		}
	}
	return known, err
}

// checkHierarchy wants names that are free, and parents that are there or come
// before and hold what is asked of them. The trust anchor holds everything.
func checkHierarchy(cas []ImportCA, known map[string]resources.Set) error {
	for _, c := range cas {
		if c.Handle == ta.Handle {
			return importRefused("CA name ta is reserved.")
		}
		if _, taken := known[c.Handle]; taken {
			return importRefused("CA with name %s already exists. Check import and server state!", c.Handle)
		}
		if err := ca.CheckNewHandle(c.Handle); err != nil {
			return err
		}
		seen := map[string]bool{}
		for _, p := range c.Parents {
			held, there := known[p.Handle]
			switch {
			case !there:
				return importRefused("CA '%s' wants parent '%s', but this parent CA does not appear before this CA.", c.Handle, p.Handle)
			case !held.Contains(p.Resources):
				return importRefused("CA '%s' under parent '%s' claims resources not held by parent.", c.Handle, p.Handle)
			case seen[p.Handle]:
				return importRefused("CA '%s' names parent '%s' twice.", c.Handle, p.Handle)
			case p.Resources.IsEmpty() && p.Handle != ta.Handle:
				return childWithout(c.Handle, p.Handle)
			}
			seen[p.Handle] = true
		}
		known[c.Handle] = c.claims()
	}
	return nil
}

func childWithout(child, parent string) error {
	_, err := ca.AddChild{Child: child}.Process(&ca.State{Handle: parent}, time.Time{})
	return err
}

// checkImportedCA wants parents that have no other child of the name, and ROAs
// that the CA may issue with what it claims.
func (s *Importer) checkImportedCA(ctx context.Context, c ImportCA, newTA bool) error {
	for _, p := range c.Parents {
		if p.Handle == ta.Handle && newTA {
			continue
		}
		taken, err := s.hasChild(ctx, p.Handle, c.Handle)
		if err != nil {
			return err
		}
		if taken {
			return &fault.Error{
				Kind: fault.Exists, Code: "ca-child-duplicate", Args: map[string]string{"ca": p.Handle, "child": c.Handle},
				Msg: "CA '" + p.Handle + "' already has a child named '" + c.Handle + "'",
			}
		}
	}
	if len(c.ROAs) == 0 {
		return nil
	}
	imagined := &ca.State{Handle: c.Handle, Classes: map[string]*ca.Class{"0": {Current: &ca.CertifiedKey{Cert: ca.CertRecord{Resources: c.claims()}}}}}
	_, err := ca.ConfigureROAs{Added: c.ROAs}.Process(imagined, s.Service.Now())
	return err
}

// hasChild says whether a CA of this server, or the trust anchor, has a child of
// this name. A CA that is to be made by the import has none.
func (s *Importer) hasChild(ctx context.Context, parent, child string) (has bool, err error) {
	if parent == ta.Handle {
		err = s.Service.TA().View(ctx, func(st *ta.ProxyState) error { has = st.Children[child] != nil; return nil })
		return has, err
	}
	err = s.Service.ViewCA(ctx, parent, func(st *ca.State, _ int64) error { has = st.Children[child] != nil; return nil })
	if fault.Code(err) == "ca-unknown" {
		err = nil
	}
	return has, err
}
