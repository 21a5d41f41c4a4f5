package ca

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"baleen/internal/fault"
)

// TestPreviewIsWhatWillBe holds the preview of an update against what the state
// becomes, and the state against what it was.
func TestPreviewIsWhatWillBe(t *testing.T) {
	base := certified(t, set(t, "AS64496", "10.0.0.0/8", "2001:db8::/32"))
	base = append(base, ROAsConfigured{Added: []ConfiguredROA{{ROA: roa(t, "10.0.0.0/16-16 => 64496"), Comment: "office"}, {ROA: roa(t, "10.1.0.0/16-16 => 64496")}}})
	cmd := ConfigureROAs{
		Added:   []ConfiguredROA{{ROA: roa(t, "10.0.0.0/16-16 => 64496"), Comment: "moved"}, {ROA: roa(t, "2001:db8::/32-48 => 64497")}},
		Removed: []ROA{roa(t, "10.1.0.0/16-16 => 64496")},
	}
	s := given(t, base...)
	before := s.SortedROAs()
	got, err := cmd.Preview(s, noon)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.SortedROAs(), before) {
		t.Errorf("the preview changed the state: %v", s.SortedROAs())
	}
	events, err := cmd.Process(s, noon)
	if err != nil {
		t.Fatal(err)
	}
	if want := given(t, append(slices.Clone(base), events...)...).SortedROAs(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := (ConfigureROAs{}); !slices.Equal(mustPreview(t, got, s), before) {
		t.Error("nothing leads to something else")
	}
	if set := cmd.Prefixes(); set.V4.String() != "10.0.0.0/15" || set.V6.String() != "2001:db8::/32" || !set.AS.IsEmpty() {
		t.Errorf("it is about %s", set)
	}
}

func mustPreview(t *testing.T, cmd ConfigureROAs, s *State) []ConfiguredROA {
	t.Helper()
	list, err := cmd.Preview(s, noon)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestPreviewRefusesWhatProcessDoes(t *testing.T) {
	s := given(t, certified(t, set(t, "", "10.0.0.0/8", ""))...)
	cmd := ConfigureROAs{Removed: []ROA{roa(t, "10.0.0.0/16-16 => 64496")}}
	var refused [2]*fault.Error
	events, err := cmd.Process(s, noon)
	_, err2 := cmd.Preview(s, noon)
	if !errors.As(err, &refused[0]) || !errors.As(err2, &refused[1]) || events != nil || !reflect.DeepEqual(refused[0], refused[1]) {
		t.Errorf("refused with %v and %v", err, err2)
	}
}
