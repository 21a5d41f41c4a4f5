package pubserver_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/oob"
	"baleen/internal/testdb"
)

var (
	start = time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)
	actor = es.Actor{Name: "user:test"}
)

const rsyncBase = "rsync://localhost/repo/"

// identity is one valid BPKI certificate with its key id, for all tests.
var identity = sync.OnceValues(func() (cert.KeyID, []byte) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	der, err := cert.SelfSignIdentity(key, start.AddDate(-1, 0, 0), start.AddDate(15, 0, 0))
	if err != nil {
		panic(err)
	}
	id, err := cert.KeyIDOf(key.Public())
	if err != nil {
		panic(err)
	}
	return id, der
})

// clock is a time that tests move by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
	return c.t
}

type fixture struct {
	*pubserver.Server
	t     testing.TB
	clock *clock
}

// bare is a server on a database of its own, without a repository.
func bare(t testing.TB) fixture {
	t.Helper()
	db := testdb.New(t)
	c := &clock{t: start}
	fence := testdb.Fence(t, db)
	return fixture{t: t, clock: c, Server: &pubserver.Server{
		Store:      &pgstore.Store[pubserver.State]{Type: pubserver.Type(), DB: db, Fence: fence, Now: c.now},
		DB:         db,
		Fence:      fence,
		Now:        c.now,
		ServiceURI: "https://localhost:3000/",
	}}
}

// open is a server with a repository and publishers.
func open(t testing.TB, publishers ...string) fixture {
	t.Helper()
	f := bare(t)
	id, der := identity()
	f.must(f.Init(t.Context(), actor, pubserver.InitParams{
		RRDPBase: "https://localhost:3000/rrdp/", RsyncBase: rsyncBase, KeyID: id, IDCert: der,
	}))
	for _, handle := range publishers {
		f.add(handle)
	}
	return f
}

func (f fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f fixture) add(handle string) oob.RepositoryResponse {
	f.t.Helper()
	_, der := identity()
	res, err := f.AddPublisher(f.t.Context(), actor, oob.PublisherRequest{PublisherHandle: handle, IDCert: der})
	f.must(err)
	return res
}

// update makes a serial, which must come about.
func (f fixture) update() pubserver.Frozen {
	f.t.Helper()
	frozen, err := f.Update(f.t.Context())
	f.must(err)
	if !frozen.Changed {
		f.t.Fatalf("no new serial: %+v", frozen)
	}
	return frozen
}

func (f fixture) refused(err error, code string) {
	f.t.Helper()
	if fault.Code(err) != code {
		f.t.Errorf("got %v, want code %s", err, code)
	}
}

// has gives what a publisher has, as names below its base and contents.
func (f fixture) has(publisher string) map[string]string {
	f.t.Helper()
	list, err := f.List(f.t.Context(), publisher)
	f.must(err)
	files, err := f.Files(f.t.Context(), publisher)
	f.must(err)
	p, err := f.Publisher(f.t.Context(), publisher)
	f.must(err)
	out := map[string]string{}
	for i, file := range files {
		if file.URI != list[i].URI || sha256.Sum256(file.DER) != list[i].Hash {
			f.t.Errorf("list says %v, files say %s %x", list[i], file.URI, file.DER)
		}
		out[strings.TrimPrefix(file.URI, p.BaseURI)] = string(file.DER)
	}
	if len(out) != len(list) {
		f.t.Errorf("listed %d objects, found %d", len(list), len(out))
	}
	return out
}

func (f fixture) wantHas(publisher string, want map[string]string) {
	f.t.Helper()
	if got := f.has(publisher); !maps.Equal(got, want) {
		f.t.Errorf("%s has %v, want %v", publisher, got, want)
	}
}

func sum(content string) *[32]byte {
	h := sha256.Sum256([]byte(content))
	return &h
}

func uri(publisher, name string) string {
	if publisher == "ta" {
		return rsyncBase + name
	}
	return rsyncBase + publisher + "/" + name
}

func put(publisher, name, content string) pubserver.Change {
	return pubserver.Change{URI: uri(publisher, name), Content: []byte(content)}
}

