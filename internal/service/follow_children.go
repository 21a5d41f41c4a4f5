package service

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/tasks"
)

// followChildren has the children in this server ask again when a CA gets
// another certificate or loses a class: what it can offer them follows from
// that, and a child elsewhere finds out when it asks next (RFC 6492 section
// 3.3). A child that never asked does so by itself.
func followChildren(ctx context.Context, tx pgx.Tx, c pgstore.Commit) ([]tasks.Scheduled, error) {
	if c.Kind != ca.Kind || !slices.ContainsFunc(c.Events, changesOffer) {
		return nil, nil
	}
	children, err := castore.Neighbours(ctx, tx, c.Handle)
	var out []tasks.Scheduled
	for _, n := range children {
		out = append(out, now(SyncParent(n))...)
	}
	return out, err
}

// changesOffer says whether a CA may have other things to offer its children
// after an event.
func changesOffer(e es.Event) bool {
	switch e.(type) {
	case ca.CertificateReceived, ca.ResourceClassRemoved:
		return true
	}
	return false
}
