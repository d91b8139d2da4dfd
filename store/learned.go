package store

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"heed/rules"
	"heed/rules/check"
)

// ProposalState is where a proposal stands.
type ProposalState string

// States of a proposal.
const (
	Open     ProposalState = "open"
	Approved ProposalState = "approved"
	Rejected ProposalState = "rejected"
	Expired  ProposalState = "expired"
	Snoozed  ProposalState = "snoozed"
)

// Proposal is a change to the rule set waiting for a decision.
type Proposal struct {
	ID      string            `json:"id"`
	App     string            `json:"app"`
	Version int               `json:"version"` // grows with every change; compare-and-swap
	State   ProposalState     `json:"state"`
	Created time.Time         `json:"created"`
	Updated time.Time         `json:"updated"`
	Ops     []rules.Operation `json:"operations"`
	Title   string            `json:"title"` // one line for people

	Evidence  []Evidence      `json:"evidence"`
	People    int             `json:"people"` // distinct known people; unknown ones count as one
	Opposed   int             `json:"opposed,omitempty"`
	Touch     Touch           `json:"touch"`
	Tokens    int             `json:"tokens,omitempty"` // added to a prompt in scope, bytes/4
	Problems  []check.Problem `json:"problems,omitempty"`
	Conflicts []Conflict      `json:"conflicts,omitempty"`
	Replaces  []string        `json:"replaces,omitempty"` // rules that a person has it replace, whatever the learner advises
	Routing   *RoutingCase    `json:"routing,omitempty"`
	Merged    []Merged        `json:"merged,omitempty"` // what people merged it with, the newest last

	DecidedBy string    `json:"decided_by,omitempty"`
	DecidedAt time.Time `json:"decided_at,omitzero"`
	Reason    string    `json:"reason,omitempty"` // why rejected
	Until     time.Time `json:"until,omitzero"`   // snoozed until
}

// Evidence is one record that a proposal or finding rests on, in the person's own
// words.
type Evidence struct {
	Feedback   string    `json:"feedback"`
	Exchange   string    `json:"exchange,omitempty"`
	User       string    `json:"user,omitempty"`
	Time       time.Time `json:"time"`
	Quote      string    `json:"quote"`
	When       string    `json:"applies_when,omitempty"`
	Query      string    `json:"query,omitempty"`
	Correction string    `json:"correction,omitempty"`
}

// People counts the distinct people behind the evidence; unknown ones count as one.
func People(evidence []Evidence) int {
	seen := map[string]bool{}
	for _, e := range evidence {
		seen[e.User] = true
	}
	return len(seen)
}

// Touch is what a proposal would have touched of the app's logged traffic.
type Touch struct {
	Of     int      `json:"of"`              // requests looked at: the newest of the step with a query
	In     int      `json:"in"`              // of these, in scope
	Weekly float64  `json:"weekly"`          // In as a rate: requests in scope a week, over the time that Of took, at least a day
	Inside []Sample `json:"inside"`          // up to ten in scope, from the surest to the least sure; of a rule in force first those that it did not touch
	Near   []Sample `json:"near"`            // up to ten just outside, nearest first
	Stats  string   `json:"stats,omitempty"` // hash of the word statistics that it was measured with
}

// Share is In/Of, 0 when nothing was looked at.
func (t Touch) Share() float64 {
	if t.Of == 0 {
		return 0
	}
	return float64(t.In) / float64(t.Of)
}

// Sample is one logged request shown as an example.
type Sample struct {
	Exchange string  `json:"exchange"`
	Query    string  `json:"query"`
	P        float32 `json:"p"`              // the matcher's probability
	Mark     string  `json:"mark,omitempty"` // "applies" or "does not apply", as a person ticked it
}

// Conflict is another rule or proposal that a proposal contradicts.
type Conflict struct {
	Rule     string `json:"rule,omitempty"`
	Proposal string `json:"proposal,omitempty"`
	Action   string `json:"action"`
	Reason   string `json:"reason"`
	Advice   string `json:"advice"` // supersede, split or reject
}

