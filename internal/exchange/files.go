package exchange

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// keep writes the messages of an exchange into the folder of its protocol:
// CA/rcvd/CHILD and CA/sent/PARENT for RFC 6492, PUBLISHER/rcvd and CA/sent for
// RFC 8181. The files of one exchange are named by the time it began, in
// milliseconds of the Unix time: .rcvd or .sent for the request, .repl for the
// reply, .err for what went wrong. A list that succeeded is not kept: it says
// nothing that the next one would not say.
func (l *Log) keep(e Entry) {
	dir := l.Dirs[e.Protocol]
	if dir == "" || e.Outcome == OK && e.Request == "list" {
		return
	}
	if err := e.write(dir); err != nil {
		l.Log.Warn("the messages of an exchange could not be kept", "folder", dir, "fault", err)
	}
}

func (e Entry) write(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	folder := e.folder()
	if err := root.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	request, reply, ending := e.In, e.Out, ".rcvd"
	if e.Role == Client {
		request, reply, ending = e.Out, e.In, ".sent"
	}
	base, err := reserve(root, folder, ending, e.Began, request)
	if err != nil {
		return err
	}
	if len(reply) > 0 {
		err = root.WriteFile(base+".repl", reply, 0o600)
	}
	if e.Outcome != OK {
		err = errors.Join(err, root.WriteFile(base+".err", []byte(e.Code+": "+e.Msg+"\n"), 0o600))
	}
	return err
}

// reserve writes the request under the first free name, and gives that name
// without its ending.
func reserve(root *os.Root, folder, ending string, began time.Time, request []byte) (string, error) {
	for ms := began.UnixMilli(); ; ms++ {
		base := path.Join(folder, fmt.Sprint(ms))
		f, err := root.OpenFile(base+ending, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = f.Write(request)
		return base, errors.Join(err, f.Close())
	}
}

func (e Entry) folder() string {
	way := "rcvd"
	if e.Role == Client {
		way = "sent"
	}
	switch {
	case e.Protocol == UpDown:
		return path.Join(segment(e.Party), way, segment(e.Peer))
	case e.Role == Server:
		return path.Join(segment(e.Peer), way)
	default:
		return path.Join(segment(e.Party), way)
	}
}

// segment makes a handle one part of a path. Handles hold letters, digits, "-",
// "_", "/" and "\" (RFC 8183 section 5.1); what an unproved message calls itself
// may hold anything.
func segment(handle string) string {
	safe := strings.Map(func(r rune) rune {
		switch {
		case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
			return r
		case r == '\\':
			return '='
		default:
			return '+'
		}
	}, handle)
	if safe == "" {
		return "+"
	}
	return safe[:min(len(safe), 255)]
}
