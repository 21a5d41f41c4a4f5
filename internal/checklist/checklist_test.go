package checklist_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baleen/internal/checklist"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/rsc"
	"baleen/internal/rpki/tal"
)

var update = flag.Bool("update", false, "write the golden files anew")

// report gives what Run says as JSON.
func report(t testing.TB, opts checklist.Options) checklist.Report {
	t.Helper()
	opts.JSON = true
	text, verified := run(t, opts)
	var r checklist.Report
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	if r.Verified != verified || r.Verified && !r.Valid {
		t.Errorf("says %v, and means %v: %s", r.Verified, verified, text)
	}
	return r
}

// broken gives what a report says is broken: "OBJECT RFC SECTION", each once.
func broken(r checklist.Report) string {
	var all []string
	for _, v := range r.Violations {
		one := strings.TrimPrefix(v.Object, repo) + " " + strings.TrimPrefix(v.RFC, "RFC ") + " " + v.Section
		if len(all) == 0 || all[len(all)-1] != one {
			all = append(all, one)
		}
	}
	return strings.Join(all, ", ")
}

func TestVerdicts(t *testing.T) {
	enter(t, newPlan(t).build(t))
	for name, tc := range map[string]struct {
		files    []string
		nameless bool
		stdin    string
		want     string // verdicts
		left     string // names that were not given
	}{
		"one":               {[]string{"letter.pdf"}, false, "", "verified", "annex.txt -"},
		"by path":           {[]string{"./sub/../letter.pdf", "annex.txt"}, false, "", "verified verified", "-"},
		"twice":             {[]string{"letter.pdf", "letter.pdf"}, false, "", "verified verified", "annex.txt -"},
		"another content":   {[]string{"sub/letter.pdf"}, false, "", "different", "letter.pdf annex.txt -"},
		"content exchanged": {[]string{"sub/annex.txt"}, false, "", "different", "letter.pdf annex.txt -"},
		"another name":      {[]string{"copy.pdf"}, false, "", "other_name", "letter.pdf annex.txt -"},
		"not listed":        {[]string{"more.pdf"}, false, "", "not_listed", "letter.pdf annex.txt -"},
		"one is bad":        {[]string{"letter.pdf", "more.pdf", "annex.txt"}, false, "", "verified not_listed verified", "-"},
		"not there":         {[]string{"letter.pdf", "nosuch.pdf"}, false, "", "verified unreadable", "annex.txt -"},
		"a folder":          {[]string{"sub"}, false, "", "unreadable", "letter.pdf annex.txt -"},
		"listed nameless":   {[]string{"secret.bin"}, false, "", "nameless", "letter.pdf annex.txt -"},
		"by content":        {[]string{"secret.bin"}, true, "", "verified", "letter.pdf annex.txt"},
		"content of a name": {[]string{"letter.pdf"}, true, "", "named", "letter.pdf annex.txt -"},
		"standard input":    {[]string{"-"}, false, "secret", "verified", "letter.pdf annex.txt"},
		"input of a name":   {[]string{"letter.pdf", "-"}, false, "annex", "verified named", "annex.txt -"},
	} {
		t.Run(name, func(t *testing.T) {
			opts := options(tc.files...)
			opts.NoNames, opts.Stdin = tc.nameless, strings.NewReader(tc.stdin)
			r := report(t, opts)
			var got, left []string
			for _, f := range r.Files {
				got = append(got, f.Verdict)
			}
			for _, e := range r.NotGiven {
				left = append(left, map[bool]string{true: "-", false: e.Name}[e.Name == ""])
			}
			if strings.Join(got, " ") != tc.want || strings.Join(left, " ") != tc.left {
				t.Errorf("got %v and left %v, want %v and %v", got, left, tc.want, tc.left)
			}
			if good := strings.ReplaceAll(tc.want, "verified", "") == strings.Repeat(" ", len(tc.files)-1); !r.Valid || r.Verified != good {
				t.Errorf("valid %v, verified %v, want %v", r.Valid, r.Verified, good)
			}
		})
	}
}