func change(publisher, name, old, content string) pubserver.Change {
	return pubserver.Change{URI: uri(publisher, name), Old: sum(old), Content: []byte(content)}
}

func take(publisher, name, old string) pubserver.Change {
	return pubserver.Change{URI: uri(publisher, name), Old: sum(old)}
}

func TestInitOnce(t *testing.T) {
	f := bare(t)
	id, der := identity()
	good := pubserver.InitParams{RRDPBase: "https://localhost:3000/rrdp/", RsyncBase: "RSYNC://LOCALHOST/repo/", KeyID: id, IDCert: der}
	for _, bad := range []pubserver.InitParams{
		{RRDPBase: "https://localhost/rrdp", RsyncBase: rsyncBase},
		{RRDPBase: "http://localhost/rrdp/", RsyncBase: rsyncBase},
		{RRDPBase: good.RRDPBase, RsyncBase: "rsync://localhost/repo"},
		{RRDPBase: good.RRDPBase, RsyncBase: "https://localhost/repo/"},
	} {
		f.refused(f.Init(t.Context(), actor, bad), "pub-uri-invalid")
	}
	f.must(f.Init(t.Context(), actor, good))
	f.refused(f.Init(t.Context(), actor, good), "pub-repo-initialized")

	st, err := f.Stats(t.Context())
	f.must(err)
	if st.Serial != 1 || st.RsyncBase != rsyncBase || !st.LastUpdate.Equal(start) || len(st.Session) != 36 {
		t.Errorf("got %+v", st)
	}
	gotID, gotCert, err := f.Identity(t.Context())
	if err != nil || gotID != id || !slices.Equal(gotCert, der) {
		t.Errorf("identity: got %v, %v", gotID, err)
	}
	if frozen, err := f.Update(t.Context()); err != nil || frozen.Changed || frozen.Serial != 1 {
		t.Errorf("an empty repository: got %+v, %v", frozen, err)
	}
}

func TestWithoutRepository(t *testing.T) {
	f := bare(t)
	ctx := t.Context()
	_, der := identity()
	_, err := f.AddPublisher(ctx, actor, oob.PublisherRequest{PublisherHandle: "a", IDCert: der})
	f.refused(err, "pub-repo-not-initialized")
	f.refused(f.RemovePublisher(ctx, actor, "a"), "pub-repo-not-initialized")
	f.refused(f.Clear(ctx, actor), "pub-repo-not-initialized")
	f.refused(f.SessionReset(ctx), "pub-repo-not-initialized")
	f.refused(f.WithdrawAt(ctx, rsyncBase), "pub-repo-not-initialized")
	_, err = f.Publishers(ctx)
	f.refused(err, "pub-repo-not-initialized")
	_, err = f.Response(ctx, "a")
	f.refused(err, "pub-repo-not-initialized")
	_, err = f.Stats(ctx)
	f.refused(err, "pub-repo-not-initialized")
	_, err = f.Update(ctx)
	f.refused(err, "pub-repo-not-initialized")
}

