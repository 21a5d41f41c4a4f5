package rest

import (
	"context"
	"slices"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/fault"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/oob"
)

// Repo answers for the repository of a CA.
type Repo struct{ *Deps }

// Get shows where and how the CA publishes.
func (h Repo) Get(c echo.Context) error {
	var repo ca.Repository
	var version int64
	err := h.viewCA(c, func(st *ca.State, v int64) error {
		version = v
		if st.Repository == nil {
			return fault.New(fault.Invalid, "repo-not-set", "No repository configured for CA")
		}
		repo = *st.Repository
		repo.ServerIDCert = slices.Clone(repo.ServerIDCert)
		return nil
	})
	if err != nil {
		return err
	}
	if done, err := current(c, version, ""); done {
		return err
	}
	contact, err := repositoryContact(&repo)
	if err != nil {
		return err
	}
	return sendJSON(c, api.CARepoDetails{Contact: contact})
}

// Set says where the CA publishes. The body is a repository_response as XML,
// or in JSON.
func (h Repo) Set(c echo.Context) error {
	body, err := h.readBody(c)
	if err != nil {
		return err
	}
	response, err := repositoryFrom(c.Param(argCA), body)
	if err != nil {
		return err
	}
	if err := h.checkIdentity(response.IDCert); err != nil {
		return withCause(fault.Invalid, "rfc-8183-xml", "RFC 8183 XML issue: ", err.Error())
	}
	return h.at(c, func(ctx context.Context, ifVersion *int64) error {
		return h.Service.ConfigureRepository(ctx, actor(c), c.Param(argCA), response, ifVersion)
	})
}

func repositoryFrom(handle string, body []byte) (oob.RepositoryResponse, error) {
	if !isXML(body) {
		var r api.RepositoryUpdate
		err := parseJSON(body, &r)
		return r.RepositoryResponse, err
	}
	response, err := oob.DecodeRepositoryResponse(body)
	if err != nil {
		return response, &fault.Error{
			Kind: fault.Invalid, Code: "ca-repo-response-invalid-xml", Args: map[string]string{"ca": handle, "cause": err.Error()},
			Msg: "CA '" + handle + "' got invalid repository response: " + err.Error(),
		}
	}
	return response, nil
}

// Status shows the last exchange with the repository and what it holds.
func (h Repo) Status(c echo.Context) error {
	x, contacted, files, err := h.Service.RepoStatus(c.Request().Context(), c.Param(argCA))
	if err != nil && (!contacted || fault.Of(err) != fault.NotFound) {
		return err
	}
	next, err := h.Service.NextRepo(c.Request().Context(), c.Param(argCA))
	if err != nil {
		return err
	}
	out := api.RepoStatus{NextExchange: planned(next), Published: publishedFiles(files)}
	if contacted {
		out.LastExchange, out.LastSuccess = exchange(x), lastSuccess(x)
	}
	return sendJSON(c, out)
}

func publishedFiles(files []pubserver.File) []api.PublishedFile {
	out := make([]api.PublishedFile, len(files))
	for i, f := range files {
		out[i] = api.PublishedFile{URI: f.URI, Base64: f.DER}
	}
	return out
}
