package config

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"baleen/internal/secretfile"
)

// MakeDataDir makes the data folder unless it is there. Others may pass through
// it, whatever the umask says, but not list it: as root, the private Postgres
// runs as another user.
func (c Config) MakeDataDir() error {
	if _, err := os.Stat(c.DataDir); !errors.Is(err, fs.ErrNotExist) {
		return wrap(err)
	}
	if err := os.MkdirAll(c.DataDir, 0o711); err != nil {
		return wrap(err)
	}
	return wrap(os.Chmod(c.DataDir, 0o711))
}

func wrap(err error) error {
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return nil
}

// AdminTokenFile is where the token is that was made because none was set.
func (c Config) AdminTokenFile() string { return filepath.Join(c.DataDir, "admin-token") }

// ReadyAdminToken gives the token to use: the one that was set, else the one in
// AdminTokenFile, which is made when missing. made says that it was made now.
func (c Config) ReadyAdminToken() (token string, made bool, err error) {
	if c.AdminToken != "" {
		return c.AdminToken, false, nil
	}
	if err := c.MakeDataDir(); err != nil {
		return "", false, err
	}
	path := c.AdminTokenFile()
	token, err = readToken(path)
	if errors.Is(err, fs.ErrNotExist) {
		if made, err = makeToken(path); err == nil {
			token, err = readToken(path)
		}
	}
	if err != nil {
		return "", false, fmt.Errorf("admin token: %w", err)
	}
	return token, made, nil
}

func readToken(path string) (string, error) {
	text, err := secretfile.Read(path, 4096, secretfile.Owner)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", fmt.Errorf("%s does not hold a token: remove it, and the next start makes one", path)
	}
	return token, nil
}

func makeToken(path string) (made bool, err error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	return secretfile.Create(path, []byte(base64.RawURLEncoding.EncodeToString(secret)+"\n"))
}