func TestPublishers(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	_, der := identity()
	res, err := f.AddPublisher(ctx, actor, oob.PublisherRequest{PublisherHandle: "alice", IDCert: der, Tag: "42"})
	f.must(err)
	want := oob.RepositoryResponse{
		PublisherHandle: "alice", ServiceURI: "https://localhost:3000/rfc8181/alice/", SIABase: rsyncBase + "alice/",
		NotificationURI: "https://localhost:3000/rrdp/notification.xml", IDCert: der, Tag: "42",
	}
	if string(res.EncodeXML()) != string(want.EncodeXML()) {
		t.Errorf("got %s", res.EncodeXML())
	}
	if ta := f.add("ta"); ta.SIABase != rsyncBase {
		t.Errorf("ta publishes below %s", ta.SIABase)
	}
	if nested := f.add("alice/sub"); nested.SIABase != rsyncBase+"alice/sub/" {
		t.Errorf("nested publisher publishes below %s", nested.SIABase)
	}

	_, err = f.AddPublisher(ctx, actor, oob.PublisherRequest{PublisherHandle: "alice", IDCert: der})
	f.refused(err, "pub-duplicate")
	var dup *fault.Error
	if errors.As(err, &dup); dup == nil || dup.Msg != "Duplicate publisher 'alice'" || dup.Args["publisher"] != "alice" {
		t.Errorf("got %+v", dup)
	}
	for _, bad := range []oob.PublisherRequest{
		{PublisherHandle: "bob", IDCert: []byte("no certificate")},
		{PublisherHandle: "a b", IDCert: der},
		{PublisherHandle: "a//b", IDCert: der},
		{PublisherHandle: "/a", IDCert: der},
		{PublisherHandle: `a\b`, IDCert: der},
	} {
		_, err := f.AddPublisher(ctx, actor, bad)
		f.refused(err, "rfc-8183-xml")
	}
	handles, err := f.Publishers(ctx)
	if err != nil || !slices.Equal(handles, []string{"alice", "alice/sub", "ta"}) {
		t.Errorf("got %q, %v", handles, err)
	}
	p, err := f.Publisher(ctx, "alice")
	if err != nil || p.BaseURI != rsyncBase+"alice/" || !slices.Equal(p.IDCert, der) {
		t.Errorf("got %+v, %v", p, err)
	}

	f.refused(f.RemovePublisher(ctx, actor, "bob"), "pub-unknown")
	f.must(f.RemovePublisher(ctx, actor, "alice/sub"))
	for _, err := range []error{
		second(f.Publisher(ctx, "alice/sub")), second(f.Response(ctx, "bob")), second(f.List(ctx, "bob")),
		second(f.Files(ctx, "bob")), f.Publish(ctx, "bob", nil), f.Publish(ctx, "bob", []pubserver.Change{put("bob", "x", "x")}),
	} {
		f.refused(err, "pub-unknown")
	}
	f.add("alice/sub")
}

func second[T any](_ T, err error) error { return err }

