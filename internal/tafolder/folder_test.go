package tafolder

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/ta"
	"baleen/internal/tafile"
	"baleen/internal/testkeys"
)

var (
	start      = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	passphrase = []byte("correct horse battery")
	errCrash   = errors.New("crash")
)

const cheap Cost = 4

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// maker makes signers and exchanges in folders.
type maker struct {
	ta, id, proxy, oneOff *rsa.PrivateKey
	keys                  SoftKeys
	root                  ta.TrustAnchor
	new                   New
	proxyID               ta.Identity
	serial                int64
}

func newMaker(t *testing.T) *maker {
	t.Helper()
	source := testkeys.Source(t)
	m := &maker{ta: must(source()), id: must(source()), proxy: must(source()), oneOff: must(source()), keys: SoftKeys{}}
	must(m.keys.Add(m.ta))
	must(m.keys.Add(m.id))
	m.proxyID = identity(m.proxy)
	m.root = must(ta.BuildTrustAnchor(ta.TrustAnchorTemplate{
		Repository: ta.Repository{SIABase: "rsync://example.net/repo/", NotificationURI: "https://example.net/n.xml"},
		HTTPS:      []string{"https://example.net/ta.cer"}, Rsync: "rsync://example.net/ta/ta.cer", Serial: big.NewInt(7), Now: start, Timing: ta.DefaultTiming(),
	}, m.ta))
	made := m.sign(must(ta.PlanInit(m.root.Record, 1, start, ta.DefaultTiming())))
	m.new = New{
		Keys: m.keys, Passphrase: passphrase, Cost: cheap, Record: Record{At: start, Objects: append(made.DER(), m.root.DER)},
		Event: ta.SignerInitialized{Identity: identity(m.id), ProxyID: m.proxyID, TA: m.root.Record, TAL: m.root.TAL, Objects: made.Objects},
	}
	return m
}

func identity(key *rsa.PrivateKey) ta.Identity {
	return ta.Identity{KeyID: must(cert.KeyIDOf(key.Public())), Cert: must(cert.SelfSignIdentity(key, start.Add(-time.Hour), start.AddDate(15, 0, 0)))}
}

func (m *maker) next() *big.Int { m.serial++; return big.NewInt(m.serial) }

func (m *maker) sign(p ta.Plan) ta.Signed {
	return must(p.Sign(ta.Keys{TA: must(cert.Decode(m.root.DER)), Signer: m.ta, Manifest: m.oneOff, Serials: []*big.Int{m.next()}}))
}

// exchange gives an event and its record for an empty request.
func (m *maker) exchange(f *Folder, nonce string) (Record, ta.RequestProcessed) {
	now := start.Add(time.Duration(len(f.Records)) * time.Hour)
	proxy := ta.ProxyState{OpenRequest: &ta.Request{Nonce: nonce, MadeAt: now}}
	by := tafile.Sealer{By: m.proxyID, Key: m.proxy, OneOff: m.oneOff, Serial: m.next(), Now: now, Timing: ta.DefaultTiming()}
	request := must(tafile.Encode(must(by.Request(must(tafile.DescribeRequest(&proxy, ta.DefaultTiming()))))))
	asked := must(tafile.Opener{From: m.proxyID, Now: now}.Request(request))
	made := m.sign(must(f.State.PlanRequest(asked, now, ta.DefaultTiming())))
	der := tafile.DER{m.root.Record.Hash: m.root.DER}
	for _, d := range made.DER() {
		der[ta.HashOf(d)] = d
	}
	by = tafile.Sealer{By: f.State.Identity, Key: m.id, OneOff: m.oneOff, Serial: m.next(), Now: now, Timing: ta.DefaultTiming()}
	response := must(tafile.Encode(must(by.Response(made.Response(), m.root.Record, der))))
	events := must(made.Command().Process(&f.State, now))
	return Record{At: now, Request: request, Response: response, Objects: made.DER()}, events[0].(ta.RequestProcessed)
}

// folder makes one with that many exchanges.
func (m *maker) folder(t *testing.T, exchanges ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "signer")
	if err := Create(dir, m.new); err != nil {
		t.Fatal(err)
	}
	for _, nonce := range exchanges {
		m.do(t, dir, nonce)
	}
	return dir
}

