package e2e

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"baleen/test/harness"
)

// TestScripts plays testdata/script with baleenctl against one server. Beside
// testscript's own commands there are
//
//	settle           waits until everything that was promised is published
//	vrps [ROUTE…]    wants relying parties to find exactly these routes valid
func TestScripts(t *testing.T) {
	ctx := bounded(t)
	s := started(ctx, t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+":"+env.Getenv("PATH"))
			env.Vars = append(env.Vars, s.CtlEnv()...)
			env.Setenv("PUBLIC", s.PublicURI())
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"settle": func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(s.Settle(ctx)) },
			"vrps":   func(ts *testscript.TestScript, _ bool, args []string) { wantVRPs(ctx, ts, s, args) },
		},
	})
}

func wantVRPs(ctx context.Context, ts *testscript.TestScript, s *harness.Server, want []string) {
	vrps, err := s.VRPs(ctx)
	ts.Check(err)
	if got := slices.Sorted(maps.Keys(vrps)); !slices.Equal(got, want) {
		ts.Fatalf("relying parties see %q, want %q", got, want)
	}
}
