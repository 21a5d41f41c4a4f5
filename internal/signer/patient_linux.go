package signer

import (
	"runtime"
	"syscall"
)

// niceness of threads that make keys: what answers somebody goes first.
const niceness = 5

// patiently runs f and waits for its end. Meanwhile a thread of its own yields to
// all others: making keys keeps cores busy for minutes, and whoever waits for an
// answer must not wait for a time slice. The thread ends with f, since no
// ordinary user may raise its priority again.
func patiently(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), niceness) // refused: then it is not patient
		f()
	}()
	<-done
}
