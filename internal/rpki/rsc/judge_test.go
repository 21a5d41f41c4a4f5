package rsc_test

import (
	"slices"
	"testing"

	"baleen/internal/rpki/rsc"
)

func TestJudge(t *testing.T) {
	list := rsc.Checklist{Files: []rsc.File{file("a", 1), file("b", 2), file("", 2), file("c", 3), file("", 4), file("d", 3)}}
	for _, tc := range []struct {
		name string
		hash byte
		want rsc.Verdict
		same []rsc.File
	}{
		{"a", 1, rsc.Listed, []rsc.File{file("a", 1)}},
		{"b", 2, rsc.Listed, []rsc.File{file("b", 2), file("", 2)}},
		{"a", 9, rsc.Different, nil},
		{"a", 3, rsc.Different, []rsc.File{file("c", 3), file("d", 3)}},
		{"a", 4, rsc.Different, []rsc.File{file("", 4)}},
		{"x", 3, rsc.OtherName, []rsc.File{file("c", 3), file("d", 3)}},
		{"x", 2, rsc.OtherName, []rsc.File{file("b", 2), file("", 2)}},
		{"x", 4, rsc.Nameless, []rsc.File{file("", 4)}},
		{"x", 9, rsc.NotListed, nil},
		{"A", 1, rsc.OtherName, []rsc.File{file("a", 1)}},
		{"", 4, rsc.Listed, []rsc.File{file("", 4)}},
		{"", 2, rsc.Listed, []rsc.File{file("b", 2), file("", 2)}},
		{"", 1, rsc.Named, []rsc.File{file("a", 1)}},
		{"", 9, rsc.NotListed, nil},
	} {
		got, same := list.Judge(tc.name, file("", tc.hash).Hash)
		if got != tc.want || !slices.Equal(same, tc.same) {
			t.Errorf("%q with digest %d: got %v, %v, want %v, %v", tc.name, tc.hash, got, same, tc.want, tc.same)
		}
	}
}
