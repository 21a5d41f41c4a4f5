package pgstore_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
)

// Thirty-two writers in two processes work on one stream: nothing is lost,
// nothing is done twice, versions have no gap.
func TestManyWritersOnOneStream(t *testing.T) {
	const writers, each = 32, 16
	st := newStore(t)
	mustCreate(t, st, "ada")
	stores := []*store{st, twin(st)}
	for _, s := range stores {
		s.Listeners = []pgstore.Listener{note}
	}
	var races atomic.Int64
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			s := stores[w%len(stores)]
			for i := range each {
				cmd := meet{Friend: fmt.Sprintf("%d-%d", w, i), Spend: 1}
				for {
					_, err := s.Execute(t.Context(), "ada", cmd, bob)
					if fault.Code(err) == pgstore.CodeVersionRace {
						races.Add(1)
						continue
					}
					if err != nil {
						t.Error(err)
					}
					break
				}
			}
		})
	}
	running.Wait()
	const n = writers * each
	for _, s := range stores {
		err := s.View(t.Context(), "ada", func(p *person, version int64) error {
			if version != n || p.Spent != n || len(p.Friends) != n {
				t.Errorf("version %d, %d spent, %d friends; want %d of each", version, p.Spent, len(p.Friends), n)
			}
			for friend, times := range p.Friends {
				if times != 1 {
					t.Errorf("%s was met %d times", friend, times)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		sameEverywhere(t, s, "ada")
	}
	if got := count(t, st.DB, "es_command WHERE version BETWEEN 1 AND $1", n); got != n {
		t.Errorf("%d commands from 1 to %d", got, n)
	}
	if got := count(t, st.DB, "task"); got != n {
		t.Errorf("%d listener rows for %d commands", got, n)
	}
	soundLog(t, st)
	t.Logf("%d times a writer gave up and was told so", races.Load())
}

// A decision that writes nothing, or on a version that was asked for, rests on
// the newest state also when another process wrote meanwhile.
func TestAStaleCacheNeverDecides(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "ada")
	other := twin(st)
	see(t, other, "ada")
	if _, err := st.Execute(t.Context(), "ada", rename{Name: "Augusta"}, bob); err != nil {
		t.Fatal(err)
	}
	res, err := other.Execute(t.Context(), "ada", rename{Name: "ada"}, bob) // by its cache, nothing to do
	if err != nil || res.Version != 2 {
		t.Errorf("rename: %+v, %v; want version 2", res, err)
	}
	two := int64(2)
	res, err = st.Execute(t.Context(), "ada", meet{Friend: "Bea"}, pgstore.Write{Actor: bob.Actor, IfVersion: &two})
	if err != nil || res.Version != 3 {
		t.Errorf("if version 2: %+v, %v", res, err)
	}
	if _, err := other.Execute(t.Context(), "ada", meet{Friend: "Cleo"}, pgstore.Write{Actor: bob.Actor, IfVersion: &two}); fault.Code(err) != pgstore.CodeVersionMismatch {
		t.Errorf("if version 2 at version 3: %v", err)
	}
	if _, v := see(t, other, "ada"); v != 3 {
		t.Errorf("the other process sees version %d", v)
	}
	if _, err := other.Delete(t.Context(), "ada", leave{}, bob); err != nil {
		t.Fatal(err)
	}
	mustCreate(t, other, "ada")
	mustMeet(t, st, "ada", "Dora") // decided on the deleted stream first
	sameEverywhere(t, st, "ada")
	if _, v := see(t, st, "ada"); v != 1 {
		t.Errorf("version %d of the new stream, want 1", v)
	}
	soundLog(t, st)
}

// The same handle, taken by many at once, goes to one.
func TestManyCreators(t *testing.T) {
	st := newStore(t)
	stores := []*store{st, twin(st), twin(st), twin(st)}
	var won atomic.Int64
	var running sync.WaitGroup
	for _, s := range stores {
		for range 4 {
			running.Go(func() {
				switch _, err := s.Create(t.Context(), "ada", register{Name: "ada"}, bob); {
				case err == nil:
					won.Add(1)
				case fault.Code(err) != pgstore.CodeStreamExists:
					t.Error(err)
				}
			})
		}
	}
	running.Wait()
	if won.Load() != 1 || count(t, st.DB, "es_stream") != 1 {
		t.Errorf("%d winners, %d streams", won.Load(), count(t, st.DB, "es_stream"))
	}
	sameEverywhere(t, st, "ada")
}

// A database that was put back to an older state under a running process is
// noticed: the cached state goes.
func TestLogThatWentBack(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "ada")
	mustMeet(t, st, "ada", "Bea")
	mustMeet(t, st, "ada", "Cleo")
	back := func() {
		mustExec(t, st.DB, "DELETE FROM es_event WHERE version > 1")
		mustExec(t, st.DB, "DELETE FROM es_command WHERE version > 1")
		mustExec(t, st.DB, "UPDATE es_stream SET version = 1")
	}
	back()
	if _, v := see(t, st, "ada"); v != 1 {
		t.Errorf("view: version %d, want 1", v)
	}
	mustMeet(t, st, "ada", "Dora")
	mustMeet(t, st, "ada", "Eve")
	back()
	mustMeet(t, st, "ada", "Fay") // without looking first
	sameEverywhere(t, st, "ada")
	mustMeet(t, twin(st), "ada", "Gil")
	back()
	mustMeet(t, twin(st), "ada", "Hal") // same version, another command
	mustMeet(t, st, "ada", "Ina")
	sameEverywhere(t, st, "ada")
	if _, v := see(t, st, "ada"); v != 3 {
		t.Errorf("version %d, want 3", v)
	}
	st.Forget()
	sameEverywhere(t, st, "ada")
	soundLog(t, st)
}

func TestViewGivesBackTheErrorOfItsFunction(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "ada")
	mine := errors.New("mine")
	if err := st.View(t.Context(), "ada", func(*person, int64) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("got %v", err)
	}
}
