package rest

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
)

// typeChecklist is the content type of a signed checklist, as registered for RFC
// 9323.
const typeChecklist = "application/rpki-checklist"

// Checklists answers for signed checklists (RFC 9323).
type Checklists struct{ *Deps }

// List shows those that are neither expired nor revoked, in the order in which
// they were signed; the ETag is the version of the CA.
func (h Checklists) List(c echo.Context) error {
	if err := h.noteLife(c); err != nil {
		return err
	}
	valid, version, err := h.Service.Checklists(c.Request().Context(), c.Param(argCA))
	if err != nil {
		return err
	}
	list := make([]api.Checklist, len(valid))
	for i, v := range valid {
		list[i] = checklistOf(v)
	}
	if list, err = cut(c, list); err != nil {
		return err
	}
	setVersion(c, version)
	return sendJSON(c, list)
}

func checklistOf(v ca.ValidChecklist) api.Checklist {
	return api.Checklist{
		Serial: v.Serial, ClassName: v.Class, Resources: v.Resources, Files: checklistFiles(v.Files),
		Validity: validity(v.NotBefore, v.NotAfter), Hash: v.Hash.String(),
	}
}

func checklistFiles(files []ca.ChecklistEntry) []api.ChecklistFile {
	out := make([]api.ChecklistFile, len(files))
	for i, f := range files {
		out[i] = api.ChecklistFile{Name: f.Name, Hash: f.Hash.String()}
	}
	return out
}

// Sign signs a checklist and answers with the object: it is published nowhere.
func (h Checklists) Sign(c echo.Context) error {
	var body api.ChecklistRequest
	if err := h.readJSON(c, &body); err != nil {
		return err
	}
	r := ca.ChecklistRequest{Resources: body.Resources, Files: make([]ca.ChecklistEntry, len(body.Files)), NotAfter: body.NotAfter.Time}
	for i, f := range body.Files {
		r.Files[i].Name = f.Name
		if err := r.Files[i].Hash.UnmarshalText([]byte(f.Hash)); err != nil {
			return badField(c, "files", err.Error())
		}
	}
	ifVersion, err := h.ifMatch(c)
	if err != nil {
		return err
	}
	made, err := h.Service.SignChecklist(c.Request().Context(), actor(c), c.Param(argCA), r, ifVersion)
	if err != nil {
		return err
	}
	return sendJSON(c, api.SignedChecklist{Checklist: checklistOf(made.ValidChecklist), Base64: made.DER})
}

// Get gives the object of one checklist.
func (h Checklists) Get(c echo.Context) error {
	made, err := h.Service.Checklist(c.Request().Context(), c.Param(argCA), c.Param("serial"))
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, typeChecklist, made.DER)
}

// Revoke takes one checklist back.
func (h Checklists) Revoke(c echo.Context) error {
	return h.at(c, func(ctx context.Context, ifVersion *int64) error {
		return h.Service.RevokeChecklist(ctx, actor(c), c.Param(argCA), c.Param("serial"), ifVersion)
	})
}
