package signer

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/rpki/cert"
	"baleen/internal/testdb"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newKeys(t testing.TB) *Keys {
	t.Helper()
	db := testdb.New(t)
	master, err := LoadMasterKey(filepath.Join(t.TempDir(), "master.key"), true)
	if err != nil {
		t.Fatal(err)
	}
	return &Keys{DB: db, Fence: testdb.Fence(t, db), Master: master, Pool: &Pool{}, Now: func() time.Time { return now }}
}

// another is the same store as seen by a process that has nothing cached.
func another(k *Keys) *Keys {
	return &Keys{DB: k.DB, Fence: k.Fence, Master: k.Master, Pool: k.Pool, Now: k.Now}
}

func generateOne(t testing.TB, k *Keys) cert.KeyID {
	t.Helper()
	id, err := k.Generate(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func destroy(t *testing.T, k *Keys, ids ...cert.KeyID) error {
	t.Helper()
	return postgres.InFencedTx(t.Context(), k.DB, k.Fence, func(tx pgx.Tx) error {
		return k.Destroy(t.Context(), tx, ids...)
	})
}

func signs(t *testing.T, k *Keys, id cert.KeyID) {
	t.Helper()
	signer, err := k.Signer(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := cert.KeyIDOf(signer.Public()); err != nil || got != id {
		t.Errorf("asked for key %s, got %s, %v", id, got, err)
	}
	digest := sha256.Sum256([]byte("message"))
	sig, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPKCS1v15(signer.Public().(*rsa.PublicKey), crypto.SHA256, digest[:], sig); err != nil {
		t.Error(err)
	}
}

func hasCode(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if err == nil || fault.Of(err) != kind || fault.Code(err) != code {
		t.Errorf("got %v, want %v %q", err, kind, code)
	}
}

func TestGenerateAndSign(t *testing.T) {
	k := newKeys(t)
	a, b := generateOne(t, k), generateOne(t, k)
	if a == b {
		t.Fatal("the same key twice")
	}
	for _, id := range []cert.KeyID{a, b} {
		signs(t, k, id)
		signs(t, another(k), id)
		if ok, err := k.Exists(t.Context(), id); !ok || err != nil {
			t.Errorf("exists: %v, %v", ok, err)
		}
	}
	var purpose string
	var created time.Time
	var sealed []byte
	if err := k.DB.QueryRow(t.Context(), "SELECT purpose, created_at, sealed FROM signer_key WHERE key_id = $1", a.String()).Scan(&purpose, &created, &sealed); err != nil {
		t.Fatal(err)
	}
	if purpose != "test" || !created.Equal(now) {
		t.Errorf("purpose %q, created %v", purpose, created)
	}
	if _, err := k.Master.open(sealed, b[:]); err == nil {
		t.Error("the row of one key can be put in the place of another's")
	}
}

func TestImport(t *testing.T) {
	k := newKeys(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	id, err := k.Import(t.Context(), key, "imported")
	if err != nil {
		t.Fatal(err)
	}
	signs(t, another(k), id)
	long, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.Import(t.Context(), long, "imported")
	hasCode(t, err, fault.Invalid, "key-invalid")
}

func TestCheckKey(t *testing.T) {
	good, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	if err := check(good); err != nil {
		t.Error(err)
	}
	exponent, factors, tampered := *good, *good, *good
	exponent.E = 3
	factors.Primes = good.Primes[:1]
	tampered.D = good.Primes[0]
	for name, key := range map[string]*rsa.PrivateKey{"exponent": &exponent, "factors": &factors, "private exponent": &tampered} {
		if err := check(key); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSignerIsCached(t *testing.T) {
	k := newKeys(t)
	k.CacheSize = 2
	ids := []cert.KeyID{generateOne(t, k), generateOne(t, k), generateOne(t, k)}
	signs(t, k, ids[1]) // now the last one used
	signs(t, k, ids[0]) // pushes out ids[2]
	k.DB.Close()
	for i, id := range ids {
		_, err := k.Signer(t.Context(), id)
		if cached := err == nil; cached != (i != 2) {
			t.Errorf("key %d: %v", i, err)
		}
	}
}

func TestDestroy(t *testing.T) {
	k := newKeys(t)
	gone, stays, unknown := generateOne(t, k), generateOne(t, k), cert.KeyID{1}
	other := another(k)
	if err := destroy(t, k, gone); err != nil {
		t.Fatal(err)
	}
	for _, k := range []*Keys{k, other} {
		_, err := k.Signer(t.Context(), gone)
		hasCode(t, err, fault.NotFound, CodeDestroyed)
		if ok, err := k.Exists(t.Context(), gone); ok || err != nil {
			t.Errorf("exists: %v, %v", ok, err)
		}
		signs(t, k, stays)
	}
	var at time.Time
	if err := k.DB.QueryRow(t.Context(), "SELECT destroyed_at FROM signer_key WHERE key_id = $1 AND sealed IS NULL", gone.String()).Scan(&at); err != nil || !at.Equal(now) {
		t.Errorf("the record: %v, %v", at, err)
	}

	k.Now = func() time.Time { return now.Add(time.Hour) }
	if err := destroy(t, k, gone); err != nil {
		t.Errorf("the second time: %v", err)
	}
	if err := k.DB.QueryRow(t.Context(), "SELECT destroyed_at FROM signer_key WHERE key_id = $1", gone.String()).Scan(&at); err != nil || !at.Equal(now) {
		t.Errorf("the second time rewrote the record: %v, %v", at, err)
	}
	if err := destroy(t, k); err != nil {
		t.Errorf("none: %v", err)
	}
	hasCode(t, destroy(t, k, stays, unknown), fault.NotFound, CodeUnknown)
	signs(t, other, stays) // all or nothing
	_, err := k.Signer(t.Context(), unknown)
	hasCode(t, err, fault.NotFound, CodeUnknown)
}

func TestDestroyThatRollsBack(t *testing.T) {
	k := newKeys(t)
	id := generateOne(t, k)
	refused := errors.New("refused")
	err := postgres.InFencedTx(t.Context(), k.DB, k.Fence, func(tx pgx.Tx) error {
		if err := k.Destroy(t.Context(), tx, id); err != nil {
			return err
		}
		// Meanwhile somebody else still uses it: right, but it must not be kept.
		signs(t, k, id)
		if _, cached := k.cache.get(id); cached {
			t.Error("a key that is being destroyed was cached")
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Fatal(err)
	}
	signs(t, k, id)
}

// What was made in vain goes also if that is because time was up.
func TestDiscard(t *testing.T) {
	k := newKeys(t)
	id := generateOne(t, k)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.Discard(ctx, id); err != nil {
		t.Fatal(err)
	}
	_, err := another(k).Signer(t.Context(), id)
	hasCode(t, err, fault.NotFound, CodeDestroyed)
	_, err = k.Signer(t.Context(), id)
	hasCode(t, err, fault.NotFound, CodeDestroyed)
	testdb.Fence(t, k.DB) // another node takes over
	hasCode(t, k.Discard(t.Context(), id), fault.Unavailable, postgres.CodeNotActive)
}

func TestStaleNodeStoresNoKey(t *testing.T) {
	k := newKeys(t)
	testdb.Fence(t, k.DB) // another node takes over
	_, err := k.Generate(t.Context(), "test")
	hasCode(t, err, fault.Unavailable, postgres.CodeNotActive)
	var n int
	if err := k.DB.QueryRow(t.Context(), "SELECT count(*) FROM signer_key").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d keys, %v", n, err)
	}
}

func TestDatabaseAway(t *testing.T) {
	k := newKeys(t)
	id := generateOne(t, k)
	k = another(k)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.Generate(ctx, "test"); !errors.Is(err, context.Canceled) {
		t.Errorf("generate: %v", err)
	}
	if _, err := k.Signer(ctx, id); !errors.Is(err, context.Canceled) {
		t.Errorf("signer: %v", err)
	}
	if _, err := k.Exists(ctx, id); !errors.Is(err, context.Canceled) {
		t.Errorf("exists: %v", err)
	}
}

func TestDamagedRows(t *testing.T) {
	k := newKeys(t)
	a, b := generateOne(t, k), generateOne(t, k)
	otherKey, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	var ofB []byte
	if err := k.DB.QueryRow(t.Context(), "SELECT sealed FROM signer_key WHERE key_id = $1", b.String()).Scan(&ofB); err != nil {
		t.Fatal(err)
	}
	tests := map[string][]byte{
		"empty":         {},
		"short":         {1, 2, 3},
		"not a key":     k.Master.seal([]byte("text"), a[:]),
		"another's row": ofB,
		"another key":   k.Master.seal(pkcs8(t, otherKey), a[:]),
	}
	for name, sealed := range tests {
		if _, err := k.DB.Exec(t.Context(), "UPDATE signer_key SET sealed = $1 WHERE key_id = $2", sealed, a.String()); err != nil {
			t.Fatal(err)
		}
		if _, err := another(k).Signer(t.Context(), a); err == nil || fault.Of(err) != fault.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	key, err := generate()
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("message"))
	for b.Loop() {
		if _, err := key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	}
}

// What a signer costs that is not cached, without the database.
func BenchmarkOpen(b *testing.B) {
	k := newKeys(b)
	id := generateOne(b, k)
	row, err := k.row(b.Context(), id)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := k.open(id, row.Sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStore(b *testing.B) {
	k := newKeys(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			generateOne(b, k)
		}
	})
}
