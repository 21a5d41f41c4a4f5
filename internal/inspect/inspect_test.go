package inspect_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"baleen/internal/inspect"
)

// run looks at files in dir, by their bare names.
func run(t testing.TB, dir string, opts inspect.Options) (string, bool) {
	t.Helper()
	t.Chdir(dir)
	var out bytes.Buffer
	if opts.At.IsZero() {
		opts.At = now
	}
	ok, err := inspect.Run(t.Context(), opts, &out)
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), ok
}

// The objects under testdata are what the fixed keys make of the fixture.
func TestObjectsAreCurrent(t *testing.T) {
	for name, want := range objects(t) {
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs from what is made now (%v)", name, err)
		}
	}
}

func TestGolden(t *testing.T) {
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		opts  inspect.Options
		valid bool
	}{
		"alone": {inspect.Options{Files: []string{
			"ta.cer", "ca.cer", "ca.crl", "ca.mft", "AS64496.roa", "AS64496.asa", "ta.tal", "noc.gbr", "letter.sig", "other.spl",
		}}, true},
		"rrdp":   {inspect.Options{Files: []string{"notification.xml", "snapshot.xml", "delta.xml"}}, true},
		"issuer": {inspect.Options{Issuer: "ca.cer", Files: []string{"ca.crl", "ca.mft", "AS64496.roa", "AS64496.asa", "noc.gbr", "letter.sig", "other.spl"}}, true},
		"anchor": {inspect.Options{Issuer: "ta.cer", Files: []string{"ta.cer", "ca.cer", "ta.tal"}}, true},
		"keys":   {inspect.Options{Issuer: "ta.cer", Files: []string{"ta.tak"}}, true},
		"stray":  {inspect.Options{Issuer: "ca.cer", Files: []string{"foreign.tak"}}, false},
		"broken": {inspect.Options{Issuer: "ca.cer", Files: []string{"notheld.roa", "foreign.asa", "nobody.gbr", "foreign.sig", "ca.cer", "ta.tal", "nosuch.roa"}}, false},
		"peers":  {inspect.Options{Files: []string{"peer.cer", "child_request.xml", "repository_response.xml", "error.xml", "half.xml"}}, false},
		"wire":   {inspect.Options{Files: []string{"publish.cms", "publish.b64", "old.cms", "text.cms"}}, false},
		"provisioning": {inspect.Options{Files: []string{
			"list.cms", "list_response.cms", "issue.cms", "issue_response.cms", "revoke.cms", "refusal.cms",
		}}, true},
		"publication": {inspect.Options{Files: []string{"changes.cms", "wanted.cms", "listed.cms", "success.cms", "errors.cms"}}, true},
		"misread": {inspect.Options{Files: []string{
			"unhashed.cms", "foreign_words.cms", "unknown_type.cms", "unknown_status.cms", "bad_request.cms", "bad_issuer.cms", "half_reply.cms",
		}}, false},
		"sent":   {inspect.Options{IDCert: "child_request.xml", Files: []string{"publish.cms", "publish.b64"}}, true},
		"unsent": {inspect.Options{IDCert: "child_request.xml", Files: []string{"old.cms", "foreign.cms", "broken.cms"}}, false},
		"late":   {inspect.Options{Issuer: "ca.cer", At: now.AddDate(0, 0, 2), Files: []string{"ca.crl", "ca.mft", "AS64496.roa"}}, false},
	} {
		for _, asJSON := range []bool{false, true} {
			file := filepath.Join(root, "testdata", "golden", name+".txt")
			if tc.opts.JSON = asJSON; asJSON {
				file = filepath.Join(root, "testdata", "golden", name+".json")
			}
			t.Run(filepath.Base(file), func(t *testing.T) {
				got, valid := run(t, filepath.Join(root, "testdata"), tc.opts)
				if valid != tc.valid {
					t.Errorf("valid: got %v, want %v", valid, tc.valid)
				}
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				if want, err := os.ReadFile(file); err != nil || got != string(want) {
					t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
				}
			})
		}
	}
}

