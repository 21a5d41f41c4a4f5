package pgstore_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"baleen/internal/testdb"
)

func BenchmarkExecute(b *testing.B) {
	pool := testdb.New(b)
	st := &store{Type: personType, DB: pool, Fence: testdb.Fence(b, pool)}
	for i := range 16 {
		if _, err := st.Create(b.Context(), fmt.Sprint(i), register{Name: "x"}, bob); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("serial", func(b *testing.B) {
		for b.Loop() {
			if _, err := st.Execute(b.Context(), "0", meet{Friend: "a", Spend: 1}, bob); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("view", func(b *testing.B) {
		for b.Loop() {
			if err := st.View(b.Context(), "0", func(*person, int64) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
	var n atomic.Int64
	b.SetParallelism(8)
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			h := fmt.Sprint(n.Add(1) % 16)
			for pb.Next() {
				if _, err := st.Execute(b.Context(), h, meet{Friend: "a", Spend: 1}, bob); err != nil {
					b.Error(err)
				}
			}
		})
	})
}
