package peer_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/postgres"
	"baleen/internal/remote"
	"baleen/internal/rpki/oob"
	"baleen/internal/service"
	"baleen/internal/tasks"
)

const slowURI = "https://slow.example.net/rfc6492/p"

// gate stands before the puppets. What is for a server that hangs is reported
// and stays there until its time is up; what is for others is reported.
type gate struct {
	*puppets
	hangs         func(uri string) bool
	hung, through chan string
}

// Post lets a message through, or not.
func (g gate) Post(ctx context.Context, m remote.Message) ([]byte, error) {
	if g.hangs(m.URI) {
		g.hung <- m.URI
		<-ctx.Done()
		return nil, ctx.Err()
	}
	g.through <- m.URI
	m.URI = parentURI
	return g.puppets.Post(ctx, m)
}

// A peer that hangs holds up neither others, however many CAs have to do with
// it, nor what CAs do by themselves.
func TestPeerThatHangs(t *testing.T) {
	w, p := underPuppet(t)
	var slow, ownHangs atomic.Bool
	g := gate{puppets: p, hung: make(chan string, 100), through: make(chan string, 100)}
	g.hangs = func(uri string) bool { return ownHangs.Load() || slow.Load() && uri == slowURI }
	w.Peers = g
	ask := []tasks.Scheduled{}
	for i := range 9 {
		name := fmt.Sprint("slow", i)
		must(t, w.CreateCA(t.Context(), operator, name))
		must(t, w.SetParent(t.Context(), operator, name, "up", oob.ParentResponse{ParentHandle: "p", ChildHandle: "me", ServiceURI: slowURI, IDCert: p.self.id.Raw}, service.AnyVersion))
		ask = append(ask, tasks.Scheduled{Args: service.AskParent{CA: name, Parent: "up"}})
		<-g.through
	}
	w.Settle()

	slow.Store(true)
	work := &tasks.Worker{DB: w.DB, Fence: w.Fence, Log: slog.New(slog.DiscardHandler), Node: "test", Concurrency: 4, Lease: time.Minute, Now: w.Now}
	asker := &tasks.Worker{DB: w.DB, Fence: w.Fence, Log: slog.New(slog.DiscardHandler), Node: "test", Concurrency: 8, Lease: time.Minute, Now: w.Now}
	w.Register(work, asker)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- asker.Run(ctx) }()
	defer func() {
		stop()
		must(t, <-ended)
	}()
	enqueue := func(list ...tasks.Scheduled) {
		t.Helper()
		must(t, postgres.InFencedTx(t.Context(), w.DB, w.Fence, func(tx pgx.Tx) error { return tasks.Enqueue(t.Context(), tx, w.Now(), list...) }))
		asker.Wake()
	}
	await := func(c chan string, n int, what string) {
		t.Helper()
		for range n {
			select {
			case <-c:
			case <-time.After(time.Minute):
				t.Fatal("nothing comes through: " + what)
			}
		}
	}
	enqueue(ask...)
	await(g.hung, 6, "as many as may wait for one peer")
	enqueue(tasks.Scheduled{Args: service.AskParent{CA: "ca1", Parent: "up"}})
	await(g.through, 1, "another peer is asked while one hangs")

	// And now its own parent hangs, too; it works all the same.
	ownHangs.Store(true)
	enqueue(tasks.Scheduled{Args: service.AskParent{CA: "ca1", Parent: "up"}})
	await(g.hung, 1, "its own parent is asked")
	must(t, w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.1.0/24", 24, 65000)}}))
	if _, err := work.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.FilesOf("ca1")[".roa"]; len(got) != 2 {
		t.Errorf("published %v", got)
	}
}
