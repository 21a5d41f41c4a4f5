package rest

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// TrustAnchor answers for the certificate and the locator of the trust anchor.
type TrustAnchor struct{ *Deps }

// TAL gives the trust anchor locator (RFC 8630).
func (h TrustAnchor) TAL(c echo.Context) error {
	text, err := h.Service.TA().TAL(c.Request().Context())
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, typeText, text)
}

// Certificate gives the trust anchor certificate as DER.
func (h TrustAnchor) Certificate(c echo.Context) error {
	der, err := h.Service.TA().Certificate(c.Request().Context())
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, typeCert, der)
}
