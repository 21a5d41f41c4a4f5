package tactl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"baleen/internal/ta"
	"baleen/internal/tafile"
	"baleen/internal/tafolder"
)

// The values of --format.
const (
	formatText = "text"
	formatJSON = "json"
)

// shows makes a command that only reads.
func (s *session) shows(use, short string, run func(f *tafolder.Folder) ([]byte, error)) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return s.open(false, func(f *tafolder.Folder) error {
				content, err := run(f)
				if err != nil {
					return err
				}
				return s.deliver(out, content)
			})
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "file to write instead of standard output")
	return cmd
}

func (s *session) show() *cobra.Command {
	return s.shows("show", "Show the signer; as JSON it is the file for the proxy", func(f *tafolder.Folder) ([]byte, error) {
		st := &f.State
		if s.format == formatJSON {
			info, err := tafile.EncodeSigner(st.Info(), f.DER)
			if err != nil {
				return nil, err
			}
			return tafile.Encode(info)
		}
		var b bytes.Buffer
		line(&b, "trust anchor key   %s", st.TA.KeyID)
		line(&b, "certificate        %s to %s", at(st.TA.NotBefore), at(st.TA.NotAfter))
		line(&b, "publishes in       %s", st.TA.SIA.Repository)
		line(&b, "signer's identity  %s", st.Identity.KeyID)
		line(&b, "proxy's identity   %s", st.ProxyID.KeyID)
		line(&b, "manifest number    %d, until %s", st.Objects.Number, at(st.Objects.NextUpdate))
		line(&b, "next exchange      before %s", at(st.Objects.ThisUpdate.Add(st.Objects.NextUpdate.Sub(st.Objects.ThisUpdate)/2)))
		line(&b, "revoked            %d serial numbers", len(st.Objects.Revoked))
		for _, key := range sortedKeys(st.Objects.Issued) {
			c := st.Objects.Issued[key]
			line(&b, "child %s, key %s until %s: %s", c.Child, key, at(c.NotAfter), setText(c.Resources))
		}
		if st.Announcement != nil {
			line(&b, "announces          its key%s%s", also("before it", st.Announcement.About(st.TAL).Predecessor), also("after it", st.Announcement.About(st.TAL).Successor))
		}
		line(&b, "\n%s", st.TAL.Encode())
		return b.Bytes(), nil
	})
}

func line(b *bytes.Buffer, format string, args ...any) {
	b.WriteString(printable(fmt.Sprintf(format, args...)) + "\n")
}

// given gives the records of the responses that this signer gave.
func given(f *tafolder.Folder) []tafolder.Record {
	return slices.DeleteFunc(slices.Clone(f.Records), func(r tafolder.Record) bool { return r.Response == nil })
}

func indented(raw json.RawMessage) ([]byte, error) {
	var b bytes.Buffer
	err := json.Indent(&b, raw, "", "  ")
	b.WriteByte('\n')
	return b.Bytes(), err
}

func (s *session) last() *cobra.Command {
	return s.shows("last", "Show the last response; as JSON it is the file for the proxy", func(f *tafolder.Folder) ([]byte, error) {
		all := given(f)
		if len(all) == 0 {
			return nil, errors.New("there was no exchange yet")
		}
		r := all[len(all)-1]
		if s.format == formatJSON {
			return indented(r.Response)
		}
		var b bytes.Buffer
		err := tellRecord(&b, r)
		return b.Bytes(), err
	})
}

// pair is an exchange as it happened.
type pair struct {
	Time     time.Time       `json:"time"`
	Request  json.RawMessage `json:"request"` // null where the response was recovered
	Response json.RawMessage `json:"response"`
}

func (s *session) exchanges() *cobra.Command {
	return s.shows("exchanges", "Show all requests and responses", func(f *tafolder.Folder) ([]byte, error) {
		all := given(f)
		if s.format == formatJSON {
			out := []pair{}
			for _, r := range all {
				out = append(out, pair{Time: r.At, Request: r.Request, Response: r.Response})
			}
			return tafile.Encode(out)
		}
		var b bytes.Buffer
		for _, r := range all {
			if err := tellRecord(&b, r); err != nil {
				return nil, err
			}
		}
		return b.Bytes(), nil
	})
}

// tellRecord sums up an exchange.
func tellRecord(b *bytes.Buffer, r tafolder.Record) error {
	e, err := ta.SignerType().Codec.Decode(r.Event, r.Payload)
	if err != nil {
		return err
	}
	done, ok := e.(ta.RequestProcessed)
	if !ok {
		return fmt.Errorf("record %d is no exchange", r.Number)
	}
	o := done.Response.Objects
	line(b, "%s  request %s  manifest number %d until %s", at(r.At), done.Response.Nonce, o.Number, at(o.NextUpdate))
	if r.Note != "" {
		line(b, "  %s", r.Note)
	}
	for _, child := range slices.Sorted(maps.Keys(done.Response.Children)) {
		for _, key := range sortedKeys(done.Response.Children[child]) {
			answer := done.Response.Children[child][key]
			line(b, "  %-8s key %s  child %s %s", answer.Outcome, key, child, answer.Reason)
		}
	}
	return nil
}

func (s *session) verify() *cobra.Command {
	var keys bool
	cmd := s.shows("verify", "Check the whole folder: chain of records, messages, objects", func(f *tafolder.Folder) ([]byte, error) {
		if err := f.Verify(); err != nil {
			return nil, err
		}
		text := fmt.Sprintf("%d records, the last of %s with manifest number %d: all is well\n", len(f.Records), at(f.At()), f.State.Objects.Number)
		if keys {
			if _, err := s.keys(f); err != nil {
				return nil, err
			}
			text += "the passphrase opens the keys, and they are the right ones\n"
		}
		return []byte(text), nil
	})
	cmd.Flags().BoolVar(&keys, "keys", false, "ask for the passphrase and check the keys too")
	return cmd
}