func TestGolden(t *testing.T) {
	folder := must(filepath.Abs("testdata"))(t)
	p := newPlan(t)
	p.list.Files = append(p.list.Files, rsc.File{Hash: p.list.Files[1].Hash})
	enter(t, p.build(t))
	bad := options("letter.pdf")
	bad.At = now.AddDate(0, 0, 2)
	other := options("letter.pdf", "annex.txt", "secret.bin", "ta.tal", "nosuch", "bad\nname", "sub/letter.pdf", "sub/annex.txt", "copy.pdf")
	nameless := options("letter.pdf", "annex.txt", "secret.bin")
	nameless.NoNames = true
	for name, opts := range map[string]checklist.Options{"good": options("letter.pdf"), "some": other, "nameless": nameless, "stale": bad} {
		for _, ext := range []string{".txt", ".json"} {
			opts.JSON = ext == ".json"
			got, _ := run(t, opts)
			file := filepath.Join(folder, name+ext)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(file); err != nil || got != string(want) {
				t.Errorf("%s%s: got %s, want %s (%v)", name, ext, got, want, err)
			}
		}
	}
}

// Each of these is made as somebody might make it, with good signatures; a
// checklist under it is refused, and the files with it.
func TestRefusesWhatIsMadeWrong(t *testing.T) {
	day := 24 * time.Hour
	revoke := func(c *crl.Template, serial int64) {
		c.Entries = []crl.Entry{{Serial: big.NewInt(serial), RevokedAt: now.Add(-time.Minute)}}
	}
	for name, tc := range map[string]struct {
		change func(p *plan)
		want   string
	}{
		"good":                           {func(*plan) {}, ""},
		"manifest's EE valid for longer": {func(p *plan) { p.ca.mftEE.NotAfter = now.Add(3 * day) }, ""},
		"all CAs list what they hold":    {func(p *plan) { p.mid.cert.Inherit, p.mid.cert.Resources = false, p.ca.cert.Resources }, ""},

		"checklist expired":           {func(p *plan) { p.ee.NotAfter = now.Add(-time.Minute) }, "letter.sig 6487 7.2"},
		"checklist of the future":     {func(p *plan) { p.ee.NotBefore = now.Add(time.Minute) }, "letter.sig 6487 7.2"},
		"checklist revoked":           {func(p *plan) { revoke(&p.ca.crl, 77) }, "letter.sig 6487 7.2"},
		"checklist names another CRL": {func(p *plan) { p.ee.CRLDP = p.mid.uri(".crl") }, "letter.sig 6487 4.8.6"},
		"signed by another CA":        {func(p *plan) { p.signer = "mid" }, "letter.sig 6487 7.2, letter.sig 6487 4.8.3, letter.sig 6487 7.2"},

		"claims more than its EE": {func(p *plan) { p.list.Resources = p.ca.cert.Resources }, "letter.sig 9323 5"},
		"EE inherits":             {func(p *plan) { p.ee.Inherit, p.ee.Resources = true, resources.Set{} }, "letter.sig 9323 5"},
		"EE has an SIA":           {func(p *plan) { p.ee.Unpublished, p.ee.SIA = false, cert.SIA{SignedObject: repo + "ca/letter.sig"} }, "letter.sig 9323 2"},
		"claims more than its CA": {func(p *plan) {
			p.ca.cert.Resources.V4 = resources.IPSet{}
		}, "letter.sig 6487 7.2"},
		"claims more than its CA's issuer": {func(p *plan) {
			p.mid.cert.Inherit, p.mid.cert.Resources = false, p.ca.cert.Resources
			p.ca.cert.Inherit, p.ca.cert.Resources = true, resources.Set{}
			p.mid.cert.Resources.AS = resources.ASSet{}
		}, "letter.sig 6487 7.2"},
		"no path to the trust anchor": {func(p *plan) { p.ee.AIA = repo + "ca/nosuch.cer" }, "letter.sig 6487 7.2"},

		"CA expired":              {func(p *plan) { p.ca.cert.NotAfter = now.Add(-time.Minute) }, "mid/ca.cer 6487 7.2"},
		"CA revoked":              {func(p *plan) { revoke(&p.mid.crl, 3) }, "mid/ca.cer 6487 7.2"},
		"CA not listed":           {func(p *plan) { p.ca.hidden = true }, "mid/ca.cer 9286 6"},
		"CA names another CRL":    {func(p *plan) { p.ca.cert.CRLDP = p.ta.uri(".crl") }, "mid/ca.cer 6487 4.8.6"},
		"CA claims too much":      {func(p *plan) { p.mid.cert.Inherit, p.mid.cert.Resources = false, p.list.Resources }, "mid/ca.cer 6487 7.2"},
		"CA above revoked":        {func(p *plan) { revoke(&p.ta.crl, 2) }, "ta/mid.cer 6487 7.2"},
		"trust anchor expired":    {func(p *plan) { p.ta.cert.NotAfter = now.Add(-time.Minute) }, taURL + " 6487 7.2"},
		"no CRL":                  {func(p *plan) { p.ca.noCRL = true; p.ca.list("a.gbr", nil) }, "ca/ca.mft 9286 2"},
		"CRL stale":               {func(p *plan) { p.ca.crl.NextUpdate = now.Add(-time.Minute) }, "ca/ca.crl 6487 5"},
		"CRL of the future":       {func(p *plan) { p.ta.crl.ThisUpdate = now.Add(time.Minute) }, "ta/ta.crl 6487 5"},
		"manifest stale":          {func(p *plan) { p.ca.mft.NextUpdate = now.Add(-time.Minute) }, "ca/ca.mft 9286 6.3"},
		"manifest of the future":  {func(p *plan) { p.mid.mft.ThisUpdate = now.Add(time.Minute) }, "mid/mid.mft 9286 6.3"},
		"manifest's EE expired":   {func(p *plan) { p.ca.mftEE.NotAfter = now.Add(-time.Minute) }, "ca/ca.mft 6487 7.2"},
		"manifest revoked":        {func(p *plan) { revoke(&p.ca.crl, 103) }, "ca/ca.mft 6487 7.2"},
		"manifest of another CRL": {func(p *plan) { p.ca.mftEE.CRLDP = repo + "mid/ca.crl" }, "ca/ca.mft 6487 4.8.6"},
		"manifest elsewhere": {func(p *plan) {
			p.ca.cert.SIA.Manifest, p.ca.mftEE.SIA.SignedObject = repo+"ca.mft", repo+"ca.mft"
		}, "ca.mft 9286 6.1"},
		"manifest not listing whole": {func(p *plan) { p.ca.list("gone.roa", nil) }, "ca/ca.mft 9286 6.4"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlan(t)
			tc.change(p)
			enter(t, p.build(t))
			r := report(t, options("letter.pdf"))
			if got := broken(r); got != tc.want || r.Valid != (tc.want == "") || r.Verified != r.Valid || len(r.Files) > 0 != r.Valid {
				t.Errorf("got %q (%v), valid %v, files %v, want %q", got, r.Violations, r.Valid, r.Files, tc.want)
			}
		})
	}
}

