package store

import (
	"time"

	"heed/rules"
	"heed/wire"
)

// Outcome is how an exchange ended.
type Outcome string

// Outcomes.
const (
	OK            Outcome = "ok"             // a complete answer, whatever its status
	Cancelled     Outcome = "cancelled"      // the client left
	Truncated     Outcome = "truncated"      // the upstream broke off
	UpstreamError Outcome = "upstream_error" // status 500 and above, or no answer at all
	Timeout       Outcome = "timeout"        // a phase took too long
	Refused       Outcome = "refused"        // Heed did not send it: overload, limits, bad request
)

// Exchange is one client request and its complete answer, with what Heed decided
// about it. Bodies are as the client sent them and as the client got them.
type Exchange struct {
	ID      string    `json:"id"` // UUIDv7
	App     string    `json:"app"`
	Time    time.Time `json:"time"` // arrival
	Session string    `json:"session,omitempty"`
	Agent   string    `json:"agent,omitempty"` // Heed-Agent
	Trace   string    `json:"trace,omitempty"` // traceparent
	API     wire.API  `json:"api"`
	Method  string    `json:"method"`
	Path    string    `json:"path"`
	Stream  bool      `json:"stream,omitempty"`

	Facts    rules.Facts    `json:"facts"` // unit, step, alias, user, tags, queries, clock
	Head     rules.Head     `json:"ruleset"`
	Decision rules.Decision `json:"decision"`
	Checks   []CheckResult  `json:"checks,omitempty"` // of every rule in scope, both arms

	RequestModel  string      `json:"request_model,omitempty"`  // as sent to the upstream
	ResponseModel string      `json:"response_model,omitempty"` // as the upstream answered
	ResponseID    string      `json:"response_id,omitempty"`
	PreviousID    string      `json:"previous_response_id,omitempty"`
	Status        int         `json:"status"`
	Outcome       Outcome     `json:"outcome"`
	Error         string      `json:"error,omitempty"`    // what broke, in a few words, no foreign content
	Failures      []string    `json:"failures,omitempty"` // wire.Failures
	Finish        string      `json:"finish,omitempty"`
	Usage         *wire.Usage `json:"usage,omitempty"` // nil unless the upstream reported it
	Cost          *float64    `json:"cost_usd"`        // estimate by the prices configured when it was logged, in US dollars; nil without usage or price
	Timing        Timing      `json:"timing"`

	Query         string `json:"query,omitempty"`  // the newest matched query, at most MaxQueryBytes
	Answer        string `json:"answer,omitempty"` // text of the answer, at most MaxCopyBytes
	RequestBytes  int64  `json:"request_bytes"`    // whole lengths; the bodies below may be cut
	ResponseBytes int64  `json:"response_bytes"`
	Request       []byte `json:"request,omitempty"`
	Response      []byte `json:"response,omitempty"`
}

// Timing is how long the phases took, in microseconds since arrival; 0 where a
// phase was not reached.
type Timing struct {
	Sent      int64 `json:"sent_us"`        // the request was written to the upstream
	FirstByte int64 `json:"first_byte_us"`  // the upstream's headers arrived
	First     int64 `json:"first_chunk_us"` // the first chunk of the body went to the client
	Done      int64 `json:"done_us"`        // the answer was complete
	Own       int64 `json:"own_us"`         // Heed's own work before sending
}

// CheckResult is whether an answer followed a rule's checks.
type CheckResult struct {
	Rule     string `json:"rule"` // id
	Version  int    `json:"version"`
	Followed bool   `json:"followed"`
}

// ExchangeFilter selects exchanges; zero fields do not filter.
type ExchangeFilter struct {
	App     string // required
	Limit   int
	After   string    // cursor of the page before
	Bodies  bool      // with Request and Response
	Since   time.Time // arrived then or later
	Until   time.Time // arrived earlier
	Step    string
	Session string
	Unit    string
	User    string
	Alias   string
	Target  string // upstream/model
	Rule    string // id of a rule that was in scope
	Outcome Outcome
	Failure string
	Text    string // words that must all occur in request, answer or a comment on it; case does not count
	Queries bool   // only those with a matched query
}

// TargetRating counts the judged answers of one target.
type TargetRating struct {
	Alias    string `json:"alias"`
	Step     string `json:"step"`
	Upstream string `json:"upstream"`
	Model    string `json:"model"`
	Good     int    `json:"good"`
	Bad      int    `json:"bad"`
}
