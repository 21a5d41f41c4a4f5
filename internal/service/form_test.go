package service_test

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
)

// When ROAs change their form, for each route or for each AS, no route is
// without its authorization in between, also where an operator does something
// else meanwhile and the batch ends early.
func TestAChangeOfFormLosesNoRoute(t *testing.T) {
	w := newWorld(t)
	w.Config.Policy.ROAAggregate, w.Config.Policy.ROADeaggregate = 4, 3
	w.Start()
	w.Join("ca1", "testbed", set("", "10.0.0.0/8", ""))
	routes := func(from, to int) (cmd ca.ConfigureROAs) {
		for i := from; i < to; i++ {
			cmd.Added = append(cmd.Added, route(fmt.Sprintf("10.%d.0.0/16", i), 16, uint32(64496+i)))
		}
		return cmd
	}
	w.Must(w.Configure("ca1", routes(0, 4)))
	w.Settle()
	source, taken := w.OneOff.Source, 0
	w.Cores = 1
	w.OneOff.Source = func() (*rsa.PrivateKey, error) {
		if taken++; taken == 2 {
			if err := w.Configure("ca1", routes(5, 6)); err != nil {
				return nil, err
			}
		}
		return source()
	}
	w.Must(w.Configure("ca1", routes(4, 5)))
	w.Settle()

	rows, err := w.DB.Query(t.Context(), "SELECT payload FROM es_event WHERE name = 'roas_issued/1' ORDER BY version, ordinal")
	w.Must(err)
	steps, err := pgx.CollectRows(rows, pgx.RowTo[json.RawMessage])
	w.Must(err)
	have := map[string][]ca.ROA{}
	for i, step := range steps {
		var e ca.ROAsIssued
		w.Must(json.Unmarshal(step, &e))
		for _, name := range e.Withdrawn {
			delete(have, name)
		}
		for _, issued := range e.Issued {
			have[issued.Name] = issued.Authorizations
		}
		authorized := map[ca.ROA]bool{}
		for _, list := range have {
			for _, r := range list {
				authorized[r] = true
			}
		}
		for _, r := range routes(0, 4).Added {
			if i > 0 && !authorized[r.ROA] {
				t.Errorf("step %d of %d: %s is not authorized", i+1, len(steps), r.ROA)
			}
		}
	}
	if len(have) != 6 || have["AS64496.roa"] == nil || len(steps) < 3 {
		t.Errorf("in the end, after %d steps: %v", len(steps), have)
	}
}