// Each line of the JSON output is a whole Report, with nothing left over.
func TestJSONReadsBack(t *testing.T) {
	files := []string{"ta.cer", "ca.crl", "ca.mft", "AS64496.roa", "AS64496.asa", "noc.gbr", "letter.sig", "ta.tak", "ta.tal", "notification.xml", "snapshot.xml", "delta.xml", "publish.cms", "publish.b64", "child_request.xml"}
	out, _ := run(t, "testdata", inspect.Options{JSON: true, Files: files})
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != len(files) {
		t.Fatalf("got %d lines for %d files", len(lines), len(files))
	}
	for i, line := range lines {
		var r inspect.Report
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil || r.File != files[i] || !r.Valid || r.Violations == nil || len(r.SHA256) != 64 {
			t.Errorf("%v: got %+v", err, r)
		}
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		if fields["violations"] == nil {
			t.Error("violations is null")
		}
	}
}

// What a file is, is decided by its content before its name.
func TestTypes(t *testing.T) {
	made := objects(t)
	for name, tc := range map[string]struct {
		file    string
		content []byte
		want    string
	}{
		"certificate without name":   {"x", made["ca.cer"], inspect.TypeCertificate},
		"CRL under a wrong name":     {"x.cer", made["ca.crl"], inspect.TypeCRL},
		"ROA without name":           {"x", made["AS64496.roa"], inspect.TypeROA},
		"manifest without name":      {"x", made["ca.mft"], inspect.TypeManifest},
		"other signed object":        {"x", made["other.spl"], inspect.TypeSignedObject},
		"record without name":        {"x", made["noc.gbr"], inspect.TypeCard},
		"garbage called record":      {"x.gbr", []byte{0x30, 0x84, 0xff}, inspect.TypeCard},
		"checklist without name":     {"x", made["letter.sig"], inspect.TypeChecklist},
		"ASPA without name":          {"x", made["AS64496.asa"], inspect.TypeASPA},
		"TAK without name":           {"x", made["ta.tak"], inspect.TypeTAK},
		"garbage called TAK":         {"x.tak", []byte{0x30, 0x84, 0xff}, inspect.TypeTAK},
		"garbage called ASPA":        {"x.asa", []byte{0x30, 0x84, 0xff}, inspect.TypeASPA},
		"message without name":       {"x", made["publish.cms"], inspect.TypeMessage},
		"message in base64":          {"x.txt", made["publish.b64"], inspect.TypeMessage},
		"message called ROA":         {"x.roa", made["publish.cms"], inspect.TypeROA},
		"broken message":             {"x", made["broken.cms"], inspect.TypeMessage},
		"certificate in base64":      {"x", []byte(base64.StdEncoding.EncodeToString(made["ca.cer"])), ""},
		"set-up document":            {"x", made["child_request.xml"], inspect.TypeSetup},
		"manifest called ROA":        {"x.roa", made["ca.mft"], inspect.TypeROA},
		"TAL without name":           {"x", made["ta.tal"], inspect.TypeTAL},
		"TAL with leading comment":   {"x.txt", append([]byte("# c\n"), made["ta.tal"]...), inspect.TypeTAL},
		"XML under a wrong name":     {"x.cer", made["delta.xml"], inspect.TypeDelta},
		"garbage called certificate": {"x.cer", []byte("garbage"), inspect.TypeCertificate},
		"garbage called ROA":         {"x.ROA", []byte{0x30, 0x84, 0xff}, inspect.TypeROA},
		"BER":                        {"x", []byte{0x30, 0x80, 6, 1, 1, 0, 0}, inspect.TypeSignedObject},
		"empty TAL":                  {"x.tal", nil, inspect.TypeTAL},
		"garbage":                    {"x", []byte("garbage"), ""},
		"empty":                      {"x", nil, ""},
		"zeros":                      {"x", make([]byte, 100), ""},
		"SEQUENCE":                   {"x", []byte{0x30, 0}, ""},
		"other XML":                  {"x.xml", []byte("<?xml version='1.0' encoding='US-ASCII'?><child_request/>"), ""},
		"half XML":                   {"x.xml", []byte("<?xml <<<"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, tc.file), tc.content, 0o600); err != nil {
				t.Fatal(err)
			}
			out, valid := run(t, dir, inspect.Options{JSON: true, Files: []string{tc.file}})
			var r inspect.Report
			if err := json.Unmarshal([]byte(out), &r); err != nil {
				t.Fatal(err)
			}
			if r.Type != tc.want || (r.Error != "") != (tc.want == "") || r.Size != int64(len(tc.content)) || valid != r.Valid {
				t.Errorf("got %+v, want type %q", r, tc.want)
			}
			if strings.HasPrefix(name, "garbage") && (r.Valid || (tc.want != "" && len(r.Violations) == 0)) {
				t.Errorf("got %+v", r)
			}
		})
	}
}

func TestUnreadableFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "folder.cer"), 0o700); err != nil {
		t.Fatal(err)
	}
	large, err := os.Create(filepath.Join(dir, "large.cer"))
	if err != nil {
		t.Fatal(err)
	}
	if err := large.Truncate(32<<20 + 1); err != nil {
		t.Fatal(err)
	}
	large.Close()
	for file, want := range map[string]string{
		"nosuch.cer": "no such file", "folder.cer": "is a folder", "large.cer": "larger than 32 MiB",
	} {
		out, valid := run(t, dir, inspect.Options{Files: []string{file}})
		if valid || !strings.HasPrefix(out, file+": NOT VALID: ") || !strings.Contains(out, want) || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: got %v, %q", file, valid, out)
		}
	}
}

// Nothing that a file says may reach the terminal as a control character.
func TestTextIsClean(t *testing.T) {
	dir := t.TempDir()
	name := "x\x1b[2J.tal"
	if err := os.WriteFile(filepath.Join(dir, name), []byte("# \u202e\u009b\nrsync://e\u202example/\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := run(t, dir, inspect.Options{Files: []string{name}})
	if strings.ContainsAny(out, "\x1b\u202e\u009b") {
		t.Errorf("got %q", out)
	}
}

func TestIssuerProblems(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bad.cer"), []byte("bad"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, issuer := range []string{"nosuch.cer", "bad.cer"} {
		ok, err := inspect.Run(t.Context(), inspect.Options{Issuer: filepath.Join(dir, issuer)}, io.Discard)
		if ok || err == nil || !strings.Contains(err.Error(), issuer) {
			t.Errorf("%s: got %v, %v", issuer, ok, err)
		}
	}
}

func TestRunEnds(t *testing.T) {
	opts := inspect.Options{Files: []string{filepath.Join("testdata", "ta.cer")}, At: now}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if ok, err := inspect.Run(ctx, opts, io.Discard); ok || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v, %v", ok, err)
	}
	if ok, err := inspect.Run(t.Context(), opts, brokenWriter{}); ok || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("broken pipe: got %v, %v", ok, err)
	}
	opts.At = time.Time{}
	if _, err := inspect.Run(t.Context(), opts, io.Discard); err != nil {
		t.Errorf("present: got %v", err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// Whatever a file holds, there is a report and no panic, and JSON and text agree.
func FuzzRun(f *testing.F) {
	for name, content := range objects(f) {
		f.Add(name, content)
	}
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		dir := t.TempDir()
		file := filepath.Join(dir, "x"+strings.Map(func(r rune) rune {
			if r == '/' || r == 0 {
				return '_'
			}
			return r
		}, filepath.Ext(name)))
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Skip()
		}
		var verdicts []bool
		for _, asJSON := range []bool{false, true} {
			opts := inspect.Options{Issuer: filepath.Join("testdata", "ca.cer"), IDCert: filepath.Join("testdata", "child_request.xml"), At: now, JSON: asJSON, Files: []string{file}}
			ok, err := inspect.Run(t.Context(), opts, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			verdicts = append(verdicts, ok)
		}
		if !reflect.DeepEqual(verdicts, []bool{verdicts[0], verdicts[0]}) {
			t.Errorf("got %v", verdicts)
		}
	})
}
