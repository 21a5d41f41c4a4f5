package setup

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/fault"
	"baleen/internal/rpki/resources"
	"baleen/internal/service"
	"baleen/internal/tasks"
	"baleen/internal/testbed"
)

// Benchmark makes CAs under testbed, so that a server can be measured. Each has a
// /24 of its own and ROAs for it. It feeds the queue with a few at a time, counts
// what is done, and says so in the log until everything is published. What is
// there already is not made again.
type Benchmark struct {
	CAs   int       `json:"cas"`
	ROAs  int       `json:"roas"` // of each CA
	Next  int       `json:"next,omitempty"`
	Open  []string  `json:"open,omitempty"`  // being made
	Found int       `json:"found,omitempty"` // were there before
	Began time.Time `json:"began,omitzero"`
	Said  time.Time `json:"said,omitzero"` // when it last said how far it is
}

// Kind names the task in the queue.
func (Benchmark) Kind() string { return "benchmark" }

// Key is the same for all: there is one.
func (Benchmark) Key() string { return "all" }

const (
	benchmarkOpen  = 64                     // CAs in the queue at a time
	benchmarkScan  = 512                    // CAs looked for at a time
	benchmarkTick  = 200 * time.Millisecond // from look to look
	benchmarkSay   = 3 * time.Second        // from progress line to progress line
	benchmarkFirst = 64512                  // origin of the first ROA of each CA
	benchmarkName  = "benchmark"            // of the import that its CAs belong to
)

// StartBenchmark begins a benchmark, or goes on with one.
func (s *Importer) StartBenchmark(ctx context.Context, cas, roas int) error {
	return s.Service.Commit(ctx, func(tx pgx.Tx) error {
		return tasks.Enqueue(ctx, tx, s.Service.Now(), due(Benchmark{CAs: cas, ROAs: roas}))
	})
}

// benchmarkCA is the nth CA.
func benchmarkCA(n, roas int) ImportCA {
	prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n / 256), byte(n % 256), 0}), 24)
	c := ImportCA{Handle: fmt.Sprintf("benchmark-%d", n)}
	for i := range roas {
		c.ROAs = append(c.ROAs, ca.ConfiguredROA{ROA: ca.ROA{ASID: benchmarkFirst + uint32(i), Prefix: prefix, MaxLength: prefix.Bits()}})
	}
	block, err := resources.ParseIPSet(prefix.String(), resources.IPv4)
	if err == nil { // a prefix can always be read
		c.Parents = []ImportParent{{Handle: testbed.Handle, Resources: resources.Set{V4: block}}}
	}
	return c
}

func (s *Importer) benchmark(ctx context.Context, a Benchmark) (tasks.Outcome, error) {
	ready := false
	err := s.Service.ViewCA(ctx, testbed.Handle, func(st *ca.State, _ int64) error { ready = !st.Held().IsEmpty(); return nil })
	if err != nil && fault.Code(err) != "ca-unknown" {
		return tasks.Outcome{}, err
	}
	if !ready {
		return tasks.Outcome{Again: s.Service.Now().Add(benchmarkTick)}, nil
	}
	if a.Began.IsZero() {
		a.Began, a.Said = s.Service.Now().UTC(), s.Service.Now().UTC()
	}
	if err := s.feedBenchmark(ctx, &a); err != nil {
		return tasks.Outcome{}, err
	}
	done, err := s.sayBenchmark(ctx, &a)
	if err != nil || done {
		return tasks.Outcome{}, err
	}
	return tasks.Outcome{Then: []tasks.Scheduled{{Args: a, At: s.Service.Now().Add(benchmarkTick)}}}, nil
}

// feedBenchmark forgets the CAs that are made, and puts further ones into the
// queue.
func (s *Importer) feedBenchmark(ctx context.Context, a *Benchmark) error {
	left, err := tasks.LeftOf(ctx, s.Service.DB, MakeCA{}.Kind(), a.Open)
	if err != nil {
		return err
	}
	a.Open = keysLeft(left)
	if len(a.Open) > benchmarkOpen/2 {
		return nil
	}
	var add []tasks.Scheduled
	for scanned := 0; a.Next < a.CAs && len(a.Open) < benchmarkOpen && scanned < benchmarkScan; scanned++ {
		one := benchmarkCA(a.Next, a.ROAs)
		a.Next++
		_, err := s.Service.CAs.StreamID(ctx, one.Handle)
		switch {
		case err == nil: // as somebody left it, or it was begun before the server ended: then it is in the queue
			waits, err := tasks.LeftOf(ctx, s.Service.DB, MakeCA{}.Kind(), []string{one.Handle})
			if err != nil {
				return err
			}
			if a.Open = append(a.Open, keysLeft(waits)...); len(waits) == 0 {
				a.Found++
			}
		case fault.Code(err) == "stream-unknown":
			add = append(add, due(MakeCA{Import: benchmarkName, Actor: service.SystemActor, CA: one}))
			a.Open = append(a.Open, one.Handle)
		default:
			return err
		}
	}
	return s.Service.Commit(ctx, func(tx pgx.Tx) error { return tasks.Enqueue(ctx, tx, s.Service.Now(), add...) })
}

func keysLeft(left []tasks.Left) []string {
	out := make([]string, len(left))
	for i, l := range left {
		out[i] = l.Key
	}
	return out
}

// sayBenchmark says from time to time how far it is, and at the end that all of
// it is published.
func (s *Importer) sayBenchmark(ctx context.Context, a *Benchmark) (done bool, err error) {
	made := a.Next - len(a.Open)
	if a.Next == a.CAs && len(a.Open) == 0 {
		if done, err = s.settled(ctx); err != nil {
			return false, err
		}
	}
	if !done && s.Service.Now().Sub(a.Said) < benchmarkSay {
		return false, nil
	}
	a.Said = s.Service.Now().UTC()
	roas, err := s.Service.Pubs.CountObjects(ctx, "benchmark-")
	if err != nil {
		return false, err
	}
	took := max(s.Service.Now().Sub(a.Began), time.Millisecond)
	line, rate := "benchmark", float64(made-a.Found)/took.Seconds()
	if done {
		line = "benchmark: everything is published"
	}
	s.Service.Log.Info(line, "cas", made, "of", a.CAs, "found", a.Found, "roas", roas, "roas_of", a.CAs*a.ROAs,
		"cas_per_second", fmt.Sprintf("%.2f", rate), "seconds", int(took.Seconds()))
	return done, nil
}

// settled says whether nothing is being issued or published.
func (s *Importer) settled(ctx context.Context) (bool, error) {
	stats, err := tasks.Stats(ctx, s.Service.DB, s.Service.Now().Add(2*service.CalmFor))
	if err != nil {
		return false, err
	}
	for _, k := range stats {
		switch k.Kind {
		case service.SyncParent{}.Kind(), service.IssueCA{}.Kind(), service.PublishCA{}.Kind(), service.SyncRepo{}.Kind():
			if k.Due+k.Running > 0 {
				return false, nil
			}
		}
	}
	return s.Service.Pubs.Idle(ctx)
}
