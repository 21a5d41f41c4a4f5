package tactl

import (
	"crypto"
	"crypto/rsa"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"baleen/internal/rpki/cert"
	"baleen/internal/ta"
	"baleen/internal/tafile"
	"baleen/internal/tafolder"
)

// identityYears is how long the signer's identity certificate is valid.
const identityYears = 15

// clockSkew is how far its validity starts in the past.
const clockSkew = 5 * time.Minute

// place is where a trust anchor is: what `init` and `reissue` are told.
type place struct {
	proxyID, contact string // paths
	rsync            string
	https            []string
}

func (p *place) bind(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&p.proxyID, "proxy-id", "i", "", "file with the proxy's identity")
	cmd.Flags().StringVarP(&p.contact, "proxy-repository-contact", "r", "", "file that says where the proxy publishes")
	cmd.Flags().StringVar(&p.rsync, "tal-rsync", "", "rsync URI of the trust anchor certificate, for locator and issued certificates")
	cmd.Flags().StringArrayVar(&p.https, "tal-https", nil, "https URI of the trust anchor certificate, for the locator; may be given several times")
}

// read reads the files that were named and checks the URIs.
func (p *place) read(now time.Time) (id ta.Identity, repo ta.Repository, err error) {
	if p.proxyID != "" {
		file, err := readFile(p.proxyID)
		if err != nil {
			return id, repo, err
		}
		if id, err = tafile.DecodeIdentity(file, now); err != nil {
			return id, repo, fmt.Errorf("%s: %w", p.proxyID, err)
		}
	}
	if p.contact != "" {
		file, err := readFile(p.contact)
		if err != nil {
			return id, repo, err
		}
		if repo, err = tafile.DecodeContact(file); err != nil {
			return id, repo, fmt.Errorf("%s: %w", p.contact, err)
		}
	}
	if p.rsync != "" && !tafile.IsURI(p.rsync, "rsync") {
		return id, repo, fmt.Errorf("--tal-rsync '%s' is not an rsync URI", p.rsync)
	}
	for _, u := range p.https {
		if !tafile.IsURI(u, "https") {
			return id, repo, fmt.Errorf("--tal-https '%s' is not an https URI", u)
		}
	}
	return id, repo, nil
}

func (s *session) init() *cobra.Command {
	var p place
	var pem string
	var number uint64
	var yes bool
	cmd := &cobra.Command{
		Use: "init", Short: "Make the signer: its keys, the trust anchor certificate, the first manifest", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return s.runInit(&p, pem, number, yes) },
	}
	p.bind(cmd)
	cmd.Flags().StringVar(&pem, "private-key-pem", "", "file with an existing trust anchor key (RSA, PKCS#1 or PKCS#8)")
	cmd.Flags().Uint64Var(&number, "initial-manifest-number", 1, "number of the first manifest; for an existing key above the last one published")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask before signing")
	for _, name := range []string{"proxy-id", "proxy-repository-contact", "tal-rsync"} {
		_ = cmd.MarkFlagRequired(name) // the flag is there
	}
	return cmd
}

func (s *session) runInit(p *place, pem string, number uint64, yes bool) error {
	if err := tafolder.CheckFree(s.dir); err != nil {
		return err
	}
	proxy, repo, err := p.read(s.env.Now())
	if err != nil {
		return err
	}
	if _, err := ta.PlanInit(ta.CertRecord{}, number, s.env.Now(), s.timing); err != nil {
		return err // before the operator types anything
	}
	key, err := s.taKey(pem)
	if err != nil {
		return err
	}
	id, err := cert.KeyIDOf(key.Public())
	if err != nil {
		return err
	}
	s.tellTA(id, p, repo, proxy)
	s.say("It begins with an empty manifest and CRL, number %d.", number)
	if err := s.confirm(yes); err != nil {
		return err
	}
	passphrase, err := s.newPassphrase()
	if err != nil {
		return err
	}
	root, err := s.build(p, repo, key)
	if err != nil {
		return err
	}
	plan, err := ta.PlanInit(root.Record, number, s.env.Now(), s.timing)
	if err != nil {
		return err
	}
	if err := s.create(root, proxy, plan, key, passphrase); err != nil {
		return err
	}
	s.say("The signer is in %s. Make a backup of the folder, and carry the output of `baleen-ta -f json show` to the proxy.", s.dir)
	return nil
}

