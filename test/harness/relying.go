package harness

import (
	"context"
	"time"

	"baleen/internal/relying"
)

// VRPs is what a relying party makes of the repository at this moment: the
// validated routes, in the form "10.0.0.0/16-24 => 64496".
func (s *Server) VRPs(ctx context.Context) (map[string]bool, error) {
	p, err := s.Published(ctx)
	if err != nil {
		return nil, err
	}
	return s.Validate(ctx, p)
}

// Validate gives the validated routes of what was published at some moment, or
// the first thing that is wrong with it.
func (s *Server) Validate(ctx context.Context, p Published) (map[string]bool, error) {
	anchor, err := s.fetch(ctx, "https://localhost/ta/ta.cer")
	if err != nil {
		return nil, err
	}
	return relying.Validate(time.Now(), anchor, p.Objects)
}
