package tactl

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"baleen/internal/rpki/cert"
	"baleen/internal/secretfile"
	"baleen/internal/ta"
	"baleen/internal/tafile"
	"baleen/internal/tafolder"
)

// newPassphrase asks for one that nobody knows yet, twice.
func (s *session) newPassphrase() ([]byte, error) {
	first, err := s.env.Terminal.Secret(fmt.Sprintf("New passphrase, at least %d characters: ", tafolder.MinPassphrase))
	if err != nil {
		return nil, err
	}
	if len(first) < tafolder.MinPassphrase {
		return nil, fmt.Errorf("a passphrase has at least %d characters", tafolder.MinPassphrase)
	}
	second, err := s.env.Terminal.Secret("The same again: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, second) {
		return nil, errors.New("the two passphrases differ; nothing was done")
	}
	return first, nil
}

// keys asks for the passphrase and opens the keys.
func (s *session) keys(f *tafolder.Folder) (tafolder.Keys, error) {
	passphrase, err := s.env.Terminal.Secret("Passphrase: ")
	if err != nil {
		return nil, err
	}
	return f.Keys(passphrase)
}

func (s *session) passphrase() *cobra.Command {
	return &cobra.Command{
		Use: "passphrase", Short: "Change the passphrase of the keys", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return s.open(true, func(f *tafolder.Folder) error {
				old, err := s.env.Terminal.Secret("Old passphrase: ")
				if err != nil {
					return err
				}
				if _, err := f.Keys(old); err != nil {
					return err
				}
				fresh, err := s.newPassphrase()
				if err != nil {
					return err
				}
				if err := f.ChangePassphrase(old, fresh, s.env.Cost); err != nil {
					return err
				}
				s.say("The passphrase is changed. Backups of the folder keep the old one.")
				return nil
			})
		},
	}
}

// maxPEM is more than a key of any allowed size takes.
const maxPEM = 64 << 10

// readPEM reads an RSA key in PEM, of PKCS#1 or PKCS#8.
func readPEM(path string) (*rsa.PrivateKey, error) {
	text, err := secretfile.Read(path, maxPEM, secretfile.Owner)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "RSA PRIVATE KEY":
			return checkKey(x509.ParsePKCS1PrivateKey(block.Bytes))
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			rsaKey, ok := key.(*rsa.PrivateKey)
			if err == nil && !ok {
				err = errors.New("it is not an RSA key")
			}
			return checkKey(rsaKey, err)
		case "ENCRYPTED PRIVATE KEY":
			return nil, fmt.Errorf("%s is encrypted: decrypt it first, in memory (`openssl pkey -in … -out /dev/shm/key.pem`)", path)
		}
	}
	return nil, fmt.Errorf("%s has no private key in PEM", path)
}

// checkKey wants what RFC 7935 section 3 wants.
func checkKey(key *rsa.PrivateKey, err error) (*rsa.PrivateKey, error) {
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	if key.N.BitLen() != 2048 || key.E != 65537 {
		return nil, fmt.Errorf("private key: RSA with %d bits and exponent %d, but RFC 7935 section 3 wants 2048 bits and 65537", key.N.BitLen(), key.E)
	}
	return key, nil
}

// sign carries out a plan and checks the outcome as a relying party would.
func (s *session) sign(plan ta.Plan, keys tafolder.Keys, der []byte) (ta.Signed, error) {
	root, err := cert.Decode(der)
	if err != nil {
		return ta.Signed{}, err
	}
	k := ta.Keys{TA: root}
	if k.Signer, err = keys.Signer(plan.TA.KeyID); err != nil {
		return ta.Signed{}, err
	}
	if k.Manifest, err = s.env.NewKey(); err != nil {
		return ta.Signed{}, err
	}
	if plan.Keys != nil {
		if k.Announcement, err = s.env.NewKey(); err != nil {
			return ta.Signed{}, err
		}
	}
	for range plan.Serials() {
		n, err := cert.NewSerial()
		if err != nil {
			return ta.Signed{}, err
		}
		k.Serials = append(k.Serials, n)
	}
	made, err := plan.Sign(k)
	if err != nil {
		return ta.Signed{}, err
	}
	return made, made.Check(root, s.env.Now())
}

// sealer gives what signs messages of this signer.
func (s *session) sealer(id ta.Identity, keys tafolder.Keys) (tafile.Sealer, error) {
	out := tafile.Sealer{By: id, Now: s.env.Now(), Timing: s.timing}
	var err error
	if out.Key, err = keys.Signer(id.KeyID); err != nil {
		return out, err
	}
	if out.OneOff, err = s.env.NewKey(); err != nil {
		return out, err
	}
	out.Serial, err = cert.NewSerial()
	return out, err
}
