package tactl

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/spf13/cobra"

	"baleen/internal/es"
	"baleen/internal/ta"
	"baleen/internal/tafile"
	"baleen/internal/tafolder"
)

// exchange is one run of `process`.
type exchange struct {
	request, out string // paths
	number       uint64
	yes          bool
}

func (s *session) process() *cobra.Command {
	var x exchange
	cmd := &cobra.Command{
		Use: "process", Short: "Answer a request of the proxy", Args: cobra.NoArgs,
		Long: "Verifies a request of the proxy, shows what it asks for, asks, and signs. The response is kept in the folder before it is shown:\n" +
			"`last` gives it again at any time.",
		RunE: func(*cobra.Command, []string) error {
			return s.open(true, func(f *tafolder.Folder) error { return s.runProcess(f, x) })
		},
	}
	cmd.Flags().StringVarP(&x.request, "request", "r", "", "file with the request")
	cmd.Flags().StringVarP(&x.out, "out", "o", "", "file for the response; without it `last` gives it")
	cmd.Flags().Uint64Var(&x.number, "ta-mft-number-override", 0, "number of the new manifest, higher than the next one; if manifests were lost")
	cmd.Flags().BoolVar(&x.yes, "yes", false, "do not ask before signing")
	_ = cmd.MarkFlagRequired("request") // the flag is there
	return cmd
}

func (s *session) runProcess(f *tafolder.Folder, x exchange) error {
	file, err := readFile(x.request)
	if err != nil {
		return err
	}
	st := &f.State
	req, err := tafile.Opener{From: st.ProxyID, Now: s.env.Now()}.Request(file)
	if err != nil {
		return fmt.Errorf("%s: %w", x.request, err)
	}
	plan, err := st.PlanRequest(req, s.env.Now(), s.timing)
	if err != nil {
		return err
	}
	if x.number != 0 {
		if plan, err = plan.WithNumber(x.number); err != nil {
			return err
		}
	}
	if err := plan.CheckSeen(); err != nil {
		return err
	}
	s.tellRequest(f, plan)
	s.tellPlan(plan)
	s.tellKeys(plan.Keys, st.Announcement != nil)
	if err := s.confirm(x.yes); err != nil {
		return err
	}
	keys, err := s.keys(f)
	if err != nil {
		return err
	}
	response, err := s.answer(f, plan, keys, file)
	if err != nil {
		return err
	}
	s.say("Done: manifest number %d.", f.State.Objects.Number)
	if x.out == "" {
		s.say("Carry the output of `baleen-ta -f json last` to the proxy.")
		return nil
	}
	return s.deliver(x.out, response)
}

// answer signs, and keeps what was signed before it gives the response.
func (s *session) answer(f *tafolder.Folder, plan ta.Plan, keys tafolder.Keys, request []byte) ([]byte, error) {
	st := &f.State
	made, err := s.sign(plan, keys, f.DER[st.TA.Hash])
	if err != nil {
		return nil, err
	}
	events, err := made.Command().Process(st, s.env.Now())
	if err != nil {
		return nil, err
	}
	der := maps.Clone(f.DER)
	for _, fresh := range made.DER() {
		der[ta.HashOf(fresh)] = fresh
	}
	by, err := s.sealer(st.Identity, keys)
	if err != nil {
		return nil, err
	}
	sealed, err := by.Response(made.Response(), st.TA, der)
	if err != nil {
		return nil, err
	}
	response, err := tafile.Encode(sealed)
	if err != nil {
		return nil, err
	}
	r := tafolder.Record{At: s.env.Now(), Request: request, Response: response, Objects: made.DER()}
	if skipped := plan.Number - plan.After - 1; skipped > 0 {
		r.Note = fmt.Sprintf("manifest number %d was asked for after %d", plan.Number, plan.After)
	}
	return response, f.Append(r, events[0])
}

func (s *session) recover() *cobra.Command {
	var response, info string
	cmd := &cobra.Command{
		Use: "recover", Short: "Take in what this signer gave and this folder lacks", Args: cobra.NoArgs,
		Long: "Takes in a response that this signer once gave, or what it once told about itself, and that this copy of its folder does not know,\n" +
			"because it is an older backup.",
		RunE: func(*cobra.Command, []string) error {
			return s.open(true, func(f *tafolder.Folder) error {
				if response != "" {
					return s.runRecover(f, response)
				}
				return s.runRecoverInfo(f, info)
			})
		},
	}
	cmd.Flags().StringVar(&response, "response", "", "file with a response")
	cmd.Flags().StringVar(&info, "signer-info", "", "file with what `show` told, as JSON")
	cmd.MarkFlagsOneRequired("response", "signer-info")
	cmd.MarkFlagsMutuallyExclusive("response", "signer-info")
	return cmd
}

func (s *session) runRecover(f *tafolder.Folder, path string) error {
	file, err := readFile(path)
	if err != nil {
		return err
	}
	st := &f.State
	r, err := tafile.Opener{From: st.Identity}.Response(file, f.DER[st.TA.Hash])
	if err != nil {
		return fmt.Errorf("%s: it is no response of this signer: %w", path, err)
	}
	events, err := ta.RecoverResponse{Response: r.Response, SignedAt: r.SignedAt}.Process(st, s.env.Now())
	if err != nil {
		return err
	}
	return s.takeBack(f, tafolder.Record{Response: file, Note: "recovered from the response"}, r.DER, events[0])
}

func (s *session) runRecoverInfo(f *tafolder.Folder, path string) error {
	file, err := readFile(path)
	if err != nil {
		return err
	}
	info, err := tafile.DecodeSigner(file, s.env.Now())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	events, err := ta.RecoverObjects{Signer: info.Signer}.Process(&f.State, s.env.Now())
	if err != nil {
		return err
	}
	for _, key := range sortedKeys(info.Objects.Issued) {
		c := info.Objects.Issued[key]
		s.say("child %s, key %s until %s: %s", c.Child, key, at(c.NotAfter), setText(c.Resources))
	}
	return s.takeBack(f, tafolder.Record{Note: "recovered from what was told about the signer"}, info.DER, events[0])
}

// takeBack records what was recovered.
func (s *session) takeBack(f *tafolder.Folder, r tafolder.Record, der tafile.DER, e es.Event) error {
	r.At = s.env.Now()
	for hash, one := range der {
		if _, known := f.DER[hash]; !known {
			r.Objects = append(r.Objects, one)
		}
	}
	if err := f.Append(r, e); err != nil {
		return err
	}
	s.say("Done: the signer is at manifest number %d.", f.State.Objects.Number)
	return nil
}

// confirm asks whether to sign.
func (s *session) confirm(yes bool) error {
	if yes {
		return nil
	}
	answer, err := s.env.Terminal.Ask("Sign this? (yes/no) ")
	if err != nil {
		return err
	}
	if strings.TrimSpace(answer) != "yes" {
		return errors.New("nothing was signed")
	}
	return nil
}
