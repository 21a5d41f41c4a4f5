package tasks_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"baleen/internal/tasks"
	"baleen/internal/testdb"
)

func BenchmarkTasks(b *testing.B) {
	pool := testdb.New(b)
	for _, conc := range []int{4, 8, 16} {
		b.Run(fmt.Sprint(conc), func(b *testing.B) {
			w := &tasks.Worker{DB: pool, Fence: testdb.Fence(b, pool), Node: "a", Concurrency: conc}
			tasks.Register(w, func(_ context.Context, a chore) (tasks.Outcome, error) { return tasks.Outcome{}, nil })
			var list []tasks.Scheduled
			for i := range b.N {
				list = append(list, tasks.Scheduled{Args: chore{Who: fmt.Sprint(i)}})
			}
			if err := tasks.Enqueue(b.Context(), pool, time.Now(), list...); err != nil {
				b.Fatal(err)
			}
			ctx, stop := context.WithCancel(b.Context())
			b.ResetTimer()
			done := make(chan bool)
			go func() { _ = w.Run(ctx); close(done) }()
			for {
				var n int
				_ = pool.QueryRow(b.Context(), "SELECT count(*) FROM (SELECT FROM task LIMIT 1) x").Scan(&n)
				if n == 0 {
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
			b.StopTimer()
			stop()
			<-done
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
		})
	}
}
