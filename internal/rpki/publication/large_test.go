package publication_test

import (
	"fmt"
	"reflect"
	"runtime"
	"testing"

	"baleen/internal/rpki/publication"
)

// large gives a query that fills about the whole default limit.
func large(objects, size int) publication.Query {
	var q publication.Query
	for i := range objects {
		content := make([]byte, size)
		copy(content, fmt.Sprint(i))
		q.Changes = append(q.Changes, publication.Change{URI: fmt.Sprintf("rsync://repo.example/ca/%d.roa", i), Content: content})
	}
	return q
}

// Reading takes what the objects take and a little more, not several copies.
func TestLargeQueryIsNotCopied(t *testing.T) {
	const objects, size = 4_000, 5_000
	q := large(objects, size)
	data, err := q.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if cap(data) > len(data)+len(data)/4 {
		t.Errorf("writing %d octets took %d", len(data), cap(data))
	}

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := publication.DecodeQuery(data, publication.Limits{})
	runtime.ReadMemStats(&after)
	if err != nil || !reflect.DeepEqual(got, q) {
		t.Fatalf("got %d changes, %v", len(got.Changes), err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > objects*size*2 {
		t.Errorf("reading %d octets of content allocated %d", objects*size, used)
	}
}

func BenchmarkDecodeQuery(b *testing.B) {
	data, err := large(2_000, 2_000).Encode()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := publication.DecodeQuery(data, publication.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
