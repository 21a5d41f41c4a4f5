package service_test

import (
	"slices"
	"strings"
	"testing"

	"baleen/internal/ca"
)

// measured runs a benchmark to its end and gives its last line in the log.
func (w *world) measured(cas, roas int) string {
	w.t.Helper()
	j := w.listen()
	w.must(w.StartBenchmark(w.t.Context(), cas, roas))
	for range 200 {
		w.settle()
		if w.count("task WHERE kind = 'benchmark'") == 0 {
			lines := strings.Split(strings.TrimSpace(j.take()), "\n")
			lines = slices.DeleteFunc(lines, func(l string) bool { return !strings.Contains(l, "benchmark: ") })
			if len(lines) != 1 {
				w.t.Fatalf("the benchmark ended with %d lines that say so: %q", len(lines), lines)
			}
			return lines[0]
		}
		w.pass(1e9)
	}
	w.t.Fatal("the benchmark does not end")
	return ""
}

// TestBenchmark is T16 with ten CAs of ten ROAs.
func TestBenchmark(t *testing.T) {
	w := newWorld(t)
	w.start()
	line := w.measured(10, 10)
	for _, part := range []string{`"cas":10,`, `"of":10,`, `"found":0,`, `"roas":100,`, `"roas_of":100,`} {
		if !strings.Contains(line, part) {
			t.Errorf("the last line is %s, without %s", line, part)
		}
	}
	if n := len(w.state("testbed").Children); n != 10 {
		t.Errorf("testbed has %d children", n)
	}
	if all, err := w.Pubs.Publishers(t.Context()); err != nil || len(all) != 12 {
		t.Errorf("publishers: %v, %v", all, err)
	}
	for _, name := range []string{"benchmark-0", "benchmark-9"} {
		w.wantPublished(name, 1, 0, 10)
	}
	st := w.state("benchmark-9")
	if !st.Held().Equal(set("", "10.0.9.0/24", "")) || st.SortedROAs()[0].String() != "10.0.9.0/24-24 => 64512" || st.SortedROAs()[9].String() != "10.0.9.0/24-24 => 64521" {
		t.Errorf("benchmark-9 holds %s and has %v", st.Held(), st.SortedROAs())
	}
	if n := len(w.routes()); n != 100 {
		t.Errorf("relying parties see %d routes", n)
	}
	w.noFaults()

	// What is there is not made again, what is missing is: also where the server ended in between.
	w.must(w.configure("benchmark-3", ca.ConfigureROAs{Removed: []ca.ROA{{ASID: 64512, Prefix: route("10.0.3.0/24", 24, 0).ROA.Prefix, MaxLength: 24}}}))
	w.must(w.StartBenchmark(t.Context(), 12, 1))
	w.pass(1e9)
	if _, err := w.worker.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.exec("DELETE FROM task WHERE kind = 'benchmark'")
	if line := w.measured(13, 1); !strings.Contains(line, `"cas":13,`) || !strings.Contains(line, `"roas":102,`) {
		t.Errorf("the second time the last line is %s", line)
	}
	if n := len(w.state("benchmark-3").ROAs); n != 9 {
		t.Errorf("benchmark-3 was made again: it has %d ROAs", n)
	}
	w.verified()
}
