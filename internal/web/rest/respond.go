package rest

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"baleen/api"
)

// The content types of answers, exactly as clients compare them.
const (
	typeJSON = "application/json"
	typeXML  = "application/xml"
	typeText = "text/plain"
	typeCert = "application/x-x509-ca-cert"
)

// sendJSON answers with a value of package api.
func sendJSON(c echo.Context, v any) error {
	body, err := api.Marshal(v)
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, typeJSON, body)
}

func sendXML(c echo.Context, body []byte) error { return c.Blob(http.StatusOK, typeXML, body) }

// sendUncached answers with text that must not be kept.
func sendUncached(c echo.Context, text string) error {
	c.Response().Header().Set(echo.HeaderCacheControl, "no-cache")
	return c.Blob(http.StatusOK, typeText, []byte(text))
}

// finish answers after an action that has nothing to say but whether it failed.
func finish(c echo.Context, err error) error {
	if err != nil {
		return err
	}
	return Done(c)
}
