package store

import "time"

// LeaseTime is how long a lease lasts unless it is renewed: so long nobody learns
// from an app's feedback after its learner died. It is far above what a renewal
// takes on a busy machine, since a lease that is lost costs the work under way.
const LeaseTime = 5 * time.Second

// Lease makes one learner the app's only one. Whatever that learner changes names
// its lease, and is refused with ErrFenced when another learner got one meanwhile:
// one that was paused does not know that it was. The zero Lease is none.
type Lease struct {
	Worker string `json:"worker"` // the learner's name; no two that run have the same
	Epoch  uint64 `json:"epoch"`  // one more with every lease of the app; 0: not given yet
}
