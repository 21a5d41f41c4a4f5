package service_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/rpki/resources"
	"baleen/internal/tasks"
	"baleen/internal/verify"
)

// must stops the test.
func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// keyState says in a word how the keys of a class are.
func keyState(c *ca.Class) string {
	switch {
	case c == nil:
		return "none"
	case c.Current == nil:
		return "pending"
	case c.Pending != nil:
		return "roll pending"
	case c.New != nil:
		return "roll new"
	case c.Old != nil:
		return "roll old"
	default:
		return "active"
	}
}

// faults gives what the tasks complain of that failed.
func (w *world) faults() (out []string) {
	w.t.Helper()
	rows, err := w.DB.Query(w.t.Context(), "SELECT kind || ' ' || key || ': ' || coalesce(last_fault::text, '') FROM task WHERE failures > 0 OR run_at = 'infinity'")
	if err != nil {
		w.t.Fatal(err)
	}
	if out, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// wantKeys checks the state of a class.
func (w *world) wantKeys(name, class, want string) {
	w.t.Helper()
	st := w.state(name)
	if got := keyState(st.Classes[class]); got != want {
		w.t.Errorf("class %s of %s is %s, want %s", class, name, got, want)
		for _, f := range w.faults() {
			w.t.Log(f)
		}
	}
}

// routes gives the validated routes; everything published must be valid.
func (w *world) routes() []string {
	w.t.Helper()
	vrps, err := w.validate()
	if err != nil {
		w.t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(vrps))
}

func (w *world) wantRoutes(when string, want ...string) {
	w.t.Helper()
	if got := w.routes(); !slices.Equal(got, want) {
		w.t.Errorf("%s: routes %v, want %v", when, got, want)
	}
}

// destroyed says whether a private key is gone.
func (w *world) destroyed(key fmt.Stringer) (gone bool) {
	w.t.Helper()
	if err := w.DB.QueryRow(w.t.Context(), "SELECT destroyed_at IS NOT NULL FROM signer_key WHERE key_id = $1", key.String()).Scan(&gone); err != nil {
		w.t.Fatal(err)
	}
	return gone
}

// verified makes sure that the database is of one piece.
func (w *world) verified() {
	w.t.Helper()
	sum, err := verify.Database(w.t.Context(), w.DB, verify.Options{Now: w.now(), Report: func(f verify.Finding) { w.t.Error(f) }})
	if err != nil || sum.Findings+sum.Infos > 0 {
		w.t.Errorf("%+v, %v", sum, err)
	}
}

// verify gives the lines of the findings, and of the infos.
func (w *world) verify() (findings, infos []string) {
	w.t.Helper()
	sum, err := verify.Database(w.t.Context(), w.DB, verify.Options{
		Now: w.now(), Report: func(f verify.Finding) {
			if f.Info {
				infos = append(infos, f.String())
			} else {
				findings = append(findings, f.String())
			}
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if sum.Findings != len(findings) || sum.Infos != len(infos) || sum.Streams == 0 {
		w.t.Errorf("%+v for %d findings and %d infos", sum, len(findings), len(infos))
	}
	return findings, infos
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.DB.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

// forceSnapshot takes a snapshot of a CA whose log is short.
func (w *world) forceSnapshot(name string) {
	w.t.Helper()
	if _, err := w.DB.Exec(w.t.Context(), `INSERT INTO es_snapshot (stream_id, version, format, at, state, hash)
		SELECT s.id, c.version, $3, now(), $2::text::json, sha256(c.hash || convert_to($2::text, 'UTF8')) FROM es_stream s
		JOIN es_command c ON c.stream_id = s.id AND c.version = s.version WHERE s.kind = 'ca' AND s.handle = $1 AND s.deleted_at IS NULL`, name, w.stateJSON(name), ca.Type().Format); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stateJSON(name string) string {
	w.t.Helper()
	raw, err := json.Marshal(w.state(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(raw)
}

// routerCSR makes a request as a router does, with a key of its own.
func routerCSR(t *testing.T) []byte {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, k)
	if err != nil {
		t.Fatal(err)
	}
	return csr
}

// aspa gives a CA a command that must be taken.
func (w *world) aspa(name string, cmd es.Command[ca.State]) {
	w.t.Helper()
	var err error
	switch cmd := cmd.(type) {
	case ca.ConfigureASPAs:
		_, err = w.ConfigureASPAs(w.t.Context(), operator, name, cmd, nil)
	case ca.UpdateASPA:
		_, err = w.UpdateASPA(w.t.Context(), operator, name, cmd, nil)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// router gives a CA a command that must be taken.
func (w *world) router(name string, cmd ca.ConfigureRouterKeys) {
	w.t.Helper()
	if _, err := w.ConfigureRouterKeys(w.t.Context(), operator, name, cmd, nil); err != nil {
		w.t.Fatal(err)
	}
}

// run has a task run now.
func (w *world) run(a tasks.Args) {
	w.t.Helper()
	if err := w.RetryTask(w.t.Context(), a.Kind(), a.Key()); err != nil {
		w.t.Fatal(err)
	}
	w.settle()
}

func (w *world) count(sql string) (n int) {
	w.t.Helper()
	if err := w.DB.QueryRow(w.t.Context(), "SELECT count(*) FROM "+sql).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// attach makes a CA that exists a child of another one in this server.
func (w *world) attach(name, parent string, held resources.Set) {
	w.t.Helper()
	st := w.state(name)
	up, err := w.AddChild(w.t.Context(), operator, parent, ca.AddChild{Child: name, IDCert: st.Identity.Cert, Resources: held})
	w.must(err)
	w.must(w.SetParent(w.t.Context(), operator, name, parent, up))
}

// count gives how many objects of each kind a publisher has.
func (w *world) wantPublished(publisher string, mft, cer, roa int) {
	w.t.Helper()
	has := w.published(publisher)
	if len(has[".mft"]) != mft || len(has[".crl"]) != mft || len(has[".cer"]) != cer || len(has[".roa"]) != roa {
		w.t.Errorf("%s publishes %v, want %d manifests with CRLs, %d certificates, %d ROAs", publisher, has, mft, cer, roa)
	}
}

// waiting counts tasks that failed or are parked.
func (w *world) waiting() (n int) {
	w.t.Helper()
	if err := w.DB.QueryRow(w.t.Context(), "SELECT count(*) FROM task WHERE failures > 0 OR run_at = 'infinity'").Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}
