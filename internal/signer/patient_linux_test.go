package signer

import (
	"runtime"
	"syscall"
	"testing"
)

// priority gives the niceness of the calling thread.
func priority(t *testing.T) int {
	t.Helper()
	raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, syscall.Gettid())
	if err != nil {
		t.Fatal(err)
	}
	return 20 - raw // as the kernel gives it
}

// Only the thread that makes a key is patient, and nobody runs on it afterwards.
func TestOnlyTheThreadOfAKeyIsPatient(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := priority(t)
	if before >= niceness {
		t.Skipf("this process has niceness %d itself", before)
	}
	for range 20 {
		inside, tid := 0, 0
		patiently(func() { inside, tid = priority(t), syscall.Gettid() })
		if inside != niceness || tid == syscall.Gettid() {
			t.Fatalf("f ran at niceness %d on thread %d of %d", inside, tid, syscall.Gettid())
		}
		if after := priority(t); after != before {
			t.Fatalf("the caller has niceness %d after it, %d before", after, before)
		}
		others := make(chan int)
		go func() { others <- priority(t) }()
		if other := <-others; other != before {
			t.Fatalf("another goroutine has niceness %d, want %d", other, before)
		}
	}
}
