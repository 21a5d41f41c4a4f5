package tactl

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/tak"
	"baleen/internal/ta"
	"baleen/internal/tafolder"
)

// announcement is what `announce` is told: paths of locators, and comments.
type announcement struct {
	predecessor, successor string
	comments               []string
	off                    bool
}

func (s *session) announce() *cobra.Command {
	var a announcement
	cmd := &cobra.Command{
		Use: "announce", Short: "Say in the repository which key is, was and will be that of the trust anchor (RFC 9691)", Args: cobra.NoArgs,
		Long: "Has every following response bring a trust anchor key object, from which relying parties learn under which URIs the key is found\n" +
			"and of a planned key roll. What was said before is replaced as a whole.",
		RunE: func(*cobra.Command, []string) error {
			return s.open(true, func(f *tafolder.Folder) error { return s.runAnnounce(f, a) })
		},
	}
	cmd.Flags().StringVar(&a.successor, "successor", "", "file with the locator (TAL) of the key that will follow")
	cmd.Flags().StringVar(&a.predecessor, "predecessor", "", "file with the locator (TAL) of the key that was before")
	cmd.Flags().StringArrayVar(&a.comments, "comment", nil, "comment on the current key; may be given several times")
	cmd.Flags().BoolVar(&a.off, "off", false, "say nothing any more")
	for _, other := range []string{"successor", "predecessor", "comment"} {
		cmd.MarkFlagsMutuallyExclusive("off", other)
	}
	return cmd
}

func (s *session) runAnnounce(f *tafolder.Folder, a announcement) error {
	var cmd ta.AnnounceKeys
	if !a.off {
		said := ta.Announcement{Comments: append([]string{}, a.comments...)}
		var err error
		if said.Predecessor, err = readLocator(a.predecessor); err != nil {
			return err
		}
		if said.Successor, err = readLocator(a.successor); err != nil {
			return err
		}
		cmd.Announcement = &said
	}
	events, err := cmd.Process(&f.State, s.env.Now())
	if err != nil {
		return err
	}
	if len(events) == 0 {
		return errors.New("nothing was announced")
	}
	if err := f.Append(tafolder.Record{At: s.env.Now()}, events[0]); err != nil {
		return err
	}
	s.say("The next response will say it.")
	return nil
}

// readLocator reads a trust anchor locator (RFC 8630 section 2.2).
func readLocator(path string) (*ta.KeyInfo, error) {
	if path == "" {
		return nil, nil
	}
	file, err := readFile(path)
	if err != nil {
		return nil, err
	}
	t, broken := profile.TAL(file)
	if err := profile.Join(broken); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ta.InfoOf(tak.Of(t)), nil
}

// tellKeys shows what is about to be said of the keys.
func (s *session) tellKeys(t *tak.TAK, announced bool) {
	switch {
	case t == nil && announced:
		s.say("WARNING: nothing is said of the trust anchor's keys: this proxy would not publish it.")
	case t != nil:
		s.say("Trust anchor keys: %s is the current one%s%s", t.Current.ID(), also("before it", t.Predecessor), also("after it", t.Successor))
	}
}

func also(when string, k *tak.Key) string {
	if k == nil {
		return ""
	}
	return ", " + k.ID().String() + " " + when
}
