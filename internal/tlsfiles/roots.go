package tlsfiles

import (
	"crypto/x509"
	"fmt"
	"os"
)

// Roots gives the system's trust roots and those of PEM files; nil, which stands
// for the system's alone, where no file is named.
func Roots(files []string) (*x509.CertPool, error) {
	if len(files) == 0 {
		return nil, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	for _, name := range files {
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate in PEM form", name)
		}
	}
	return roots, nil
}
