package main

import (
	"context"

	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/service"
)

// rebuild has everything rebuilt from the log, once in the life of this
// process, if the operator asked for it. No task runs before it returns.
func (n *node) rebuild(ctx context.Context) error {
	if !n.cfg.ForceRecover || n.rebuilt {
		return nil
	}
	if _, err := n.service.Recover(ctx); err != nil {
		return err
	}
	n.rebuilt = true
	return nil
}

// testbed makes what is missing of the testbed, if there is to be one. A part
// whose log is broken stays as it is, and the rest of the server goes on.
func (n *node) testbed(ctx context.Context) error {
	t := n.cfg.Testbed
	if !t.Enabled() {
		return nil
	}
	err := n.service.EnsureTestbed(ctx, service.Testbed{TAAIA: t.TAAIA, TAURI: t.TAURI, RRDPBaseURI: t.RRDPBaseURI, RsyncJail: t.RsyncJail})
	if fault.Code(err) == pgstore.CodeStreamBroken {
		n.log.Error("the testbed is not whole", "error", err)
		return nil
	}
	return err
}
