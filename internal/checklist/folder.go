package checklist

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"baleen/internal/rpki/cert"
)

// maxObject is how large an object may be that is decoded, in octets.
const maxObject = 32 << 20

// folder holds what is published below an URI.
type folder struct {
	base string // ends in a slash; "": everything, by host and path
	root *os.Root
}

// folders are where objects are looked for, in this order.
type folders []folder

// openFolders opens the folders of --repo: DIR, which holds HOST/PATH as the
// caches of validators do, or URI=DIR, which holds what is below that URI.
func openFolders(list []string) (all folders, err error) {
	defer func() {
		if err != nil {
			all.close()
		}
	}()
	for _, text := range list {
		var f folder
		dir := text
		if uri, rest, ok := strings.Cut(text, "="); ok && strings.Contains(uri, "://") {
			if !cert.IsRsyncURI(uri) && !cert.IsHTTPSURI(uri) {
				return all, fmt.Errorf("repository %q: want DIR or URI=DIR, with an rsync or https URI such as rsync://rpki.example.net/repo/", text)
			}
			f.base, dir = sameCase(strings.TrimSuffix(uri, "/")+"/"), rest
		}
		if f.root, err = os.OpenRoot(dir); err != nil {
			return all, fmt.Errorf("repository: %w", err)
		}
		all = append(all, f)
	}
	return all, nil
}

func (all folders) close() {
	for _, f := range all {
		_ = f.root.Close() // it was only read
	}
}

// open gives the file of an object. That it is not there is fs.ErrNotExist.
func (all folders) open(uri string) (*os.File, error) {
	if !cert.IsRsyncURI(uri) && !cert.IsHTTPSURI(uri) {
		return nil, fs.ErrNotExist
	}
	uri = sameCase(uri)
	_, whole, _ := strings.Cut(uri, "://")
	for _, f := range all {
		name := whole
		if f.base != "" {
			var below bool
			if name, below = strings.CutPrefix(uri, f.base); !below {
				continue
			}
		}
		switch file, err := f.root.Open(name); {
		case err == nil:
			return file, nil
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	return nil, fs.ErrNotExist
}

// read gives an object.
func (all folders) read(ctx context.Context, uri string) ([]byte, error) {
	f, err := all.open(uri)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return readObject(ctx, f)
}

// digest gives the digest of an object of any size.
func (all folders) digest(ctx context.Context, uri string) ([sha256.Size]byte, error) {
	f, err := all.open(uri)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return digest(ctx, f)
}

// readFile gives a file that is decoded.
func readFile(ctx context.Context, name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return readObject(ctx, f)
}

func readObject(ctx context.Context, r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(reader{ctx, r}, maxObject+1))
	if err == nil && len(data) > maxObject {
		err = fmt.Errorf("is larger than %d MiB, which no object is", maxObject>>20)
	}
	return data, err
}

// digest gives the SHA-256 digest of all that is left, whatever its size.
func digest(ctx context.Context, r io.Reader) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	if _, err = io.Copy(h, reader{ctx, r}); err == nil {
		h.Sum(sum[:0])
	}
	return sum, err
}

// reader stops when ctx ends.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// sameCase writes the parts of an URI that know no case in lower case: scheme
// and host (RFC 3986 section 6.2.2.1).
func sameCase(uri string) string {
	scheme, rest, _ := strings.Cut(uri, "://")
	host, path, slash := strings.Cut(rest, "/")
	if slash {
		path = "/" + path
	}
	return strings.ToLower(scheme+"://"+host) + path
}