// Each of these was made well and damaged on its way.
func TestRefusesWhatIsDamaged(t *testing.T) {
	good := newPlan(t).build(t)
	flip := func(name string) func(map[string][]byte) {
		return func(files map[string][]byte) { files[name][len(files[name])-1] ^= 1 }
	}
	gone := func(name string) func(map[string][]byte) {
		return func(files map[string][]byte) { delete(files, name) }
	}
	garbage := func(name string) func(map[string][]byte) {
		return func(files map[string][]byte) { files[name] = []byte("garbage") }
	}
	for name, tc := range map[string]struct {
		spoil func(files map[string][]byte)
		want  string
	}{
		"checklist's signature":     {flip("letter.sig"), "letter.sig 6488 3"},
		"checklist is garbage":      {garbage("letter.sig"), "letter.sig 6488 2"},
		"checklist is a manifest":   {func(f map[string][]byte) { f["letter.sig"] = f[repo+"ca/ca.mft"] }, "letter.sig 9323 2, letter.sig 9323 3"},
		"CA's certificate missing":  {gone(repo + "mid/ca.cer"), "letter.sig 6487 7.2"},
		"CA's certificate garbage":  {garbage(repo + "mid/ca.cer"), "mid/ca.cer 6487 4"},
		"CA's certificate damaged":  {flip(repo + "mid/ca.cer"), "mid/mid.mft 9286 6.5"},
		"CA's certificate replaced": {func(f map[string][]byte) { f[repo+"mid/ca.cer"] = f[repo+"ta/mid.cer"] }, "mid/ca.cer 9286 6"},
		"path is a circle":          {func(f map[string][]byte) { f[repo+"ta/mid.cer"] = f[repo+"mid/ca.cer"] }, "ta/mid.cer 6487 7.2"},
		"next CA missing":           {gone(repo + "ta/mid.cer"), "mid/ca.cer 6487 7.2"},
		"manifest missing":          {gone(repo + "ca/ca.mft"), "mid/ca.cer 9286 6.2"},
		"manifest damaged":          {flip(repo + "ca/ca.mft"), "ca/ca.mft 6488 3"},
		"manifest garbage":          {garbage(repo + "ta/ta.mft"), "ta/ta.mft 6488 2"},
		"manifest of another CA": {
			func(f map[string][]byte) { f[repo+"ca/ca.mft"] = f[repo+"mid/mid.mft"] },
			"ca/ca.mft 6487 7.2, ca/ca.mft 6487 4.8.3, ca/ca.mft 6487 7.2, ca/ca.mft 9286 5.1",
		},
		"CRL missing":               {gone(repo + "ca/ca.crl"), "ca/ca.mft 9286 6.4"},
		"CRL damaged":               {flip(repo + "mid/mid.crl"), "mid/mid.mft 9286 6.5"},
		"trust anchor missing":      {gone(taURI), "ta.tal 8630 3"},
		"trust anchor garbage":      {garbage(taURI), taURL + " 6487 4"},
		"trust anchor damaged":      {flip(taURI), taURL + " 6487 7.2"},
		"trust anchor is another's": {func(f map[string][]byte) { f[taURI] = selfSigned(t, "ca") }, taURL + " 8630 3"},
		"path to another trust anchor": {func(f map[string][]byte) {
			const uri = "https://rpki.example.net/other.cer"
			f[uri] = selfSigned(t, "ee")
			f["ta.tal"] = tal.TAL{URIs: []string{uri}, SPKI: must(cert.Decode(f[uri]))(t).SPKI}.Encode()
		}, taURI + " 6487 7.2"},
		"trust anchor is a CA":        {func(f map[string][]byte) { f[taURI] = f[repo+"mid/ca.cer"] }, taURL + " 6487 4.8.6, " + taURL + " 6487 4.8.7, " + taURL + " 6487 4.8.3, " + taURL + " 8630 3, " + taURL + " 6487 7.2"},
		"locator is garbage":          {garbage("ta.tal"), "ta.tal 8630 2.2"},
		"locator of an address alone": {func(f map[string][]byte) { f["ta.tal"] = []byte(taURI + "\n") }, "ta.tal 8630 2.2"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string][]byte{}
			for name, content := range good {
				files[name] = bytes.Clone(content)
			}
			tc.spoil(files)
			enter(t, files)
			r := report(t, options("letter.pdf"))
			if got := broken(r); got != tc.want || r.Valid || r.Verified || len(r.Files) > 0 {
				t.Errorf("got %q (%v), valid %v, files %v, want %q", got, r.Violations, r.Valid, r.Files, tc.want)
			}
		})
	}
}

