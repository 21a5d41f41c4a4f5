package service

import (
	"context"

	"baleen/internal/bgp/analysis"
	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
)

// ReplaceROAs makes the routes of a CA exactly those that are wanted: the
// difference is one command, all of it or nothing, and no command if there is
// none. It gives what was different, and the version afterwards. The command
// is decided at the very version that was compared.
func (s *Service) ReplaceROAs(ctx context.Context, actor es.Actor, handle string, wanted []ca.ConfiguredROA, ifVersion *int64) (ca.ROADifference, int64, error) {
	return replace(ctx, ifVersion, func() (d ca.ROADifference, version int64, err error) {
		err = s.view(ctx, handle, func(st *ca.State, v int64) error {
			d, version = st.ROADifference(wanted), v
			return nil
		})
		return d, version, err
	}, func(d ca.ROADifference, at *int64) (int64, error) {
		return s.ConfigureROAs(ctx, actor, handle, d.Command(), at)
	})
}

// TrialROAs gives what ReplaceROAs would do at the version that it gives, or
// refuses what that would refuse. Nothing changes.
func (s *Service) TrialROAs(ctx context.Context, handle string, wanted []ca.ConfiguredROA, ifVersion *int64) (d ca.ROADifference, version int64, err error) {
	err = s.viewAt(ctx, handle, ifVersion, func(st *ca.State, v int64) error {
		d, version = st.ROADifference(wanted), v
		_, err := d.Command().Process(st, s.Now())
		return err
	})
	return d, version, err
}

// EffectOfROAs is what announcements would become for the prefixes of a
// difference.
func (s *Service) EffectOfROAs(ctx context.Context, handle string, d ca.ROADifference) (analysis.Report, error) {
	return s.DryRunROAs(ctx, handle, d.Command())
}

// ReplaceASPAs makes the ASPAs of a CA exactly those that are wanted, as
// ReplaceROAs does with routes.
func (s *Service) ReplaceASPAs(ctx context.Context, actor es.Actor, handle string, wanted []ca.ASPA, ifVersion *int64) (ca.ASPADifference, int64, error) {
	return replace(ctx, ifVersion, func() (d ca.ASPADifference, version int64, err error) {
		err = s.view(ctx, handle, func(st *ca.State, v int64) error {
			d, version = st.ASPADifference(wanted), v
			return nil
		})
		return d, version, err
	}, func(d ca.ASPADifference, at *int64) (int64, error) {
		return s.ConfigureASPAs(ctx, actor, handle, d.Command(), at)
	})
}

// TrialASPAs gives what ReplaceASPAs would do at the version that it gives, or
// refuses what that would refuse. Nothing changes.
func (s *Service) TrialASPAs(ctx context.Context, handle string, wanted []ca.ASPA, ifVersion *int64) (d ca.ASPADifference, version int64, err error) {
	err = s.viewAt(ctx, handle, ifVersion, func(st *ca.State, v int64) error {
		d, version = st.ASPADifference(wanted), v
		_, err := d.Command().Process(st, s.Now())
		return err
	})
	return d, version, err
}

// replace compares, and makes the difference at the version that was compared.
// If the CA moved on it is compared again, unless it was asked for at one
// version only.
func replace[D any](ctx context.Context, ifVersion *int64, compare func() (D, int64, error), apply func(D, *int64) (int64, error)) (D, int64, error) {
	for tries := 0; ; tries++ {
		d, version, err := compare()
		if err != nil {
			return d, version, err
		}
		at := &version
		if ifVersion != nil {
			at = ifVersion
		}
		after, err := apply(d, at)
		if fault.Code(err) != pgstore.CodeVersionMismatch || ifVersion != nil || tries == tryAgain {
			return d, after, err
		}
		if err := ctx.Err(); err != nil {
			return d, version, err
		}
	}
}
