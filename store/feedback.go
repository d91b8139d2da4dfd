package store

import (
	"encoding/json"
	"time"

	"heed/rules"
)

// Feedback is what a person (or a judge, or code) said about an exchange or a
// session. It is immutable but for the fields that the store and the learner set
// (the last group).
type Feedback struct {
	ID         string                     `json:"id"` // UUIDv7, given by the store when empty
	App        string                     `json:"app"`
	Key        string                     `json:"key,omitempty"` // the client's idempotency key, unique per app
	Digest     string                     `json:"digest,omitempty"`
	Time       time.Time                  `json:"time"`
	Source     string                     `json:"source"` // widget (token), api (app key), header, reviewer, judge, import
	ExchangeID string                     `json:"exchange_id,omitempty"`
	ResponseID string                     `json:"response_id,omitempty"`
	Session    string                     `json:"session,omitempty"`
	User       string                     `json:"user,omitempty"`   // hash of who said it; "" is unknown
	Rating     *float64                   `json:"rating,omitempty"` // in [-1, 1]
	Comment    string                     `json:"comment,omitempty"`
	When       string                     `json:"applies_when,omitempty"`
	Correction string                     `json:"correction,omitempty"`
	Labels     []string                   `json:"labels,omitempty"`
	Answers    map[string]json.RawMessage `json:"answers,omitempty"` // by template question id

	Retracted    time.Time `json:"retracted,omitzero"`
	SupersededBy string    `json:"superseded_by,omitempty"`
	Link         *Link     `json:"link,omitempty"`  // set by the learner when it found the exchange
	Tries        int       `json:"tries,omitempty"` // that failed or ended the process, since it was last handled or put off without one
	Aside        string    `json:"aside,omitempty"` // why the learner gave it up; "" when it did not

	// Given says that Pending gave the record out before and nothing came of it:
	// whoever had it may have died of it. Only Pending sets it.
	Given bool `json:"-"`
}

// Link is the feedback's own copy of what was judged, so that it outlives the
// exchange's row.
type Link struct {
	ExchangeID string               `json:"exchange_id"`
	Time       time.Time            `json:"time"`
	Step       string               `json:"step,omitempty"`
	Alias      string               `json:"alias,omitempty"`
	Unit       string               `json:"unit,omitempty"`
	Query      string               `json:"query,omitempty"`  // at most MaxCopyBytes
	Answer     string               `json:"answer,omitempty"` // at most MaxCopyBytes
	Rules      []rules.RuleDecision `json:"rules,omitempty"`
	Target     rules.TargetDecision `json:"target,omitzero"`
	Failures   []string             `json:"failures,omitempty"`
}

// Bad reports whether the feedback judges the answer as wrong: a rating below 0,
// or, without a rating, a correction.
func (f *Feedback) Bad() bool {
	if f.Rating != nil {
		return *f.Rating < 0
	}
	return f.Correction != ""
}

// FeedbackFilter selects feedback; zero fields do not filter.
type FeedbackFilter struct {
	App      string // required
	Limit    int
	After    string
	Exchange string
	Session  string
	User     string
	Since    time.Time
	Bad      bool   // only judgements that the answer was wrong
	Aside    bool   // only what the learner gave up
	Text     string // words that must all occur in its texts; case does not count
}
