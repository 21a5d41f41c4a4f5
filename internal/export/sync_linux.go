package export

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// syncTree has a folder and all below it on the disk: in one call for the
// whole file system, which is much cheaper than one for each file.
func (d *disk) syncTree(dir string) error {
	f, err := d.root.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
