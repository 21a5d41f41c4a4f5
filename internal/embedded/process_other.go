//go:build !linux

package embedded

import "syscall"

// processAttributes: a process group of its own. Only Linux can promise that the
// server ends with us; elsewhere a server that survives a kill -9 keeps the next
// start waiting until it is stopped by hand.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// syncFileSystem writes out all file systems.
func syncFileSystem(string) error {
	return syscall.Sync()
}
