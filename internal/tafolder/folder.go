// Package tafolder keeps an offline signer in one folder, without a database:
//
//	log.jsonl   all that ever happened, one record a line, each with the hash of the one before; only ever appended to
//	head.json   how many records there are, and the hash and manifest number of the last; replaced after each
//	keys.json   the private keys, encrypted under a passphrase
//
// The records hold everything: events, messages that came and went, signed
// objects. The state is the fold of the events, by the same pure code as in the
// server. A copy of the folder is a backup of the signer.
//
// A write that a crash interrupts leaves the folder as it was before it or as
// it is after it: a line that is not whole was never promised, and a whole one
// that head.json does not count yet is counted at the next write. Fewer records
// than head.json counts are none of this: the log was cut, and the folder is
// refused.
package tafolder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"baleen/internal/es"
	"baleen/internal/ta"
	"baleen/internal/tafile"
)

// The files of a folder.
const (
	logName  = "log.jsonl"
	headName = "head.json"
	keysName = "keys.json"
)

// Folder is an open signer. Only one program has it open for writing.
type Folder struct {
	State   ta.SignerState
	DER     tafile.DER // every object that was ever signed
	Records []Record
	Torn    bool // the log ends in a line that a crash cut off; the next write drops it

	dir    string
	handle *os.File // of the folder: holds the lock
	end    int64    // octets of the log that count
	last   string   // hash of the last record
	disk   disk
}

// ErrNone says that there is no signer in the folder yet.
var ErrNone = errors.New("there is no signer in this folder; `init` makes one")

// Open reads a folder and checks all of it: the chain of records, that they
// reach as far as head.json says, and that manifest numbers only grow. write
// keeps others out until Close.
func Open(dir string, write bool) (*Folder, error) { return open(dir, write, disk{}) }

func open(dir string, write bool, d disk) (*Folder, error) {
	handle, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNone)
	}
	if err != nil {
		return nil, err
	}
	f := &Folder{dir: dir, handle: handle, DER: tafile.DER{}, disk: d}
	if err := f.lock(write); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := f.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", dir, err), f.Close())
	}
	return f, nil
}

func (f *Folder) lock(write bool) error {
	how := syscall.LOCK_SH
	if write {
		how = syscall.LOCK_EX
	}
	if err := syscall.Flock(int(f.handle.Fd()), how|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("%s is in use by another baleen-ta", f.dir)
	}
	return nil
}

// Close lets others in.
func (f *Folder) Close() error { return f.handle.Close() }

func (f *Folder) path(name string) string { return filepath.Join(f.dir, name) }

// Append records what happened. It is on the disk when it returns; after an
// error it may be there or not, which the next Open tells.
func (f *Folder) Append(r Record, e es.Event) error {
	if err := r.put(e, len(f.Records)+1, f.last); err != nil {
		return err
	}
	line, hash, err := r.line()
	if err != nil {
		return err
	}
	if err := f.disk.appendAt(f.path(logName), f.end, line); err != nil {
		return err
	}
	f.Torn = false
	if err := f.take(r, e, hash); err != nil {
		return err
	}
	f.end += int64(len(line))
	return f.writeHead()
}

// take brings the state to what a record says.
func (f *Folder) take(r Record, e es.Event, hash string) error {
	before := f.State.Objects.Number
	if signs(e) {
		before++
	}
	ta.SignerType().Apply(&f.State, es.Meta{Handle: ta.Handle, Version: int64(r.Number), At: r.At}, e)
	if f.State.Objects.Number < before {
		return fmt.Errorf("record %d has manifest number %d, at least %d must follow", r.Number, f.State.Objects.Number, before)
	}
	for _, der := range r.Objects {
		f.DER[ta.HashOf(der)] = der
	}
	f.Records, f.last = append(f.Records, r), hash
	return nil
}

// signs says whether an event comes with a new manifest.
func signs(e es.Event) bool {
	switch e.(type) {
	case ta.TAReissued, ta.KeysAnnounced:
		return false
	default:
		return true
	}
}

// New is what a folder begins with.
type New struct {
	Keys       SoftKeys
	Passphrase []byte
	Cost       Cost
	Record     Record
	Event      ta.SignerInitialized
}

// Create makes a folder with a signer. The folder appears whole or not at all:
// there must be nothing at dir, or an empty folder.
func Create(dir string, n New) error { return create(dir, n, disk{}) }

func create(dir string, n New, d disk) error {
	if err := CheckFree(dir); err != nil {
		return err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(parent, "."+filepath.Base(dir)+"-*") // mode 0700
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	keys, err := seal(n.Keys, n.Passphrase, n.Cost)
	if err != nil {
		return err
	}
	f := &Folder{dir: tmp, DER: tafile.DER{}, disk: d}
	if err := d.replace(f.path(keysName), keys); err != nil {
		return err
	}
	if err := d.create(f.path(logName), nil); err != nil {
		return err
	}
	if err := f.Append(n.Record, n.Event); err != nil {
		return err
	}
	return d.rename(tmp, dir)
}

// CheckFree says whether a signer can be made at dir.
func CheckFree(dir string) error {
	inside, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(inside) > 0:
		return fmt.Errorf("%s is not empty: a signer is made in a folder of its own, and only once", dir)
	}
	return nil
}

// Keys opens the private keys.
func (f *Folder) Keys(passphrase []byte) (Keys, error) {
	text, err := os.ReadFile(f.path(keysName))
	if err != nil {
		return nil, err
	}
	keys, err := unseal(text, passphrase)
	if err != nil {
		return nil, err
	}
	for what, id := range map[string]ta.Identity{"trust anchor": {KeyID: f.State.TA.KeyID}, "identity": f.State.Identity} {
		if _, err := keys.Signer(id.KeyID); err != nil {
			return nil, fmt.Errorf("%s is not that of this log: the %s key %s is missing", keysName, what, id.KeyID)
		}
	}
	return keys, nil
}

// ChangePassphrase encrypts the private keys anew.
func (f *Folder) ChangePassphrase(old, passphrase []byte, cost Cost) error {
	keys, err := f.Keys(old)
	if err != nil {
		return err
	}
	soft, ok := keys.(SoftKeys)
	if !ok {
		return errors.New("the keys are not in this folder")
	}
	text, err := seal(soft, passphrase, cost)
	if err != nil {
		return err
	}
	return f.disk.replace(f.path(keysName), text)
}

// At gives when the last record was made.
func (f *Folder) At() time.Time { return f.Records[len(f.Records)-1].At }
