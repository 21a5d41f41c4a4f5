package rest

import (
	"context"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/fault"
	"baleen/internal/service"
)

// Export gives a child with its certified key, for another parent to take in.
func (h Children) Export(c echo.Context) error {
	child, err := h.Service.ExportChild(c.Request().Context(), c.Param(argCA), c.Param(argChild))
	if err != nil {
		return err
	}
	return sendJSON(c, api.ImportChild{
		Name: child.Name, IDCert: child.IDCert, Resources: child.Resources,
		IssuedCert: api.ImportedCert{
			CARepository: child.SIA.Repository, RPKIManifest: child.SIA.Manifest, RPKINotify: optional(child.SIA.Notify),
			Key: child.Key, ClassName: optional(child.ClassName),
		},
	})
}

// Import takes in a child that another parent exported, with a certificate for
// the key that it has.
func (h Children) Import(c echo.Context) error {
	var body api.ImportChild
	if err := h.readJSON(c, &body); err != nil {
		return err
	}
	if path := c.Param(argChild); body.Name != path {
		return &fault.Error{
			Kind: fault.Invalid, Code: "ca-child-import-handle-mismatch", Args: map[string]string{"path": path, "body": body.Name},
			Msg: "mismatch between child handles: '" + path + "' in path, '" + body.Name + "' in body",
		}
	}
	if err := h.checkIdentity(body.IDCert); err != nil {
		return badField(c, "id_cert", err.Error())
	}
	from := body.IssuedCert
	if from.ClassName != nil && *from.ClassName == "" {
		return badField(c, "class_name", "a name of a class is not empty")
	}
	child := service.DelegatedChild{
		Name: body.Name, IDCert: body.IDCert, Resources: body.Resources, Key: from.Key, ClassName: text(from.ClassName),
		SIA: ca.SIA{Repository: from.CARepository, Manifest: from.RPKIManifest, Notify: text(from.RPKINotify)},
	}
	return h.at(c, func(ctx context.Context, ifVersion *int64) error {
		return h.Service.ImportChild(ctx, actor(c), c.Param(argCA), child, ifVersion)
	})
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// ForceReissue has a CA sign again all that it issued.
func (h CAs) ForceReissue(c echo.Context) error {
	return h.at(c, func(ctx context.Context, ifVersion *int64) error {
		return h.Service.ForceReissueCA(ctx, actor(c), c.Param(argCA), ifVersion)
	})
}

// ForceReissue has every CA sign again all that it issued.
func (h Bulk) ForceReissue(c echo.Context) error {
	return finish(c, h.Service.BulkForceReissue(c.Request().Context(), actor(c)))
}
