package rest

import "github.com/labstack/echo/v4"

// Bulk answers for all CAs at once, and for the issues of one.
type Bulk struct{ *Deps }

// SyncParents asks all parents of every CA again, soon.
func (h Bulk) SyncParents(c echo.Context) error {
	return finish(c, h.Service.BulkSyncParents(c.Request().Context()))
}

// SyncRepositories compares every CA's repository with what it wants
// published, soon.
func (h Bulk) SyncRepositories(c echo.Context) error {
	return finish(c, h.Service.BulkSyncRepositories(c.Request().Context()))
}

// Suspend looks for children that have been silent for too long, now.
func (h Bulk) Suspend(c echo.Context) error {
	return finish(c, h.Service.BulkSuspend(c.Request().Context()))
}

// Publish re-issues the manifests and CRLs that are due.
func (h Bulk) Publish(c echo.Context) error {
	return finish(c, h.Service.BulkPublish(c.Request().Context(), false))
}

// ForcePublish re-issues all manifests and CRLs.
func (h Bulk) ForcePublish(c echo.Context) error {
	return finish(c, h.Service.BulkPublish(c.Request().Context(), true))
}
