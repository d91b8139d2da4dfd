package rules

import "time"

// Facts are what scopes and policies may look at in one request. They are copied
// out of the request once and stand in its log row, so that a decision can be
// taken again from the row.
type Facts struct {
	App       string            `json:"app"`
	Step      string            `json:"step,omitempty"`      // match.Fingerprint
	Alias     string            `json:"alias,omitempty"`     // the model name the client asked for
	User      string            `json:"user,omitempty"`      // hash of Heed-User or the body's user
	Partition string            `json:"partition,omitempty"` // the tag "partition"
	Tags      map[string]string `json:"tags,omitempty"`
	Queries   []string          `json:"queries,omitempty"` // matched query per person turn, oldest first; "" abstains
	Strict    bool              `json:"strict,omitempty"`  // response schema, forced tool choice or a tiny token limit
	Off       bool              `json:"off,omitempty"`     // Heed-Rules: off
	Unit      string            `json:"unit"`              // what decisions stick to
	Now       time.Time         `json:"now"`               // the request's one clock read, UTC
}

// Query is the newest matched query, "" when there is none: what the log shows
// and what the learner takes as an example.
func (f *Facts) Query() string {
	if len(f.Queries) == 0 {
		return ""
	}
	return f.Queries[len(f.Queries)-1]
}

// Decision is the target and the rules chosen for one exchange, each with its
// propensity: the probability, in (0, 1], with which this was chosen.
type Decision struct {
	Rules     []RuleDecision `json:"rules,omitempty"` // in scope, in injected order, withheld ones included
	Target    TargetDecision `json:"target,omitzero"`
	Abstained bool           `json:"abstained,omitempty"` // no short request was found, so nothing was matched
	Observed  bool           `json:"observed,omitempty"`  // rules: observe; decided and logged, not injected
	Resent    bool           `json:"resent,omitempty"`    // the injected request was refused; sent again without rules
}

// RuleDecision is what was decided about one rule that was in scope.
type RuleDecision struct {
	ID         string  `json:"id"`
	Version    int     `json:"version"`
	Score      float32 `json:"score"`              // the matcher's probability; 1 for always
	Withheld   bool    `json:"withheld,omitempty"` // holdout, or the ramp has not reached this unit
	Propensity float64 `json:"propensity"`
}

// TargetDecision is the upstream and model that were chosen.
type TargetDecision struct {
	Upstream   string  `json:"upstream,omitempty"`
	Model      string  `json:"model,omitempty"`
	Topic      string  `json:"topic,omitempty"` // topic of the policy that chose; "" for the general one or the file's shares
	Propensity float64 `json:"propensity,omitempty"`
}

// Applied returns the rules that were injected, in order.
func (d *Decision) Applied() []RuleDecision {
	var out []RuleDecision
	for _, r := range d.Rules {
		if !r.Withheld && !d.Observed && !d.Resent {
			out = append(out, r)
		}
	}
	return out
}
