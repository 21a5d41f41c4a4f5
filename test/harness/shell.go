package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/creack/pty"
)

// Shell is a shell on a terminal with an operator before it, who answers what is
// asked.
type Shell struct {
	dir     string
	tty     *os.File
	cmd     *exec.Cmd
	text    bytes.Buffer // all that the terminal showed
	read    int          // octets of it that were dealt with
	chunks  chan []byte
	answers []Typed
}

// Typed is what the operator types at a prompt.
type Typed struct{ Prompt, Answer string }

// NewShell starts one in a folder. It ends with ctx, and with Close.
func NewShell(ctx context.Context, dir string, env []string, answers ...Typed) (*Shell, error) {
	cmd := exec.CommandContext(ctx, "bash", "--norc", "--noprofile")
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), env...), "PS1=", "PS2=")
	tty, err := pty.Start(cmd)
	if err != nil {
		return nil, fmt.Errorf("no pseudo-terminal: %w", err)
	}
	s := &Shell{dir: dir, tty: tty, cmd: cmd, chunks: make(chan []byte), answers: answers}
	go s.listen()
	if err := s.Define(""); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if _, err := s.Run("stty -echo"); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Shell) listen() {
	defer close(s.chunks)
	for {
		b := make([]byte, 4096)
		n, err := s.tty.Read(b)
		if err != nil {
			return
		}
		s.chunks <- b[:n]
	}
}

// Close ends the shell.
func (s *Shell) Close() error {
	_ = s.cmd.Process.Kill() // else the terminal is read on
	for range s.chunks {
	}
	_ = s.cmd.Wait() // it was killed
	return s.tty.Close()
}

// Define keeps functions for all that follows.
func (s *Shell) Define(functions string) error {
	return os.WriteFile(filepath.Join(s.dir, "defined.sh"), []byte(functions), 0o600)
}

// Shown gives all that the terminal showed.
func (s *Shell) Shown() string { return s.text.String() }

var statusLine = regexp.MustCompile(`<status (\d+)>\r\n`)

// Run types commands, answers what they ask, and gives what the terminal showed.
// The error says that one failed; none comes after it.
func (s *Shell) Run(commands string) (string, error) {
	from := s.text.Len()
	s.read = from
	// From a file: what is typed while a program runs would be its input.
	if err := os.WriteFile(filepath.Join(s.dir, "block.sh"), []byte(commands+"\n"), 0o600); err != nil {
		return "", err
	}
	if err := s.send("( set -e; . ./defined.sh; . ./block.sh ); echo \"<status $?>\"\n"); err != nil {
		return "", err
	}
	for {
		chunk, open := <-s.chunks
		if !open {
			return s.text.String(), errors.New("the shell ended")
		}
		s.text.Write(chunk)
		for s.answerOne() {
		}
		shown := s.text.String()[from:]
		if m := statusLine.FindStringSubmatch(shown); m != nil && m[1] != "0" {
			return shown, fmt.Errorf("status %s of\n%s\n%s", m[1], commands, shown)
		} else if m != nil {
			return shown, nil
		}
	}
}

// answerOne types the answer to the first prompt that was not answered yet.
func (s *Shell) answerOne() bool {
	fresh := s.text.String()[s.read:]
	first, typed := len(fresh)+1, ""
	for _, a := range s.answers {
		if at := strings.Index(fresh, a.Prompt); at >= 0 && at+len(a.Prompt) < first {
			first, typed = at+len(a.Prompt), a.Answer
		}
	}
	if typed == "" {
		return false
	}
	s.read += first
	return s.send(typed+"\n") == nil
}

func (s *Shell) send(text string) error {
	_, err := s.tty.WriteString(text)
	return err
}

// Blocks gives the blocks of commands in a document of docs/, in order, with what
// stands behind their three backticks: "sh" or "console".
func Blocks(document string) ([][2]string, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", document))
	if err != nil {
		return nil, err
	}
	var out [][2]string
	for _, m := range blocks.FindAllStringSubmatch(string(text), -1) {
		out = append(out, [2]string{m[2], strings.TrimSuffix(strings.ReplaceAll(m[3], "\n"+m[1], "\n"), "\n")})
	}
	return out, nil
}

var blocks = regexp.MustCompile("(?ms)^( *)```(sh|console)\n(.*?)^ *```")
