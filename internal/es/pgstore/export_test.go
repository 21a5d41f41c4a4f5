package pgstore

import "time"

// SettleFor shortens how long the store looks for a commit without answer.
func (st *Store[S]) SettleFor(d time.Duration) { st.settleFor = d }
