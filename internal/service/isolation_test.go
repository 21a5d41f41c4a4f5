package service_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
)

// One class of a CA cannot sign: its certificate or key is gone from the database. The
// manifests of the other classes are issued again all the same; what the broken
// one published stays as long as it is good, and the failing task says why.
func TestABrokenClassStopsNoOther(t *testing.T) {
	for lacks, lose := range map[string]func(w *world, c *ca.Class){
		"certificate": func(w *world, c *ca.Class) { w.Exec("DELETE FROM der_object WHERE hash = $1", c.Current.Cert.Hash[:]) },
		"key": func(w *world, c *ca.Class) {
			w.Must(w.Commit(w.T.Context(), func(tx pgx.Tx) error { return w.Keys.Destroy(w.T.Context(), tx, c.Current.KeyID) }))
		},
	} {
		t.Run(lacks, func(t *testing.T) {
			w := newWorld(t)
			w.Start()
			w.Join("mid", "testbed", set("AS64500", "10.0.0.0/8", ""))
			w.Join("ca1", "testbed", set("AS64496", "192.168.0.0/16", ""))
			w.Attach("ca1", "mid", set("", "10.1.0.0/16", ""))
			w.Settle()
			w.Must(w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("192.168.0.0/16", 16, 64496), route("10.1.0.0/16", 16, 64496)}}))
			w.Settle()
			broken := ""
			for name, c := range w.State("ca1").Classes {
				if c.Parent == "mid" {
					broken = name
					lose(w, c)
				}
			}
			number := func(class string) int { return w.newest("ca1", class) }
			good := map[string]string{"0": "1", "1": "0"}[broken]
			was, wasBroken := number(good), number(broken)
			w.Pass(20 * time.Hour)
			w.Settle()
			if number(good) <= was || number(broken) != wasBroken {
				t.Errorf("manifest of the good class %d, before %d; of the broken one %d, before %d", number(good), was, number(broken), wasBroken)
			}
			w.WantPublished("ca1", 2, 0, 2)
			said := func(f string) bool {
				return strings.Contains(f, "ca_publish ca1") && strings.Contains(f, "class "+broken)
			}
			if faults := w.Faults(); !slices.ContainsFunc(faults, said) {
				t.Errorf("nobody is told: %q", faults)
			}
		})
	}
}

// newest is the number of the newest manifest of a class.
func (w *world) newest(name, class string) (n int) {
	w.T.Helper()
	err := w.DB.QueryRow(w.T.Context(), "SELECT m.number FROM ca_manifest m JOIN es_stream s ON s.id = m.stream_id WHERE s.handle = $1 AND m.class = $2", name, class).Scan(&n)
	if err != nil {
		w.T.Fatal(err)
	}
	return n
}