// Merged is how a proposal stood before a person merged it, so that the merge can be
// undone.
type Merged struct {
	With      string            `json:"with"` // the proposal that was closed, or the rule in force
	Ops       []rules.Operation `json:"operations"`
	Conflicts []Conflict        `json:"conflicts,omitempty"`
	Replaces  []string          `json:"replaces,omitempty"`
}

// RoutingCase is the evidence for a routing proposal.
type RoutingCase struct {
	Alias     string         `json:"alias"`
	Topic     string         `json:"topic,omitempty"`
	Better    string         `json:"better"`    // upstream/model
	Posterior float64        `json:"posterior"` // probability that it is better than every other
	Ratings   []TargetRating `json:"ratings"`
	Before    []rules.Share  `json:"before"`
}

// Mended is the number of exchanges a week that the proposal is expected to mend:
// the requests a week in its scope (at least one: the judged one), by the share of
// them for which the wish is believed to hold. That is People/(People+Opposed+1):
// 1/2 of one person, more with each further one, less with each who wants the
// opposite. It is an order to look at proposals in, no promise; 0 where nobody
// stands behind it.
func (p *Proposal) Mended() float64 {
	if p.People <= 0 {
		return 0
	}
	return max(1, p.Touch.Weekly) * float64(p.People) / float64(p.People+max(0, p.Opposed)+1)
}

// CompareRank orders proposals for people to look at, the first first: what would
// take a rule out of force or asks about one that was paused, because such a rule
// harms, or nobody stands behind it; then routing; then what mends the most; last
// what cannot be approved as it is, so that attackers do not push honest wishes out
// of sight.
func CompareRank(p, q *Proposal) int {
	return cmp.Or(cmp.Compare(p.rank(), q.rank()), cmp.Compare(q.Mended(), p.Mended()))
}

func (p *Proposal) rank() int {
	kind := rules.Kind("")
	if len(p.Ops) > 0 {
		kind = p.Ops[0].Kind
	}
	switch {
	case len(p.Problems) > 0:
		return 3
	case kind == rules.Retire, kind == rules.Pause, kind == rules.Resume:
		return 0
	case kind == rules.Route:
		return 1
	}
	return 2
}

// Digest names the exact bytes that an approval binds: hex SHA-256 over the
// operations' JSON. It changes when anything that would be put in force changes,
// and not when only evidence or figures do.
func (p *Proposal) Digest() string {
	b, err := json.Marshal(p.Ops)
	if err != nil {
		panic("BUG: encode operations: " + err.Error())
	}
	sum := sha256.Sum256(append([]byte("heed-proposal-v1\n"+p.App+"\n"), b...))
	return hex.EncodeToString(sum[:])
}

// Rule is the rule that the proposal would put in force, nil when it has none.
// It belongs to the proposal.
func (p *Proposal) Rule() *rules.Rule {
	for i := range p.Ops {
		if op := &p.Ops[i]; op.Rule != nil && op.Kind != rules.Retire {
			return op.Rule
		}
	}
	return nil
}

// Finding is a cluster of complaints that no rule can mend as it stands.
type Finding struct {
	ID       string     `json:"id"`
	App      string     `json:"app"`
	Version  int        `json:"version"`
	State    string     `json:"state"` // open, resolved
	Kind     string     `json:"kind"`  // no_instruction, retrieval, missing_fact, tool, length, outage, reword
	Title    string     `json:"title"`
	Step     string     `json:"step,omitempty"`
	Count    int        `json:"count"` // complaints, also those whose evidence is no longer listed
	People   int        `json:"people"`
	Evidence []Evidence `json:"evidence"`          // newest 50
	Suggest  string     `json:"suggest,omitempty"` // a wording that an admin could start from
	Advice   string     `json:"advice,omitempty"`  // what else would mend it
	Rule     string     `json:"rule,omitempty"`    // reword: the rule that is not followed
	Owner    string     `json:"owner,omitempty"`
	Created  time.Time  `json:"created"`
	Updated  time.Time  `json:"updated"`
	Reopened int        `json:"reopened,omitempty"`
	Asked    int        `json:"asked,omitempty"` // Count when a model was last asked about it; 0: never
	Days     []DayCount `json:"days,omitempty"`  // complaints by day, oldest first: the newest maxFindingDays days that had any
}

