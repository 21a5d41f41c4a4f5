package testworld

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
	"baleen/internal/service"
	"baleen/internal/tasks"
	"baleen/internal/verify"
)

// Must stops the test.
func (w *World) Must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
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

// Faults gives what the tasks complain of that failed.
func (w *World) Faults() (out []string) {
	w.T.Helper()
	rows, err := w.DB.Query(w.T.Context(), "SELECT kind || ' ' || key || ': ' || coalesce(last_fault::text, '') FROM task WHERE failures > 0 OR run_at = 'infinity'")
	if err != nil {
		w.T.Fatal(err)
	}
	if out, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		w.T.Fatal(err)
	}
	return out
}

// WantKeys checks the state of a class.
func (w *World) WantKeys(name, class, want string) {
	w.T.Helper()
	st := w.State(name)
	if got := keyState(st.Classes[class]); got != want {
		w.T.Errorf("class %s of %s is %s, want %s", class, name, got, want)
		for _, f := range w.Faults() {
			w.T.Log(f)
		}
	}
}

// Routes gives the validated routes; everything published must be valid.
func (w *World) Routes() []string {
	w.T.Helper()
	vrps, err := w.Validate()
	if err != nil {
		w.T.Fatal(err)
	}
	return slices.Sorted(maps.Keys(vrps))
}

// WantRoutes checks what is validated.
func (w *World) WantRoutes(when string, want ...string) {
	w.T.Helper()
	if got := w.Routes(); !slices.Equal(got, want) {
		w.T.Errorf("%s: routes %v, want %v", when, got, want)
	}
}

// Destroyed says whether a private key is gone.
func (w *World) Destroyed(key fmt.Stringer) (gone bool) {
	w.T.Helper()
	if err := w.DB.QueryRow(w.T.Context(), "SELECT destroyed_at IS NOT NULL FROM signer_key WHERE key_id = $1", key.String()).Scan(&gone); err != nil {
		w.T.Fatal(err)
	}
	return gone
}

// Verified makes sure that the database is of one piece.
func (w *World) Verified() {
	w.T.Helper()
	sum, err := verify.Database(w.T.Context(), w.DB, verify.Options{Now: w.Now(), Report: func(f verify.Finding) { w.T.Error(f) }})
	if err != nil || sum.Findings+sum.Infos > 0 {
		w.T.Errorf("%+v, %v", sum, err)
	}
}

// Verify gives the lines of the findings, and of the infos.
func (w *World) Verify() (findings, infos []string) {
	w.T.Helper()
	sum, err := verify.Database(w.T.Context(), w.DB, verify.Options{
		Now: w.Now(), Report: func(f verify.Finding) {
			if f.Info {
				infos = append(infos, f.String())
			} else {
				findings = append(findings, f.String())
			}
		},
	})
	if err != nil {
		w.T.Fatal(err)
	}
	if sum.Findings != len(findings) || sum.Infos != len(infos) || sum.Streams == 0 {
		w.T.Errorf("%+v for %d findings and %d infos", sum, len(findings), len(infos))
	}
	return findings, infos
}

// Exec changes the database behind the server's back.
func (w *World) Exec(sql string, args ...any) {
	w.T.Helper()
	if _, err := w.DB.Exec(w.T.Context(), sql, args...); err != nil {
		w.T.Fatal(err)
	}
}

// ForceSnapshot takes a snapshot of a CA whose log is short.
func (w *World) ForceSnapshot(name string) {
	w.T.Helper()
	if _, err := w.DB.Exec(w.T.Context(), `INSERT INTO es_snapshot (stream_id, version, format, at, state, hash)
		SELECT s.id, c.version, $3, now(), $2::text::json, sha256(c.hash || convert_to($2::text, 'UTF8')) FROM es_stream s
		JOIN es_command c ON c.stream_id = s.id AND c.version = s.version WHERE s.kind = 'ca' AND s.handle = $1 AND s.deleted_at IS NULL`, name, w.StateJSON(name), ca.Type().Format); err != nil {
		w.T.Fatal(err)
	}
}

// StateJSON is how a snapshot has the state of a CA.
func (w *World) StateJSON(name string) string {
	w.T.Helper()
	raw, err := json.Marshal(w.State(name))
	if err != nil {
		w.T.Fatal(err)
	}
	return string(raw)
}

// RouterCSR makes a request as a router does, with a key of its own.
func RouterCSR(t *testing.T) []byte {
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

// ASPA gives a CA a command that must be taken.
func (w *World) ASPA(name string, cmd es.Command[ca.State]) {
	w.T.Helper()
	var err error
	switch cmd := cmd.(type) {
	case ca.ConfigureASPAs:
		_, err = w.ConfigureASPAs(w.T.Context(), Operator, name, cmd, nil)
	case ca.UpdateASPA:
		_, err = w.UpdateASPA(w.T.Context(), Operator, name, cmd, nil)
	}
	if err != nil {
		w.T.Fatal(err)
	}
}

// Router gives a CA a command that must be taken.
func (w *World) Router(name string, cmd ca.ConfigureRouterKeys) {
	w.T.Helper()
	if _, err := w.ConfigureRouterKeys(w.T.Context(), Operator, name, cmd, nil); err != nil {
		w.T.Fatal(err)
	}
}

// Run has a task run now.
func (w *World) Run(a tasks.Args) {
	w.T.Helper()
	if err := w.RetryTask(w.T.Context(), a.Kind(), a.Key()); err != nil {
		w.T.Fatal(err)
	}
	w.Settle()
}

// Count counts rows, of a table or of a table with a condition.
func (w *World) Count(sql string) (n int) {
	w.T.Helper()
	if err := w.DB.QueryRow(w.T.Context(), "SELECT count(*) FROM "+sql).Scan(&n); err != nil {
		w.T.Fatal(err)
	}
	return n
}

// Attach makes a CA that exists a child of another one in this server.
func (w *World) Attach(name, parent string, held resources.Set) {
	w.T.Helper()
	st := w.State(name)
	up, err := w.AddChild(w.T.Context(), Operator, parent, ca.AddChild{Child: name, IDCert: st.Identity.Cert, Resources: held}, service.AnyVersion)
	w.Must(err)
	w.Must(w.SetParent(w.T.Context(), Operator, name, parent, up, service.AnyVersion))
}

// WantPublished checks how many objects of each kind a publisher has.
func (w *World) WantPublished(publisher string, mft, cer, roa int) {
	w.T.Helper()
	has := w.FilesOf(publisher)
	if len(has[".mft"]) != mft || len(has[".crl"]) != mft || len(has[".cer"]) != cer || len(has[".roa"]) != roa {
		w.T.Errorf("%s publishes %v, want %d manifests with CRLs, %d certificates, %d ROAs", publisher, has, mft, cer, roa)
	}
}

// Waiting counts tasks that failed or are parked.
func (w *World) Waiting() (n int) {
	w.T.Helper()
	if err := w.DB.QueryRow(w.T.Context(), "SELECT count(*) FROM task WHERE failures > 0 OR run_at = 'infinity'").Scan(&n); err != nil {
		w.T.Fatal(err)
	}
	return n
}
