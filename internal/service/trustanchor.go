package service

import (
	"context"

	"baleen/internal/ta"
	"baleen/internal/trustanchor"
)

// taHandle is the name of the trust anchor among parents.
const taHandle = ta.Handle

// TA is the trust anchor of this server.
func (s *Service) TA() trustanchor.Anchor {
	return trustanchor.Anchor{
		Supported: s.Config.TASupport, Timing: s.Config.TA, Proxy: s.Proxy, Signer: s.Signer, Objects: s.Rows, Keys: s.Keys, OneOff: s.OneOff,
		Repositories: s.repositories(), Files: s.Export, Log: s.Log, Now: s.Now, Locks: &s.locks,
	}
}

// ensureTA makes what is missing of the testbed's trust anchor.
func (s *Service) ensureTA(ctx context.Context, t Testbed) error {
	return s.TA().Ensure(ctx, SystemActor, trustanchor.Root{Rsync: t.TAAIA, HTTPS: t.TAURI})
}