func (s *session) taKey(pem string) (*rsa.PrivateKey, error) {
	if pem != "" {
		return readPEM(pem)
	}
	return s.env.NewKey()
}

// build makes the trust anchor certificate.
func (s *session) build(p *place, repo ta.Repository, key crypto.Signer) (ta.TrustAnchor, error) {
	serial, err := cert.NewSerial()
	if err != nil {
		return ta.TrustAnchor{}, err
	}
	root, err := ta.BuildTrustAnchor(ta.TrustAnchorTemplate{
		Repository: repo, HTTPS: append([]string{}, p.https...), Rsync: p.rsync, Serial: serial, Now: s.env.Now(), Timing: s.timing,
	}, key)
	if err != nil {
		return root, err
	}
	return root, root.Check(s.env.Now())
}

// create signs the first manifest and puts everything into a new folder.
func (s *session) create(root ta.TrustAnchor, proxy ta.Identity, plan ta.Plan, key *rsa.PrivateKey, passphrase []byte) error {
	keys := tafolder.SoftKeys{}
	if _, err := keys.Add(key); err != nil {
		return err
	}
	idKey, err := s.env.NewKey()
	if err != nil {
		return err
	}
	id := ta.Identity{}
	if id.KeyID, err = keys.Add(idKey); err != nil {
		return err
	}
	now := s.env.Now().UTC().Truncate(time.Second)
	if id.Cert, err = cert.SelfSignIdentity(idKey, now.Add(-clockSkew), now.AddDate(identityYears, 0, 0)); err != nil {
		return err
	}
	made, err := s.sign(plan, keys, root.DER)
	if err != nil {
		return err
	}
	cmd := ta.InitSigner{Identity: id, ProxyID: proxy, TA: root.Record, TAL: root.TAL, Objects: made.Objects}
	events, err := cmd.Process(&ta.SignerState{}, now)
	if err != nil {
		return err
	}
	return tafolder.Create(s.dir, tafolder.New{
		Keys: keys, Passphrase: passphrase, Cost: s.env.Cost,
		Record: tafolder.Record{At: now, Objects: append(made.DER(), root.DER)}, Event: events[0].(ta.SignerInitialized),
	})
}

func (s *session) reissue() *cobra.Command {
	var p place
	var yes bool
	cmd := &cobra.Command{
		Use: "reissue", Short: "Make another trust anchor certificate for the same key", Args: cobra.NoArgs,
		Long: "Makes another trust anchor certificate for the same key: with other URIs, or valid from now on. What is not given stays as it is.\n" +
			"Carry the output of `baleen-ta -f json show` to the proxy afterwards.",
		RunE: func(*cobra.Command, []string) error {
			return s.open(true, func(f *tafolder.Folder) error { return s.runReissue(f, &p, yes) })
		},
	}
	p.bind(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask before signing")
	return cmd
}

func (s *session) runReissue(f *tafolder.Folder, p *place, yes bool) error {
	proxy, repo, err := p.read(s.env.Now())
	if err != nil {
		return err
	}
	st := &f.State
	if p.proxyID == "" {
		proxy = st.ProxyID
	}
	if p.contact == "" {
		repo.SIABase, repo.NotificationURI = st.TA.SIA.Repository, st.TA.SIA.Notify
	}
	if p.rsync == "" {
		p.rsync = st.TAL.Rsync
	}
	if len(p.https) == 0 {
		p.https = st.TAL.HTTPS
	}
	s.tellTA(st.TA.KeyID, p, repo, proxy)
	if err := s.confirm(yes); err != nil {
		return err
	}
	keys, err := s.keys(f)
	if err != nil {
		return err
	}
	key, err := keys.Signer(st.TA.KeyID)
	if err != nil {
		return err
	}
	root, err := s.build(p, repo, key)
	if err != nil {
		return err
	}
	events, err := ta.ReissueTA{TA: root.Record, TAL: root.TAL, ProxyID: proxy}.Process(st, s.env.Now())
	if err != nil {
		return err
	}
	if err := f.Append(tafolder.Record{At: s.env.Now(), Objects: [][]byte{root.DER}}, events[0]); err != nil {
		return err
	}
	s.say("Done. Carry the output of `baleen-ta -f json show` to the proxy, and put the new certificate at all URIs of the locator.")
	return nil
}
