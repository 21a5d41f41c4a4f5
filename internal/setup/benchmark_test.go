package setup_test

import (
	"slices"
	"strings"
	"testing"

	"baleen/internal/ca"
)

// measured runs a benchmark to its end and gives its last line in the log.
func (w *world) measured(cas, roas int) string {
	w.T.Helper()
	j := w.Listen()
	w.Must(w.imports.StartBenchmark(w.T.Context(), cas, roas))
	for range 200 {
		w.Settle()
		if w.Count("task WHERE kind = 'benchmark'") == 0 {
			lines := strings.Split(strings.TrimSpace(j.Take()), "\n")
			lines = slices.DeleteFunc(lines, func(l string) bool { return !strings.Contains(l, "benchmark: ") })
			if len(lines) != 1 {
				w.T.Fatalf("the benchmark ended with %d lines that say so: %q", len(lines), lines)
			}
			return lines[0]
		}
		w.Pass(1e9)
	}
	w.T.Fatal("the benchmark does not end")
	return ""
}

// TestBenchmark is T16 with five CAs of four ROAs.
func TestBenchmark(t *testing.T) {
	w := newWorld(t)
	w.Start()
	line := w.measured(5, 4)
	for _, part := range []string{`"cas":5,`, `"of":5,`, `"found":0,`, `"roas":20,`, `"roas_of":20,`} {
		if !strings.Contains(line, part) {
			t.Errorf("the last line is %s, without %s", line, part)
		}
	}
	if n := len(w.State("testbed").Children); n != 5 {
		t.Errorf("testbed has %d children", n)
	}
	if all, err := w.Pubs.Publishers(t.Context()); err != nil || len(all) != 7 {
		t.Errorf("publishers: %v, %v", all, err)
	}
	for _, name := range []string{"benchmark-0", "benchmark-4"} {
		w.WantPublished(name, 1, 0, 4)
	}
	st := w.State("benchmark-4")
	if !st.Held().Equal(set("", "10.0.4.0/24", "")) || st.SortedROAs()[0].String() != "10.0.4.0/24-24 => 64512" || st.SortedROAs()[3].String() != "10.0.4.0/24-24 => 64515" {
		t.Errorf("benchmark-4 holds %s and has %v", st.Held(), st.SortedROAs())
	}
	if n := len(w.Routes()); n != 20 {
		t.Errorf("relying parties see %d routes", n)
	}
	w.NoFaults()

	// What is there is not made again, what is missing is: also where the server ended in between.
	w.Must(w.Configure("benchmark-3", ca.ConfigureROAs{Removed: []ca.ROA{{ASID: 64512, Prefix: route("10.0.3.0/24", 24, 0).ROA.Prefix, MaxLength: 24}}}))
	w.Must(w.imports.StartBenchmark(t.Context(), 6, 1))
	w.Pass(1e9)
	if _, err := w.Worker.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Exec("DELETE FROM task WHERE kind = 'benchmark'")
	if line := w.measured(7, 1); !strings.Contains(line, `"cas":7,`) || !strings.Contains(line, `"roas":21,`) {
		t.Errorf("the second time the last line is %s", line)
	}
	if n := len(w.State("benchmark-3").ROAs); n != 3 {
		t.Errorf("benchmark-3 was made again: it has %d ROAs", n)
	}
	w.Verified()
}
