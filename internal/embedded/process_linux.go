package embedded

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// processAttributes: a process group of its own, and a fast shutdown when the
// thread that started it ends, which is when our process is gone.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: stopFast}
}

// syncFileSystem writes out the file system that holds path.
func syncFileSystem(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return unix.Syncfs(int(f.Fd()))
}
