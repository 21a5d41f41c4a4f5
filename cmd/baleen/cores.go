package main

import (
	"os"
	"runtime"
)

// spareThreads is how many goroutines may run beside those that keep all cores
// busy making keys: those that sign with them, and whoever wants an answer.
const spareThreads = 4

// shareCores lets more goroutines run at once than there are cores. Keys are made
// on threads of low priority (package signer); without a thread to spare, a
// request would wait for one of them, some 10 ms at each step, and its low
// priority would help nobody. Who sets GOMAXPROCS is obeyed.
func shareCores() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + spareThreads)
	}
}
