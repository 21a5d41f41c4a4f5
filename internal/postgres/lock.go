package postgres

// Advisory locks are taken in the two-integer form: a class, one per purpose
// and listed here, and an object within the class. The classes spell "BAL" and
// a number, to stay clear of other programs in the same database. The lock
// order is: leader, fence, then everything else.
const (
	// LockLeader is held by the active node's own session, object 0.
	LockLeader int32 = 1111575553

	// LockFence is held shared by every writing transaction and exclusively by a take-over, object 0. The function
	// leader_fence in db/migrations names the same number.
	LockFence int32 = 1111575554
)
