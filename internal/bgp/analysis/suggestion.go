package analysis

import (
	"baleen/internal/bgp"
	"baleen/internal/ca"
)

// Suggestion sorts a report by what should be done: add ROAs for NotFound,
// InvalidASN and InvalidLength, remove Stale, Redundant and AS0Redundant,
// replace TooPermissive, and leave the others, on which only people can decide.
type Suggestion struct {
	Stale         []ca.ConfiguredROA
	NotFound      []bgp.Announcement
	InvalidASN    []bgp.Announcement
	InvalidLength []bgp.Announcement
	TooPermissive []Replacement
	Disallowing   []ca.ConfiguredROA
	Redundant     []ca.ConfiguredROA
	NotHeld       []ca.ConfiguredROA
	AS0Redundant  []ca.ConfiguredROA
	Keep          []ca.ConfiguredROA

	KeepDisallowing []bgp.Announcement
}

// Replacement puts ROAs for exactly these announcements in the place of one
// that allows more than is seen.
type Replacement struct {
	Current ca.ConfiguredROA
	New     []bgp.Announcement // that no other ROA of the report authorizes
}

// Suggestion says what should change.
func (r Report) Suggestion() Suggestion {
	var s Suggestion
	authorizing := r.authorizing()
	for _, e := range r {
		switch e.State {
		case Unseen:
			s.Stale = append(s.Stale, e.ROA)
		case TooPermissive:
			s.TooPermissive = append(s.TooPermissive, Replacement{Current: e.ROA, New: alone(e.Authorizes, authorizing)})
		case Disallowing:
			s.Disallowing = append(s.Disallowing, e.ROA)
		case Redundant:
			s.Redundant = append(s.Redundant, e.ROA)
		case NotHeld:
			s.NotHeld = append(s.NotHeld, e.ROA)
		case AS0Redundant:
			s.AS0Redundant = append(s.AS0Redundant, e.ROA)
		case Seen, AS0, NoAnnouncementInfo:
			s.Keep = append(s.Keep, e.ROA)
		case NotFound:
			s.NotFound = append(s.NotFound, e.Announcement)
		case InvalidASN:
			s.InvalidASN = append(s.InvalidASN, e.Announcement)
		case InvalidLength:
			s.InvalidLength = append(s.InvalidLength, e.Announcement)
		case Disallowed:
			s.KeepDisallowing = append(s.KeepDisallowing, e.Announcement)
		}
	}
	return s
}

// authorizing counts the ROAs of the report that authorize an announcement.
func (r Report) authorizing() map[bgp.Announcement]int {
	out := map[bgp.Announcement]int{}
	for _, e := range r {
		for _, a := range e.Authorizes {
			out[a]++
		}
	}
	return out
}

// alone gives the announcements that only one ROA authorizes.
func alone(list []bgp.Announcement, authorizing map[bgp.Announcement]int) []bgp.Announcement {
	out := []bgp.Announcement{}
	for _, a := range list {
		if authorizing[a] == 1 {
			out = append(out, a)
		}
	}
	return out
}
