package analysis

// State is what is found of a ROA or of an announcement. The order is that of
// a report.
type State uint8

// The states. Of those that fit a ROA, AS0Redundant, AS0, Redundant, Unseen,
// TooPermissive, Disallowing and Seen are tried in this order.
const (
	Seen          State = iota // it makes an announcement valid
	Redundant                  // another ROA allows all that it does
	Unseen                     // it makes nothing valid or invalid
	Disallowing                // it makes announcements invalid and none valid
	TooPermissive              // some of the longest prefixes that it allows are seen, but not all
	AS0                        // nobody may originate the prefix (RFC 6483 section 4)
	AS0Redundant               // the same, where another ROA covers the prefix
	NotHeld                    // the CA does not hold the prefix

	Valid         // a ROA allows the announcement
	InvalidLength // covered, and longer than the ROAs for its origin allow
	InvalidASN    // covered, but no ROA is for its origin
	Disallowed    // covered by ROAs for AS 0 alone
	NotFound      // no ROA covers it

	NoAnnouncementInfo // a ROA, but no announcements are known
)

var stateNames = [...]string{
	Seen: "roa_seen", Redundant: "roa_redundant", Unseen: "roa_unseen", Disallowing: "roa_disallowing", TooPermissive: "roa_too_permissive",
	AS0: "roa_as0", AS0Redundant: "roa_as0_redundant", NotHeld: "roa_not_held",
	Valid: "announcement_valid", InvalidLength: "announcement_invalid_length", InvalidASN: "announcement_invalid_asn",
	Disallowed: "announcement_disallowed", NotFound: "announcement_not_found", NoAnnouncementInfo: "roa_no_announcement_info",
}

// String gives the name that the API has for it.
func (s State) String() string { return stateNames[s] }

// OfAnnouncement tells states of announcements from those of ROAs.
func (s State) OfAnnouncement() bool { return s >= Valid && s <= NotFound }

func (s State) invalid() bool { return s == InvalidLength || s == InvalidASN }
