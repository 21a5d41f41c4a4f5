package setup_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"baleen/internal/ca"
	"baleen/internal/fault"
	"baleen/internal/rpki/oob"
	"baleen/internal/service"
	"baleen/internal/setup"
	"baleen/internal/ta"
)

// TestBulkImportChecksFirst gives every refusal of an import, and that nothing
// was done.
func TestBulkImportChecksFirst(t *testing.T) {
	w := importing(t)
	w.Start() // with publication server, trust anchor and CA testbed
	w.Join("other", "testbed", set("AS65000", "10.0.0.0/8", ""))
	up, err := w.AddChild(t.Context(), operator, "other", ca.AddChild{Child: "taken", IDCert: w.State("other").Identity.Cert, Resources: set("AS65000", "", "")}, service.AnyVersion)
	if err != nil {
		t.Fatal(up, err)
	}
	_, err = w.Pubs.AddPublisher(t.Context(), operator, oob.PublisherRequest{PublisherHandle: "press", IDCert: w.State("other").Identity.Cert})
	w.Must(err)

	one := func(handle, parent string, as string) setup.ImportCA {
		return setup.ImportCA{Handle: handle, Parents: []setup.ImportParent{{Handle: parent, Resources: set(as, "10.1.0.0/16", "")}}}
	}
	tests := map[string]struct {
		give       setup.Import
		code, text string
	}{
		"reserved": {setup.Import{CAs: []setup.ImportCA{one("ta", "other", "AS65000")}}, "general-error", "CA name ta is reserved."},
		"version":  {setup.Import{CAs: []setup.ImportCA{one("version", "other", "AS65000")}}, "ta-name-reserved", "Name reserved for embedded Trust Anchor"},
		"exists": {
			setup.Import{CAs: []setup.ImportCA{one("other", "testbed", "AS65000")}},
			"general-error",
			"CA with name other already exists. Check import and server state!",
		},
		"twice": {
			setup.Import{CAs: []setup.ImportCA{one("new", "other", "AS65000"), one("new", "other", "AS65000")}},
			"general-error",
			"CA with name new already exists. Check import and server state!",
		},
		"claims": {
			setup.Import{CAs: []setup.ImportCA{one("new", "other", "AS65001")}},
			"general-error",
			"CA 'new' under parent 'other' claims resources not held by parent.",
		},
		"claims of one before": {
			setup.Import{CAs: []setup.ImportCA{one("new", "other", "AS65000"), one("newer", "new", "AS65001")}},
			"general-error",
			"CA 'newer' under parent 'new' claims resources not held by parent.",
		},
		"order": {
			setup.Import{CAs: []setup.ImportCA{one("newer", "new", "AS65000"), one("new", "other", "AS65000")}},
			"general-error",
			"CA 'newer' wants parent 'new', but this parent CA does not appear before this CA.",
		},
		"publication server": {
			setup.Import{PublicationServer: &setup.ImportServer{RRDPBase: testbed.RRDPBaseURI, RsyncJail: testbed.RsyncJail}},
			"pub-repo-initialized",
			"Publication Server already initialized",
		},
		"trust anchor": {setup.Import{TA: &setup.ImportTA{AIA: testbed.TAAIA, URI: testbed.TAURI}}, "ta-initialized", "TrustAnchor was already initialized"},
		"child":        {setup.Import{CAs: []setup.ImportCA{one("taken", "other", "AS65000")}}, "ca-child-duplicate", "CA 'other' already has a child named 'taken'"},
		"child of the trust anchor": {
			setup.Import{CAs: []setup.ImportCA{{Handle: "testbed2"}, {Handle: "press"}}}, "pub-duplicate", "Duplicate publisher 'press'",
		},
		"no resources": {
			setup.Import{CAs: []setup.ImportCA{{Handle: "new", Parents: []setup.ImportParent{{Handle: "other"}}}}},
			"ca-child-resources-required",
			"Child 'new' for CA 'other' MUST have resources specified",
		},
		"roa": {
			setup.Import{CAs: []setup.ImportCA{{Handle: "new", Parents: one("", "other", "AS65000").Parents, ROAs: []ca.ConfiguredROA{route("10.2.0.0/16", 16, 1)}}}},
			"ca-roa-delta-error",
			"ROA delta rejected:\n\n'Cannot add the following ROAs with prefixes not on any of your certificates:\n  10.2.0.0/16-16 => 1\n' ",
		},
	}
	for name, c := range tests {
		err := w.imports.BulkImport(t.Context(), operator, c.give)
		if fault.Code(err) != c.code || err == nil || err.Error() != c.text {
			t.Errorf("%s: %s %q, want %s %q", name, fault.Code(err), err, c.code, c.text)
		}
	}
	if left, err := w.imports.ImportProgress(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("imports after refusals: %v, %v", left, err)
	}
	if all, err := w.Handles(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("CAs after refusals: %v, %v", all, err)
	}
}