func selfSigned(t testing.TB, name string) []byte {
	t.Helper()
	p := newPlan(t)
	return must(cert.SelfSign(p.ta.cert, key(t, name)))(t)
}

func TestTrustAnchorIsGivenByHand(t *testing.T) {
	enter(t, newPlan(t).build(t))
	if err := os.Rename("cache/rpki.example.net/ta/ta.cer", "ta.cer"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("other.cer", selfSigned(t, "ee"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		tal, cert, want string
	}{
		"with its locator":    {"ta.tal", "ta.cer", ""},
		"alone":               {"", "ta.cer", ""},
		"not the locator's":   {"ta.tal", "other.cer", "other.cer 8630 3"},
		"another":             {"", "other.cer", "ta/mid.cer 6487 7.2"},
		"nowhere":             {"ta.tal", "", "ta.tal 8630 3"},
		"no certificate":      {"ta.tal", "letter.pdf", "letter.pdf 6487 4"},
		"a locator it is not": {"letter.pdf", "ta.cer", "letter.pdf 8630 2.2"},
	} {
		opts := options("letter.pdf")
		opts.TAL, opts.TACert = tc.tal, tc.cert
		if r := report(t, opts); broken(r) != tc.want || r.Verified != (tc.want == "") {
			t.Errorf("%s: got %v, verified %v, want %q", name, r.Violations, r.Verified, tc.want)
		}
	}
}

// What baleen publishes lies in two folders, each below an URI.
func TestFoldersBelowURIs(t *testing.T) {
	enter(t, newPlan(t).build(t))
	if err := errors.Join(os.Rename("cache/rpki.example.net/repo", "current"), os.Rename("cache/rpki.example.net/ta", "anchor")); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		repo []string
		want bool
	}{
		"both":                {[]string{repo + "=current", "rsync://rpki.example.net/ta/=anchor"}, true},
		"another host's too":  {[]string{"rsync://rpki.example.org/repo/=anchor", repo + "=current", "rsync://rpki.example.net/ta=anchor"}, true},
		"host in capitals":    {[]string{"rsync://RPKI.example.net/repo/=current", "https://rpki.example.net/ta/=anchor"}, true},
		"the second has it":   {[]string{"cache", repo + "=anchor", repo + "=current", "rsync://rpki.example.net/ta/=anchor"}, true},
		"path in capitals":    {[]string{"rsync://rpki.example.net/REPO/=current", "rsync://rpki.example.net/ta/=anchor"}, false},
		"one alone":           {[]string{repo + "=current"}, false},
		"where nothing is":    {[]string{"cache"}, false},
		"exchanged":           {[]string{repo + "=anchor", "rsync://rpki.example.net/ta/=current"}, false},
		"part of a name only": {[]string{"rsync://rpki.example.net/re=current", "rsync://rpki.example.net/ta/=anchor"}, false},
	} {
		opts := options("letter.pdf")
		opts.Repo = tc.repo
		if r := report(t, opts); r.Verified != tc.want {
			t.Errorf("%s: got %v, %v", name, r.Verified, r.Violations)
		}
	}
}

// A link out of the folder leads nowhere.
func TestFoldersAreNotLeft(t *testing.T) {
	enter(t, newPlan(t).build(t))
	const file = "cache/rpki.example.net/repo/mid/ca.cer"
	if err := errors.Join(os.Rename(file, "ca.cer"), os.Symlink("../../../../ca.cer", file)); err != nil {
		t.Fatal(err)
	}
	if r := report(t, options("letter.pdf")); broken(r) != "letter.sig 6487 7.2" {
		t.Errorf("got %v", r.Violations)
	}
}

func TestErrors(t *testing.T) {
	enter(t, newPlan(t).build(t))
	for name, change := range map[string]func(o *checklist.Options){
		"no checklist":     func(o *checklist.Options) { o.RSC = "nosuch.sig" },
		"no locator":       func(o *checklist.Options) { o.TAL = "nosuch.tal" },
		"no trust anchor":  func(o *checklist.Options) { o.TAL = "" },
		"no certificate":   func(o *checklist.Options) { o.TACert = "nosuch.cer" },
		"no folder":        func(o *checklist.Options) { o.Repo = []string{"cache", "nosuch"} },
		"a file as folder": func(o *checklist.Options) { o.Repo = []string{"letter.pdf"} },
		"URI not of rsync": func(o *checklist.Options) { o.Repo = []string{"ftp://rpki.example.net/repo/=cache"} },
	} {
		opts := options("letter.pdf")
		change(&opts)
		var out bytes.Buffer
		if verified, err := checklist.Run(t.Context(), opts, &out); err == nil || verified || out.Len() > 0 {
			t.Errorf("%s: got %v, %v, %s", name, verified, err, &out)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if verified, err := checklist.Run(ctx, options("letter.pdf"), &bytes.Buffer{}); !errors.Is(err, context.Canceled) || verified {
		t.Errorf("ended: got %v, %v", verified, err)
	}
	if _, err := checklist.Run(t.Context(), options("letter.pdf"), fullDisk{}); err == nil {
		t.Error("that nothing could be written was not noticed")
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// Whatever is put in the place of the checklist verifies nothing that it does
// not list.
func FuzzChecklist(f *testing.F) {
	good := newPlan(f).build(f)
	dir := f.TempDir()
	write(f, dir, good)
	write(f, dir, map[string][]byte{"letter.pdf": []byte("letter")})
	f.Add(good["letter.sig"])
	f.Add(good[repo+"ca/ca.mft"])
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, sig []byte) {
		file := filepath.Join(t.TempDir(), "letter.sig")
		if err := os.WriteFile(file, sig, 0o644); err != nil {
			t.Fatal(err)
		}
		opts := options(filepath.Join(dir, "letter.pdf"), filepath.Join(dir, "letter.sig"))
		opts.RSC, opts.TAL, opts.Repo = file, filepath.Join(dir, "ta.tal"), []string{filepath.Join(dir, "cache")}
		if r := report(t, opts); r.Verified || r.Valid && (len(r.Files) != 2 || r.Files[0].Verdict != checklist.Verified) {
			t.Errorf("%x: got %+v", sig, r)
		}
	})
}
