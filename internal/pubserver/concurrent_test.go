package pubserver_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/fault"
	"baleen/internal/pubserver"
)

// run starts several writers and gives the first error of any.
func run(n int, f func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func pairs(handle string, round int) []pubserver.Change {
	var out []pubserver.Change
	for i := range 20 {
		name := fmt.Sprintf("%02d", i)
		if round == 0 {
			out = append(out, put(handle, name, handle+name+"/0"))
			continue
		}
		out = append(out, change(handle, name, fmt.Sprintf("%s%s/%d", handle, name, round-1), fmt.Sprintf("%s%s/%d", handle, name, round)))
	}
	return out
}

// Each message replaces all of a publisher's objects: at every serial each
// publisher's objects must be those of one message, and no serial is empty.
func TestSerialsNeverSplitAMessage(t *testing.T) {
	handles := []string{"a", "b", "c", "d"}
	f := open(t, handles...)
	ctx := t.Context()
	const rounds = 15
	done, stop := context.WithCancel(ctx)
	freezer := make(chan error, 1)
	go func() {
		for done.Err() == nil {
			if _, err := f.Update(ctx); err != nil {
				freezer <- err
				return
			}
		}
		freezer <- nil
	}()
	err := run(len(handles), func(i int) error {
		for round := range rounds {
			if err := f.Publish(ctx, handles[i], pairs(handles[i], round)); err != nil {
				return err
			}
		}
		return nil
	})
	stop()
	f.must(errors.Join(err, <-freezer))
	if _, err := f.Update(ctx); err != nil {
		t.Fatal(err)
	}
	checkSerials(t, f.DB, rounds)
}

// checkSerials looks at every serial there was.
func checkSerials(t *testing.T, db *pgxpool.Pool, rounds int) {
	t.Helper()
	rows, err := db.Query(t.Context(), `
SELECT s.revision, o.publisher, convert_from(d.der, 'UTF8')
FROM rrdp_serial s
JOIN pub_object o ON o.from_revision <= s.revision AND (o.to_revision IS NULL OR o.to_revision > s.revision)
JOIN der_object d ON d.hash = o.hash
ORDER BY s.revision`)
	if err != nil {
		t.Fatal(err)
	}
	type point struct {
		revision  int64
		publisher string
	}
	count, message := map[point]int{}, map[point]string{}
	var p point
	var content string
	_, err = pgx.ForEachRow(rows, []any{&p.revision, &p.publisher, &content}, func() error {
		_, round, _ := strings.Cut(content, "/")
		if was, ok := message[p]; ok && was != round {
			t.Errorf("revision %d: %s has objects of messages %s and %s", p.revision, p.publisher, was, round)
		}
		message[p] = round
		count[p]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	last := int64(0)
	for p, n := range count {
		if n != 20 {
			t.Errorf("revision %d: %s has %d objects", p.revision, p.publisher, n)
		}
		last = max(last, p.revision)
	}
	for _, handle := range []string{"a", "b", "c", "d"} {
		if got, want := message[point{last, handle}], fmt.Sprint(rounds-1); got != want {
			t.Errorf("%s ends with message %s, want %s", handle, got, want)
		}
	}
	var empty int
	err = db.QueryRow(t.Context(), `
SELECT count(*) FROM rrdp_serial s WHERE s.serial > 1
AND NOT EXISTS (SELECT 1 FROM pub_object o WHERE o.from_revision = s.revision OR o.to_revision = s.revision)`).Scan(&empty)
	if err != nil || empty > 0 {
		t.Errorf("%d empty serials, %v", empty, err)
	}
}

// Of two messages that replace the same object, one is refused.
func TestMessagesOfOnePublisherTakeTurns(t *testing.T) {
	f := open(t, "alice")
	ctx := t.Context()
	f.must(f.Publish(ctx, "alice", []pubserver.Change{put("alice", "n", "0")}))
	const writers = 8
	var mu sync.Mutex
	won := 0
	err := run(writers, func(i int) error {
		err := f.Publish(ctx, "alice", []pubserver.Change{change("alice", "n", "0", fmt.Sprint("by ", i))})
		if fault.Code(err) == "no_object_matching_hash" {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		won++
		return err
	})
	f.must(err)
	if won != 1 {
		t.Errorf("%d of %d messages replaced the same object", won, writers)
	}
}

// A publisher that is removed while it publishes leaves nothing behind.
func TestRemovalWhilePublishing(t *testing.T) {
	f := open(t, "alice")
	ctx := t.Context()
	err := run(5, func(i int) error {
		if i == 0 {
			return f.RemovePublisher(ctx, actor, "alice")
		}
		err := f.Publish(ctx, "alice", []pubserver.Change{put("alice", fmt.Sprint(i), "x")})
		if fault.Code(err) == "pub-unknown" {
			return nil
		}
		return err
	})
	f.must(err)
	if _, err := f.Update(ctx); err != nil {
		t.Fatal(err)
	}
	f.wantPublic(map[string]string{})
	f.add("alice")
	f.wantHas("alice", map[string]string{})
}
