package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/publication"
)

const (
	shelf  = 1000 // objects of each publisher that fills the repository
	little = 100  // objects of the publisher that is measured
	rounds = 200  // of its lists and changes
)

// manyObjects measures one publisher's lists and changes in a repository that is
// empty but for it, and again when others have filled that: neither may cost more
// then.
func (b *bench) manyObjects(ctx context.Context, n sizes) error {
	if n.objects == 0 {
		return nil
	}
	fmt.Printf("\none publisher with %d objects, beside others\n", little)
	if err := b.stock(ctx, "little", little, 0); err != nil {
		return err
	}
	held := stocked("little", 0)
	if err := b.askLittle(ctx, "alone", 1, &held); err != nil {
		return err
	}
	start := time.Now()
	for i := range n.objects / shelf {
		if err := b.stock(ctx, fmt.Sprint("shelf", i), shelf, 0); err != nil {
			return err
		}
	}
	if err := b.s.Settle(ctx); err != nil {
		return err
	}
	fmt.Printf("  %d objects of %d others published in %.1f s\n", n.objects/shelf*shelf, n.objects/shelf, time.Since(start).Seconds())
	if err := b.askLittle(ctx, "beside them", 1+2*rounds, &held); err != nil {
		return err
	}
	start = time.Now()
	if err := b.s.Settle(ctx); err != nil {
		return err
	}
	fmt.Printf("  what was left to publish took %.1f s\n", time.Since(start).Seconds())
	return nil
}

// stock makes a publisher and lets it publish this many objects in one message.
func (b *bench) stock(ctx context.Context, name string, objects, turn int) error {
	if err := b.post(ctx, "/api/v1/pubd/publishers", oob.PublisherRequest{PublisherHandle: name, IDCert: b.id.Raw}); err != nil {
		return err
	}
	q := publication.Query{}
	for i := range objects {
		q.Changes = append(q.Changes, publication.Change{
			URI: fmt.Sprintf("rsync://localhost/repo/%s/%d.roa", name, i), Content: stocked(name, i),
		})
	}
	return b.say(ctx, name, q, turn, wantSuccess)
}

// stocked is the first content of a publisher's object.
func stocked(name string, i int) []byte { return fmt.Appendf(make([]byte, 1900), "%s %d", name, i) }

// askLittle has the small publisher ask for its list and replace one object, in
// turns, and prints how long the answers took.
func (b *bench) askLittle(ctx context.Context, when string, turn int, held *[]byte) error {
	var lists, changes []time.Duration
	for i := range rounds {
		start := time.Now()
		if err := b.say(ctx, "little", publication.Query{List: true}, turn+2*i, func([]byte) error { return nil }); err != nil {
			return err
		}
		lists, start = append(lists, time.Since(start)), time.Now()
		old, next := sha256.Sum256(*held), stocked(when, i)
		q := publication.Query{Changes: []publication.Change{{URI: "rsync://localhost/repo/little/0.roa", Hash: &old, Content: next}}}
		if err := b.say(ctx, "little", q, turn+2*i+1, wantSuccess); err != nil {
			return err
		}
		changes, *held = append(changes, time.Since(start)), next
	}
	fmt.Printf("  %s: list %s; change of one object %s (both with signing the question)\n", when, quantiles(lists), quantiles(changes))
	return nil
}

func (b *bench) say(ctx context.Context, name string, q publication.Query, turn int, ok func([]byte) error) error {
	xml, err := q.Encode()
	if err != nil {
		return err
	}
	signed, err := b.sign([]words{{path: "/rfc8181/" + name + "/", content: xml, turn: turn}})
	if err != nil {
		return err
	}
	answer, err := b.send(ctx, signed[0])
	if err != nil {
		return err
	}
	return ok(answer)
}

func quantiles(d []time.Duration) string {
	slices.Sort(d)
	at := func(q float64) time.Duration {
		return d[min(len(d)-1, int(q*float64(len(d))))].Round(100 * time.Microsecond)
	}
	return fmt.Sprintf("p50 %s, p99 %s", at(0.5), at(0.99))
}
