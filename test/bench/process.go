package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// clockTick is the unit in which the kernel tells processor time.
const clockTick = 10 * time.Millisecond

// cpu gives the processor time that a system's process used so far, and the
// children that it waited for; the private Postgres is not among them.
func cpu(s system) time.Duration {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.PID()))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	var user, system int64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		return 0
	}
	return time.Duration(user+system) * clockTick
}

// resident gives a process's resident memory in MiB, 0 if the kernel does not
// tell.
func resident(pid int) (mib int) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		var kib int
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kib); n == 1 {
			mib = kib / 1024
		}
	}
	return mib
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

func quantiles(d []time.Duration) string {
	slices.Sort(d)
	at := func(q float64) time.Duration { return round(d[min(len(d)-1, int(q*float64(len(d))))]) }
	return fmt.Sprintf("p50 %s, p99 %s, worst %s (%d)", at(0.5), at(0.99), at(1), len(d))
}