// DayCount is how many complaints came on a day of UTC, written 2026-01-31.
type DayCount struct {
	Day string `json:"day"`
	N   int    `json:"n"`
}

// maxFindingDays bounds the days that a finding counts.
const maxFindingDays = 90

// Complained counts n more complaints of that time; fewer, where n is negative. It
// does not change what Days held before.
func (f *Finding) Complained(at time.Time, n int) {
	day := at.UTC().Format(time.DateOnly)
	days := slices.Clone(f.Days)
	i, found := slices.BinarySearchFunc(days, day, func(d DayCount, day string) int { return strings.Compare(d.Day, day) })
	if !found {
		days = slices.Insert(days, i, DayCount{Day: day})
	}
	if days[i].N += n; days[i].N <= 0 {
		days = slices.Delete(days, i, i+1)
	}
	f.Days = days[max(0, len(days)-maxFindingDays):]
}

// Trend is how many complaints came in the seven days up to now, and in the seven
// before these.
func (f *Finding) Trend(now time.Time) (week, before int) {
	ago := func(days int) string { return now.UTC().AddDate(0, 0, -days).Format(time.DateOnly) }
	for _, d := range f.Days {
		switch {
		case d.Day > ago(7):
			week += d.N
		case d.Day > ago(14):
			before += d.N
		}
	}
	return week, before
}

// Changes is what the learner commits in one transaction.
type Changes struct {
	App       string
	Lease     Lease // zero: people's
	Handled   []Handled
	Proposals []*Proposal
	Findings  []*Finding
	Audits    []Audit
}

// Handled says what became of one pending record.
type Handled struct {
	Feedback string    // id
	Link     *Link     // set when the exchange was found
	RetryAt  time.Time // zero: done; else due again at this time
	Note     string    // for people: what was done with it, or why not
	Tries    int       // Feedback.Tries from now on
	Aside    bool      // given up: not due until somebody puts it off to a time, and listed with Note as the reason
	Begun    bool      // about to be worked on: only Tries is kept, and it stays given out
}

// ProposalFilter selects proposals; zero fields do not filter.
type ProposalFilter struct {
	App   string // required
	State ProposalState
	Rule  string
	Limit int
	After string
}

// FindingFilter selects findings; zero fields do not filter.
type FindingFilter struct {
	App   string // required
	State string
	Limit int
	After string
}

// HeadRecord is one entry of the app's history of heads.
type HeadRecord struct {
	Head   rules.Head `json:"head"`
	Time   time.Time  `json:"time"`
	Actor  string     `json:"actor"`
	Action string     `json:"action"`
	Rules  int        `json:"rules"`
}

// Audit is one entry of the append-only trail of an app.
type Audit struct {
	Number   int64             `json:"number"` // from 1, set by the store
	App      string            `json:"app"`
	Time     time.Time         `json:"time"`
	Actor    string            `json:"actor"`  // admin token's name, "learner", "auto"
	Action   string            `json:"action"` // approve, reject, edit, publish, activate, retract, …
	Target   string            `json:"target,omitempty"`
	Reason   string            `json:"reason,omitempty"`
	Ops      []rules.Operation `json:"operations,omitempty"`
	Head     rules.Head        `json:"head,omitzero"` // after a Publish
	Previous string            `json:"previous"`      // hash of the entry before, set by the store
	Hash     string            `json:"hash"`          // set by the store

	// Emptied says that the texts of rules in Ops were erased after the entry was
	// written; Empties names the entries that this one emptied (Eraser.Forget).
	Emptied bool    `json:"emptied,omitempty"`
	Empties []int64 `json:"empties,omitempty"`

	Lease           Lease  `json:"-"`                  // Publish: of the learner; zero: people's
	Proposal        string `json:"proposal,omitempty"` // Publish: approves this proposal
	ProposalVersion int    `json:"proposal_version,omitempty"`
}

// AuditFilter selects audit entries; zero fields do not filter.
type AuditFilter struct {
	App    string // required
	Target string
	Action string
	Limit  int
	After  string
}