func (m *maker) do(t *testing.T, dir, nonce string) {
	t.Helper()
	f := must(Open(dir, true))
	r, e := m.exchange(f, nonce)
	if err := errors.Join(f.Append(r, e), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// look opens a folder, checks all of it and gives it.
func look(t *testing.T, dir string) *Folder {
	t.Helper()
	f, err := Open(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Verify(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFolderRemembers(t *testing.T) {
	m := newMaker(t)
	dir := m.folder(t, "n1", "n2")
	f := look(t, dir)
	if len(f.Records) != 3 || f.State.Objects.Number != 3 || len(f.State.Exchanges) != 2 || f.Torn {
		t.Errorf("got %d records, %+v", len(f.Records), f.State)
	}
	keys := must(f.Keys(passphrase))
	if key := must(keys.Signer(m.root.Record.KeyID)); !m.ta.Equal(key) {
		t.Error("the key comes back as another one")
	}
	for name, mode := range map[string]os.FileMode{".": 0o700, logName: 0o600, headName: 0o600, keysName: 0o600} {
		if st := must(os.Stat(filepath.Join(dir, name))); st.Mode().Perm() != mode {
			t.Errorf("%s has mode %o", name, st.Mode())
		}
	}
	if text := must(os.ReadFile(filepath.Join(dir, keysName))); bytes.Contains(text, m.ta.D.Bytes()) || strings.Contains(string(text), "PRIVATE") {
		t.Error("the key stands in the clear")
	}
	if err := Create(dir, m.new); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("a second init gives %v", err)
	}
	if _, err := Open(filepath.Join(dir, "x"), true); !errors.Is(err, ErrNone) {
		t.Errorf("no folder gives %v", err)
	}
}

func TestOneWriter(t *testing.T) {
	dir := newMaker(t).folder(t)
	f := must(Open(dir, true))
	for _, write := range []bool{false, true} {
		if _, err := Open(dir, write); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("got %v", err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	look(t, dir)
}

// A crash at any step of a write leaves the folder as it was or as it should
// become, and the next write goes through.
func TestCrashAtEveryStep(t *testing.T) {
	m := newMaker(t)
	base := m.folder(t, "n1")
	f := must(Open(base, true))
	r2, e2 := m.exchange(f, "n2")
	r3, e3 := m.exchange(f, "n3") // instead of n2
	_ = f.Close()
	for step := 0; ; step++ {
		dir := filepath.Join(t.TempDir(), "signer")
		if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
			t.Fatal(err)
		}
		n := 0
		f := must(open(dir, true, disk{step: func() error {
			if n++; n > step {
				return errCrash
			}
			return nil
		}}))
		err := f.Append(r2, e2)
		if err != nil && !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		_ = f.Close()
		after := look(t, dir)
		got := after.State.Objects.Number
		if got != 2 && got != 3 || err == nil && got != 3 {
			t.Errorf("step %d: %v, manifest number %d", step, err, got)
		}
		if _, done := after.State.ResponseTo("n2"); done != (got == 3) {
			t.Errorf("step %d: number %d, and the response is there: %v", step, got, done)
		}
		if got == 2 { // the write did not happen: another one does
			f := must(Open(dir, true))
			if err := errors.Join(f.Append(r3, e3), f.Close()); err != nil {
				t.Fatal(err)
			}
			if _, done := look(t, dir).State.ResponseTo("n3"); !done {
				t.Errorf("step %d: the next write does not go through", step)
			}
		}
		if err == nil {
			if step < 8 {
				t.Errorf("a write has only %d steps", step)
			}
			return
		}
	}
}

// A write that was not counted when the crash came is counted by the next one.
func TestUncountedRecord(t *testing.T) {
	m := newMaker(t)
	dir := m.folder(t, "n1")
	head := filepath.Join(dir, headName)
	counted := must(os.ReadFile(head))
	m.do(t, dir, "n2")
	put(t, head, counted)
	m.do(t, dir, "n3")
	if got := look(t, dir).State.Objects.Number; got != 4 {
		t.Errorf("manifest number %d", got)
	}
}

func TestCrashWhileMaking(t *testing.T) {
	m := newMaker(t)
	for step := 0; ; step++ {
		dir := filepath.Join(t.TempDir(), "signer")
		n := 0
		err := create(dir, m.new, disk{step: func() error {
			if n++; n > step {
				return errCrash
			}
			return nil
		}})
		if err == nil {
			look(t, dir)
			return
		}
		if _, open := Open(dir, false); open == nil {
			continue // only the last sync failed
		}
		if err := Create(dir, m.new); err != nil {
			t.Errorf("step %d: the second try gives %v", step, err)
		}
		look(t, dir)
	}
}

// However much of the last line reached the disk, nothing else is lost.
func TestTornLine(t *testing.T) {
	m := newMaker(t)
	dir := m.folder(t, "n1")
	log, head := filepath.Join(dir, logName), filepath.Join(dir, headName)
	before, counted := must(os.ReadFile(log)), must(os.ReadFile(head))
	m.do(t, dir, "n2")
	whole := must(os.ReadFile(log))
	for cut := len(before) + 1; cut < len(whole); cut += 1997 {
		for _, junk := range []string{"", "\x00\x00\n"} {
			put(t, log, append(bytes.Clone(whole[:cut]), junk...))
			put(t, head, counted)
			if f := look(t, dir); !f.Torn || f.State.Objects.Number != 2 {
				t.Fatalf("cut at %d: number %d", cut, f.State.Objects.Number)
			}
		}
	}
	m.do(t, dir, "n3")
	if f := look(t, dir); f.Torn || f.State.Objects.Number != 3 {
		t.Errorf("got %+v", f.State.Objects)
	}
}

func put(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAlteredFolders(t *testing.T) {
	m := newMaker(t)
	dir := m.folder(t, "n1", "n2")
	names := []string{logName, headName}
	good := map[string][]byte{}
	for _, name := range names {
		good[name] = must(os.ReadFile(filepath.Join(dir, name)))
	}
	lines := bytes.SplitAfter(good[logName], []byte("\n"))
	rehash := func(line []byte, old, new string) []byte {
		text := bytes.Replace(bytes.TrimSpace(line[65:]), []byte(old), []byte(new), 1)
		return []byte(hashOf(text) + " " + string(text) + "\n")
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for name, c := range map[string]struct {
		file    string
		content []byte
		want    string
	}{
		"cut by a record":   {logName, join(lines[0], lines[1]), "the log was cut"},
		"cut within":        {logName, good[logName][:len(good[logName])-10], "altered"},
		"empty":             {logName, nil, "the log is empty"},
		"octet changed":     {logName, bytes.Replace(good[logName], []byte(`"number":2`), []byte(`"number":9`), 1), "altered"},
		"record left out":   {logName, join(lines[0], lines[2]), "altered"},
		"records swapped":   {logName, join(lines[0], lines[2], lines[1]), "altered"},
		"first record gone": {logName, join(lines[1], lines[2]), "altered"},
		"last one replaced": {logName, join(lines[0], lines[1], rehash(lines[2], `"at":"2026`, `"at":"2027`)), "another hash"},
		"no head":           {headName, nil, "head.json"},
		"head of another":   {headName, bytes.Replace(good[headName], []byte(`"hash":"`), []byte(`"hash":"0`), 1), "another hash"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() { put(t, filepath.Join(dir, c.file), good[c.file]) }()
			put(t, filepath.Join(dir, c.file), c.content)
			if _, err := Open(dir, true); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	look(t, dir)
}

// An editor who also computes all hashes anew is found by the signatures.
func TestVerifyFindsForgedRecords(t *testing.T) {
	m := newMaker(t)
	for name, change := range map[string]func(r *Record){
		"response of another exchange": func(r *Record) { r.Response = bytes.Replace(r.Response, []byte(`"n1"`), []byte(`"n9"`), 1) },
		"no response":                  func(r *Record) { r.Response = nil },
		"request of another":           func(r *Record) { r.Request = bytes.Replace(r.Request, []byte(`"n1"`), []byte(`"n9"`), 1) },
		"object":                       func(r *Record) { r.Objects = r.Objects[:1] },
		"payload":                      func(r *Record) { r.Payload = bytes.Replace(r.Payload, []byte(`"n1"`), []byte(`"n9"`), 1) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := m.folder(t, "n1")
			f := must(Open(dir, true))
			r := f.Records[1]
			change(&r)
			first, _, err := f.Records[0].line()
			second, hash, err2 := r.line()
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			put(t, filepath.Join(dir, logName), append(first, second...))
			put(t, filepath.Join(dir, headName), must(json.Marshal(head{Records: 2, Hash: hash, ManifestNumber: 2})))
			_ = f.Close()
			f = must(Open(dir, false))
			if err := f.Verify(); err == nil {
				t.Error("nobody noticed")
			}
			_ = f.Close()
		})
	}
}

func TestPassphrases(t *testing.T) {
	m := newMaker(t)
	dir := m.folder(t)
	f := must(Open(dir, true))
	defer func() { _ = f.Close() }()
	if _, err := f.Keys([]byte("correct horse batterY")); err == nil || !strings.Contains(err.Error(), "the passphrase is wrong") {
		t.Errorf("got %v", err)
	}
	if err := f.ChangePassphrase(passphrase, []byte("too short"), cheap); err == nil {
		t.Error("a short passphrase is taken")
	}
	fresh := []byte("an entirely new one")
	if err := f.ChangePassphrase(passphrase, fresh, cheap); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Keys(passphrase); err == nil {
		t.Error("the old passphrase still opens")
	}
	if keys := must(f.Keys(fresh)); !reflect.DeepEqual(must(keys.Signer(m.root.Record.KeyID)).Public(), m.ta.Public()) {
		t.Error("another key")
	}
	text := must(os.ReadFile(filepath.Join(dir, keysName)))
	for i := 0; i < len(text); i += 11 {
		changed := bytes.Clone(text)
		changed[i] ^= 1
		put(t, filepath.Join(dir, keysName), changed)
		if keys, err := f.Keys(fresh); err == nil && !reflect.DeepEqual(keys, m.keys) {
			t.Errorf("octet %d changed: got other keys", i)
		}
	}
}

func FuzzLog(f *testing.F) {
	f.Add([]byte("x\n"))
	r := Record{Objects: [][]byte{{1}}}
	if err := r.put(ta.SignerInitialized{}, 1, ""); err != nil {
		f.Fatal(err)
	}
	line, _, err := r.line()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Fuzz(func(t *testing.T, log []byte) {
		folder := Folder{DER: tafile.DER{}}
		if err := folder.readLog(log, head{}); err == nil && folder.end > int64(len(log)) {
			t.Errorf("%d octets of %d count", folder.end, len(log))
		}
	})
}
