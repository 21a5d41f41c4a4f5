package obs

import (
	"context"
	"time"
)

// Source tells the state of the server at one moment. It is asked for each
// scrape, by anybody who can reach /metrics, so it must be cheap: no work that
// grows with the length of history.
type Source interface {
	Snapshot(ctx context.Context) (Snapshot, error)
}

// Snapshot is what the metrics show.
type Snapshot struct {
	Node     Node
	Sessions int // cached login sessions

	CAs  []CA  // all but the trust anchor
	Repo *Repo // nil: there is no publication server yet

	TA *TA // nil: there is no trust anchor here, or it has no signer yet

	Announced *Announced // nil: nobody wants to know what is announced

	Tasks []Task
	Keys  KeyPool

	Broken []Stream // whose log could not be read
}

// Stream is a stream of the log, such as that of one CA.
type Stream struct {
	Kind, Handle string
}

// Node is what this process is.
type Node struct {
	Active bool
	Epoch  int64 // of the active node, as far as this one knows; 0: none was active yet

	// Overtaken is when this node last found that the database had been restored; zero: not since it started.
	Overtaken time.Time
}

// CA is one certification authority.
type CA struct {
	Handle     string
	Parents    []Parent
	Repository Contact
	Children   []Child
	ROAs       int
	BGP        *BGP // nil: no announcements are known
}

// Contact is how the exchanges with a peer went.
type Contact struct {
	Tried       bool // there was one
	OK          bool // the last one succeeded
	LastSuccess time.Time
}

// Parent is a CA's parent.
type Parent struct {
	Handle string
	Contact
}

// Child is a CA's child.
type Child struct {
	Handle    string
	Suspended bool
	Last      time.Time // last exchange, zero: none
	Agent     string    // what its last exchange said it was, empty: nothing
	Contact
}

// TA is the trust anchor.
type TA struct {
	NextUpdate, NotAfter time.Time // of its manifest, of its certificate
	Due                  bool      // an exchange with its signer is due
	Waiting              bool      // children wait for one
}

// Announced is the feed of routes that are seen announced, as this node has it.
type Announced struct {
	Tried       bool // to fetch them
	OK          bool // the last try succeeded
	LastSuccess time.Time
	V4, V6      int // announcements
}

// BGP compares a CA's ROAs with the announcements that are seen.
type BGP struct {
	Valid, InvalidASN, InvalidLength, NotFound int // announcements
	TooPermissive, Redundant, Stale            int // ROAs
}

// Repo is the publication server.
type Repo struct {
	Publishers []Publisher
	Serial     uint64
	LastUpdate time.Time // zero: unknown
}

// Publisher is one publisher.
type Publisher struct {
	Handle     string
	Objects    int
	Size       int64     // of its objects, in octets
	LastUpdate time.Time // zero: unknown
}

// Task is the tasks of one kind.
type Task struct {
	Kind    string
	Due     int           // waiting, and their time has come
	Waiting int           // their time is yet to come
	Running int           // leased by a node
	Failing int           // their last run failed; they are tried again
	Parked  int           // will not be tried again without somebody's help
	Oldest  time.Duration // how long the first of those due has been waiting
}

// KeyPool is the pool of ready one-off keys.
type KeyPool struct {
	Size   int
	Ready  int
	Taken  uint64 // keys given out
	Missed uint64 // those of them that were not ready
}
