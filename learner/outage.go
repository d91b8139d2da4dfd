package learner

import "time"

// Times between two lines of the log that say that the store does not answer.
const (
	sayFirst   = time.Second // after the first line, then doubled
	sayLongest = time.Minute
)

// silence is for how long the store has not answered, and when to say so again. It
// is pure; the zero value is a store that answers.
type silence struct {
	since time.Time // zero: it answers
	next  time.Time // when to say that it does not
	every time.Duration
}

// failed notes a failure and says whether it is worth a line.
func (s *silence) failed(now time.Time) bool {
	switch {
	case s.since.IsZero():
		*s = silence{since: now, every: sayFirst}
	case now.Before(s.next):
		return false
	default:
		s.every = min(2*s.every, sayLongest)
	}
	s.next = now.Add(s.every)
	return true
}

// answered notes an answer and returns how long there was none, and whether that
// is over now.
func (s *silence) answered(now time.Time) (lasted time.Duration, over bool) {
	if s.since.IsZero() {
		return 0, false
	}
	lasted = now.Sub(s.since)
	*s = silence{}
	return lasted, true
}