func TestBulkImportNeedsASignerForATrustAnchor(t *testing.T) {
	w := newWorld(t)
	err := w.imports.BulkImport(t.Context(), operator, family())
	if fault.Code(err) != "general-error" || err.Error() != "Import TA requires ta_support_enabled = true and ta_signer_enabled = true" {
		t.Errorf("without a signer: %v", err)
	}
	m := family()
	m.TA, m.PublicationServer = nil, nil
	if err := w.imports.BulkImport(t.Context(), operator, m); fault.Code(err) != "pub-repo-not-initialized" {
		t.Errorf("without a publication server: %v", err)
	}
	w.Config.EmbeddedTA = true
	m = family()
	m.TA.KeyPEM = "-----BEGIN RSA PRIVATE KEY-----\nMAA=\n-----END RSA PRIVATE KEY-----\n"
	if err := w.imports.BulkImport(t.Context(), operator, m); err == nil || err.Error() != "ta_key_pem: the private key cannot be read" {
		t.Errorf("a key that is none: %v", err)
	}
	if all, err := w.Pubs.Publishers(t.Context()); fault.Code(err) != "pub-repo-not-initialized" {
		t.Errorf("a refused import did something: %v, %v", all, err)
	}
}

// TestImportedTrustAnchorKey brings a key and the number of its next manifest,
// in both forms of PEM.
func TestImportedTrustAnchorKey(t *testing.T) {
	key := testKey(t, "imported TA")
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"PKCS#1": {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)},
		"PKCS#8": {Type: "PRIVATE KEY", Bytes: pkcs8},
	} {
		t.Run(name, func(t *testing.T) {
			w := importing(t)
			m := family()
			m.CAs, m.TA.KeyPEM, m.TA.ManifestNumber = nil, string(pem.EncodeToMemory(block)), 42
			w.Must(w.imports.BulkImport(t.Context(), operator, m))
			w.Must(w.Signer.View(t.Context(), "ta", func(st *ta.SignerState, _ int64) error {
				if st.Objects.Number != 42 {
					t.Errorf("the first manifest has number %d", st.Objects.Number)
				}
				return nil
			}))
			w.imported()
			der, err := w.TA().Certificate(t.Context())
			w.Must(err)
			c, err := x509.ParseCertificate(der)
			if err != nil || !c.PublicKey.(*rsa.PublicKey).Equal(key.Public()) {
				t.Errorf("the certificate is not for the imported key (%v)", err)
			}
			if n := w.Count(`task WHERE args::text LIKE '%PRIVATE%'`); n > 0 {
				t.Error("a private key stands in the queue")
			}
		})
	}
}

// TestImportGoesOn cuts an import off before its CAs, and again between them.
func TestImportGoesOn(t *testing.T) {
	w := importing(t)
	// As if the server had ended right after the import was noted.
	w.Must(w.imports.BulkImport(t.Context(), operator, family()))
	w.Exec(`DELETE FROM task WHERE kind = 'ca_import'`)
	w.Exec(`UPDATE task SET args = args - 'prepared' WHERE kind = 'cas_import'`)
	w.Settle()
	if left, err := w.imports.ImportProgress(t.Context()); err != nil || len(left) != 1 || left[0].Prepared || len(left[0].Left) != 4 {
		t.Fatalf("an import that was cut off: %+v, %v", left, err)
	}
	w.Must(w.imports.BulkImport(t.Context(), operator, family()))
	// One CA of it cannot be made for a while.
	w.Exec(`UPDATE task SET run_at = 'infinity' WHERE kind = 'ca_import' AND key = 'child2'`)
	for range 20 {
		w.Settle()
		w.Pass(10e9)
	}
	left, err := w.imports.ImportProgress(t.Context())
	if err != nil || len(left) != 1 || len(left[0].Left) != 2 || left[0].Left[0].Key != "child2" || !left[0].Left[0].Parked {
		t.Fatalf("without child2: %+v, %v", left, err)
	}
	other := setup.Import{CAs: []setup.ImportCA{{Handle: "child2"}}}
	if err := w.imports.BulkImport(t.Context(), operator, other); err == nil || err.Error() != "CA with name child2 already exists. Check import and server state!" {
		t.Errorf("another import with a CA of the first: %v", err)
	}
	w.Must(w.imports.BulkImport(t.Context(), operator, family()))
	w.imported()
	w.checkFamily()
	w.Verified()
}