func TestRefusalsAreInTheLog(t *testing.T) {
	f := open(t, "alice")
	f.refused(f.RemovePublisher(t.Context(), actor, "bob"), "pub-unknown")
	page, err := f.Store.History(t.Context(), pubserver.Repository, pgstore.HistoryQuery{Rows: 10})
	f.must(err)
	var got []string
	for _, c := range page.Commands {
		got = append(got, c.Name+" "+c.Outcome)
	}
	if want := []string{"add_publisher ok", "remove_publisher refused"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPublishListUpdate(t *testing.T) {
	f := open(t, "alice", "bob")
	ctx := t.Context()
	f.wantHas("alice", map[string]string{})
	f.must(f.Publish(ctx, "alice", nil))
	big := strings.Repeat("big", 1<<20)
	f.must(f.Publish(ctx, "alice", []pubserver.Change{put("alice", "1", "one"), put("alice", "d/2", "two"), put("alice", "empty", "")}))
	f.must(f.Publish(ctx, "bob", []pubserver.Change{put("bob", "1", "one")}))
	f.wantHas("alice", map[string]string{"1": "one", "d/2": "two", "empty": ""})
	if frozen := f.update(); frozen.Serial != 2 {
		t.Errorf("got %+v", frozen)
	}
	f.must(f.Publish(ctx, "alice", []pubserver.Change{change("alice", "1", "one", "uno"), take("alice", "d/2", "two"), put("alice", "3", big)}))
	f.wantHas("alice", map[string]string{"1": "uno", "3": big, "empty": ""})
	f.wantHas("bob", map[string]string{"1": "one"})

	st, err := f.Stats(ctx)
	f.must(err)
	want := []pubserver.PublisherStats{
		{Handle: "alice", BaseURI: rsyncBase + "alice/", Objects: 3, Bytes: 3<<20 + 3}, {Handle: "bob", BaseURI: rsyncBase + "bob/", Objects: 1, Bytes: 3},
	}
	if !slices.Equal(st.Publishers, want) {
		t.Errorf("got %+v", st.Publishers)
	}
	f.update()
	if frozen, err := f.Update(ctx); err != nil || frozen.Changed || !frozen.NextAt.IsZero() || frozen.Serial != 3 {
		t.Errorf("with nothing staged: got %+v, %v", frozen, err)
	}
}

func TestRefusalsNameTheURIAndChangeNothing(t *testing.T) {
	f := open(t, "alice", "bob", "ta", "alice/sub", "deep/down")
	ctx := t.Context()
	f.must(f.Publish(ctx, "alice", []pubserver.Change{put("alice", "1", "one"), put("alice", "d/f", "x")}))
	f.update()
	f.must(f.Publish(ctx, "alice", []pubserver.Change{put("alice", "2", "two"), take("alice", "1", "one")}))
	for name, c := range map[string]struct {
		by   string
		bad  pubserver.Change
		code string
		kind fault.Kind
	}{
		"outside":               {"alice", put("bob", "x", "x"), "permission_failure", fault.Denied},
		"climbing":              {"alice", put("alice", "../bob/x", "x"), "permission_failure", fault.Denied},
		"encoded":               {"alice", put("alice", "%2e%2e/x", "x"), "permission_failure", fault.Denied},
		"host":                  {"alice", pubserver.Change{URI: "rsync://evil/repo/alice/x", Content: []byte("x")}, "permission_failure", fault.Denied},
		"scheme":                {"alice", pubserver.Change{URI: "https://localhost/repo/alice/x", Content: []byte("x")}, "permission_failure", fault.Denied},
		"base":                  {"alice", put("alice", "", "x"), "permission_failure", fault.Denied},
		"ta in alice's space":   {"ta", put("alice", "x", "x"), "permission_failure", fault.Denied},
		"alice in alice/sub's":  {"alice", put("alice", "sub/x", "x"), "permission_failure", fault.Denied},
		"present, public":       {"alice", put("alice", "d/f", "x"), "object_already_present", fault.Exists},
		"present, staged":       {"alice", put("alice", "2", "zwei"), "object_already_present", fault.Exists},
		"absent":                {"alice", take("alice", "9", "x"), "no_object_present", fault.NotFound},
		"withdrawn already":     {"alice", take("alice", "1", "one"), "no_object_present", fault.NotFound},
		"update of withdrawn":   {"alice", change("alice", "1", "one", "uno"), "no_object_present", fault.NotFound},
		"hash":                  {"alice", change("alice", "2", "zwei", "due"), "no_object_matching_hash", fault.Conflict},
		"hash of withdraw":      {"alice", take("alice", "d/f", "y"), "no_object_matching_hash", fault.Conflict},
		"twice":                 {"alice", put("alice", "good", "g"), "consistency_problem", fault.Invalid},
		"object below object":   {"alice", put("alice", "2/x", "x"), "consistency_problem", fault.Invalid},
		"object above object":   {"alice", put("alice", "d", "x"), "consistency_problem", fault.Invalid},
		"above a publisher":     {"ta", put("ta", "bob", "x"), "consistency_problem", fault.Invalid},
		"above a publisher, up": {"ta", put("ta", "deep", "x"), "consistency_problem", fault.Invalid},
	} {
		good := put(c.by, "good", "g")
		err := f.Publish(ctx, c.by, []pubserver.Change{good, c.bad})
		f.refused(err, c.code)
		var fe *fault.Error
		if errors.As(err, &fe); fe == nil || fe.Kind != c.kind || fe.Args["uri"] == "" {
			t.Errorf("%s: got %+v", name, fe)
		}
	}
	f.wantHas("alice", map[string]string{"2": "two", "d/f": "x"})
	f.wantHas("ta", map[string]string{})
	f.must(f.Publish(ctx, "alice", []pubserver.Change{take("alice", "2", "two"), put("alice", "2/x", "x"), take("alice", "d/f", "x"), put("alice", "d", "x")}))
	f.wantHas("alice", map[string]string{"2/x": "x", "d": "x"})
}

func TestWhatCancelsOutMakesNoSerial(t *testing.T) {
	f := open(t, "alice")
	ctx := t.Context()
	f.must(f.Publish(ctx, "alice", []pubserver.Change{put("alice", "kept", "k")}))
	f.update()
	for _, message := range []pubserver.Change{
		put("alice", "new", "n"), take("alice", "new", "n"),
		take("alice", "kept", "k"), put("alice", "kept", "k"),
		change("alice", "kept", "k", "l"), change("alice", "kept", "l", "k"),
		change("alice", "kept", "k", "k"),
	} {
		f.must(f.Publish(ctx, "alice", []pubserver.Change{message}))
	}
	if frozen, err := f.Update(ctx); err != nil || frozen.Changed || frozen.Serial != 2 {
		t.Errorf("got %+v, %v", frozen, err)
	}
	f.wantHas("alice", map[string]string{"kept": "k"})
}

func TestTheIntervalBetweenSerials(t *testing.T) {
	f := open(t, "alice")
	ctx := t.Context()
	f.DeltaInterval = time.Minute
	f.must(f.Publish(ctx, "alice", []pubserver.Change{put("alice", "1", "one")}))
	f.clock.add(59 * time.Second)
	if frozen, err := f.Update(ctx); err != nil || frozen.Changed || !frozen.NextAt.Equal(start.Add(time.Minute)) {
		t.Errorf("too soon: got %+v, %v", frozen, err)
	}
	f.clock.add(time.Second)
	f.update()
}

func TestTasksCommitWithTheMessage(t *testing.T) {
	f := open(t, "alice")
	ctx := t.Context()
	tasks := func() (n int) {
		f.must(f.DB.QueryRow(ctx, "SELECT count(*) FROM task WHERE kind = 'rrdp_update' AND key = '0'").Scan(&n))
		_, err := f.DB.Exec(ctx, "DELETE FROM task")
		f.must(err)
		return n
	}
	if tasks() != 1 {
		t.Error("init schedules no update")
	}
	woken := 0
	f.Wake = func() { woken++ }
	for name, step := range map[string]func() error{
		"publish":       func() error { return f.Publish(ctx, "alice", []pubserver.Change{put("alice", "1", "one")}) },
		"session reset": func() error { return f.SessionReset(ctx) },
		"withdraw at":   func() error { return f.WithdrawAt(ctx, rsyncBase) },
	} {
		f.must(step())
		if tasks() != 1 || woken != 1 {
			t.Errorf("%s schedules no update", name)
		}
		woken = 0
	}
	f.refused(f.Publish(ctx, "alice", []pubserver.Change{take("alice", "9", "x")}), "no_object_present")
	f.must(f.Publish(ctx, "alice", nil))
	if tasks() != 0 {
		t.Error("a message that changes nothing schedules an update")
	}
	f.must(f.RemovePublisher(ctx, actor, "alice"))
	if tasks() != 1 {
		t.Error("remove schedules no update")
	}
	if text, err := json.Marshal(pubserver.UpdateRRDP{Repository: "0"}); err != nil || string(text) != `{"repository":"0"}` {
		t.Errorf("stored arguments are %s, %v", text, err)
	}
}

func TestRemovePublisherWithdraws(t *testing.T) {
	f := open(t, "alice", "bob", "ta")
	ctx := t.Context()
	f.must(f.Publish(ctx, "alice", []pubserver.Change{put("alice", "1", "one"), put("alice", "2", "two")}))
	f.must(f.Publish(ctx, "bob", []pubserver.Change{put("bob", "1", "one")}))
	f.update()
	f.must(f.Publish(ctx, "alice", []pubserver.Change{put("alice", "3", "three")}))
	f.must(f.RemovePublisher(ctx, actor, "alice"))
	f.update()
	f.wantPublic(map[string]string{"bob/1": "one"})

	// Whoever takes the place finds it empty; nobody else can publish there meanwhile.
	f.add("alice")
	f.wantHas("alice", map[string]string{})
	f.must(f.Publish(ctx, "alice", []pubserver.Change{put("alice", "1", "one")}))

	f.must(f.RemovePublisher(ctx, actor, "bob"))
	f.must(f.Publish(ctx, "ta", []pubserver.Change{put("bob", "1", "by ta")}))
	_, der := identity()
	_, err := f.AddPublisher(ctx, actor, oob.PublisherRequest{PublisherHandle: "bob", IDCert: der})
	f.refused(err, "pub-base-taken")
	f.must(f.Publish(ctx, "ta", []pubserver.Change{take("bob", "1", "by ta"), put("ta", "bob", "a file")}))
	_, err = f.AddPublisher(ctx, actor, oob.PublisherRequest{PublisherHandle: "bob", IDCert: der})
	f.refused(err, "pub-base-taken")
	_, err = f.AddPublisher(ctx, actor, oob.PublisherRequest{PublisherHandle: "bob/sub", IDCert: der})
	f.refused(err, "pub-base-taken")
	f.update()
	f.wantPublic(map[string]string{"alice/1": "one", "bob": "a file"})
}

// wantPublic checks what relying parties see now, by names below the base.
func (f fixture) wantPublic(want map[string]string) {
	f.t.Helper()
	got := map[string]string{}
	rows, err := f.PublishedAt(f.t.Context(), f.clock.now())
	f.must(err)
	for _, p := range rows {
		var der []byte
		f.must(f.DB.QueryRow(f.t.Context(), "SELECT der FROM der_object WHERE hash = $1", p.Hash[:]).Scan(&der))
		if int64(len(der)) != p.Size {
			f.t.Errorf("%s: size %d, but %d octets", p.URI, p.Size, len(der))
		}
		got[strings.TrimPrefix(p.URI, rsyncBase)] = string(der)
	}
	if !maps.Equal(got, want) {
		f.t.Errorf("the world sees %v, want %v", got, want)
	}
}

func TestWithdrawAt(t *testing.T) {
	f := open(t, "alice", "alice/sub", "bob")
	ctx := t.Context()
	f.DeltaInterval = time.Minute
	f.must(f.Publish(ctx, "alice", []pubserver.Change{put("alice", "1", "one"), put("alice", "10", "ten"), put("alice", "d/1", "d")}))
	f.must(f.Publish(ctx, "alice/sub", []pubserver.Change{put("alice/sub", "1", "one")}))
	f.must(f.Publish(ctx, "bob", []pubserver.Change{put("bob", "1", "one")}))
	f.clock.add(time.Minute)
	f.update()
	f.must(f.Publish(ctx, "alice", []pubserver.Change{put("alice", "d/2", "staged")}))

	f.must(f.WithdrawAt(ctx, "rsync://LOCALHOST/repo/alice/1"))
	f.wantHas("alice", map[string]string{"10": "ten", "d/1": "d", "d/2": "staged"})
	f.must(f.WithdrawAt(ctx, uri("alice", "d/")))
	f.wantHas("alice", map[string]string{"10": "ten"})
	f.must(f.WithdrawAt(ctx, uri("alice", "")))
	f.wantHas("alice", map[string]string{})
	f.wantHas("alice/sub", map[string]string{})
	f.wantHas("bob", map[string]string{"1": "one"})
	f.refused(f.WithdrawAt(ctx, "https://localhost/repo/"), "pub-uri-invalid")

	// Within the interval the withdrawals wait, and the task knows until when.
	frozen, err := f.Update(ctx)
	if err != nil || frozen.Changed || !frozen.NextAt.Equal(start.Add(2*time.Minute)) {
		t.Errorf("got %+v, %v", frozen, err)
	}
	f.clock.add(time.Minute)
	f.update()
	f.wantPublic(map[string]string{"bob/1": "one"})
	st, err := f.Stats(ctx)
	f.must(err)
	if a := st.Publishers[0]; a.Handle != "alice" || a.Objects != 0 || a.Bytes != 0 {
		t.Errorf("got %+v", a)
	}
}

func TestSessionReset(t *testing.T) {
	f := open(t, "alice")
	ctx := t.Context()
	f.must(f.Publish(ctx, "alice", []pubserver.Change{put("alice", "1", "one")}))
	before := f.update()
	f.must(f.Publish(ctx, "alice", []pubserver.Change{put("alice", "2", "staged")}))
	f.must(f.SessionReset(ctx))
	st, err := f.Stats(ctx)
	f.must(err)
	if st.Session == before.Session || st.Serial != 1 {
		t.Errorf("got %+v", st)
	}
	f.wantPublic(map[string]string{"alice/1": "one"})
	if after := f.update(); after.Session != st.Session || after.Serial != 2 {
		t.Errorf("got %+v", after)
	}
	f.wantPublic(map[string]string{"alice/1": "one", "alice/2": "staged"})
}

func TestPublishedAtAnyTime(t *testing.T) {
	f := open(t, "alice")
	ctx := t.Context()
	f.clock.add(time.Hour)
	f.must(f.Publish(ctx, "alice", []pubserver.Change{put("alice", "1", "one"), put("alice", "2", "two")}))
	f.clock.add(time.Hour)
	f.update() // 13:00
	f.clock.add(time.Hour)
	f.must(f.Publish(ctx, "alice", []pubserver.Change{change("alice", "1", "one", "uno"), take("alice", "2", "two")}))
	f.clock.add(time.Hour)
	f.update() // 15:00
	f.clock.add(time.Hour)
	f.must(f.SessionReset(ctx)) // 16:00
	f.clock.add(-3 * time.Hour)
	f.must(f.Publish(ctx, "alice", []pubserver.Change{put("alice", "3", "three")}))
	f.update() // the clock went back: counts as 16:00

	for after, want := range map[time.Duration]int{
		-time.Second: 0, 0: 0, 2*time.Hour - 1000: 0, 2 * time.Hour: 2, 4*time.Hour - 1000: 2, 4 * time.Hour: 1, 5 * time.Hour: 2, 100 * time.Hour: 2,
	} {
		got, err := f.PublishedAt(ctx, start.Add(after))
		if err != nil || len(got) != want {
			t.Errorf("after %v: got %v, %v, want %d objects", after, got, err, want)
		}
	}
	got, err := f.PublishedAt(ctx, start.Add(3*time.Hour))
	if err != nil || got[0].URI != uri("alice", "1") || got[0].Hash != *sum("one") || got[0].Publisher != "alice" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestManifests(t *testing.T) {
	f := open(t, "alice", "bob")
	ctx := t.Context()
	f.must(f.Publish(ctx, "alice", []pubserver.Change{put("alice", "0/a.mft", "m1"), put("alice", "1/b.mft", "m2"), put("alice", "x.roa", "r")}))
	got, err := f.Manifests(ctx)
	f.must(err)
	if len(got) != 1 || len(got["alice"]) != 2 || string(got["alice"][1].DER) != "m2" {
		t.Errorf("got %v", got)
	}
}

func TestClear(t *testing.T) {
	f := open(t, "alice")
	ctx := t.Context()
	f.must(f.Publish(ctx, "alice", []pubserver.Change{put("alice", "1", "one")}))
	f.update()
	f.refused(f.Clear(ctx, actor), "pub-repo-has-publishers")
	f.must(f.RemovePublisher(ctx, actor, "alice"))
	f.clock.add(time.Hour)
	f.must(f.Clear(ctx, actor))
	_, err := f.Stats(ctx)
	f.refused(err, "pub-repo-not-initialized")
	_, err = f.Publishers(ctx)
	f.refused(err, "pub-repo-not-initialized")

	f.clock.add(time.Hour)
	id, der := identity()
	f.must(f.Init(ctx, actor, pubserver.InitParams{RRDPBase: "https://localhost/rrdp/", RsyncBase: rsyncBase, KeyID: id, IDCert: der}))
	f.add("alice")
	f.wantHas("alice", map[string]string{})
	f.wantPublic(map[string]string{})
	if was, err := f.PublishedAt(ctx, start); err != nil || len(was) != 1 {
		t.Errorf("history: got %v, %v", was, err)
	}
	f.must(f.Publish(ctx, "alice", []pubserver.Change{put("alice", "1", "one")}))
	f.update()
	f.wantPublic(map[string]string{"alice/1": "one"})
}

func TestAReplacedNodeCannotPublish(t *testing.T) {
	f := open(t, "alice")
	ctx := t.Context()
	f.must(f.Publish(ctx, "alice", []pubserver.Change{put("alice", "1", "one")}))
	testdb.Fence(t, f.DB)
	f.refused(f.Publish(ctx, "alice", []pubserver.Change{put("alice", "2", "two")}), "not-active")
	_, err := f.Update(ctx)
	f.refused(err, "not-active")
	f.refused(f.SessionReset(ctx), "not-active")
	f.wantHas("alice", map[string]string{"1": "one"})
}
