package learner

import (
	"slices"

	"heed/rules"
	"heed/rules/check"
	"heed/rules/match"
	"heed/store"
)

// Thresholds of merging. Actions of a closed form (check.SameAction compares
// their words, numbers and quotations) that are alike this much say the same.
const (
	sameAction   = 0.6  // with one topic
	nearlySame   = 0.9  // with related topics
	sameTopic    = 0.35 // probability that the one rule applies to the other's examples
	relatedTopic = 0.1
	likeWhen     = 0.5 // overlap of the words of two worded conditions
)

// Overlap says how much two rules are about the same requests, in [0, 1]: 0 when
// their hard filters never let them into one request, else the highest
// probability with which one applies to an example of the other, or the overlap
// of the words of their conditions.
func Overlap(a, b *rules.Rule, stats *match.Stats) float64 {
	switch {
	case !meet(&a.Scope.Hard, &b.Scope.Hard):
		return 0
	case a.Scope.Always || b.Scope.Always:
		if a.Scope.Always && b.Scope.Always {
			return 1
		}
		return relatedTopic
	}
	for _, q := range b.Scope.Examples {
		if slices.Contains(a.Scope.Examples, q) {
			return 1
		}
	}
	best := 0.0
	if !derived(a.Scope.AppliesWhen) && !derived(b.Scope.AppliesWhen) {
		best = dice(stemSet(a.Scope.AppliesWhen), stemSet(b.Scope.AppliesWhen))
	}
	return max(best, applies(a, b.Scope.Examples, stats), applies(b, a.Scope.Examples, stats))
}

// meet says whether one request can pass both rules' filters.
func meet(a, b *rules.Hard) bool {
	either := func(x, y string) bool { return x == "" || y == "" || x == y }
	if !either(a.Alias, b.Alias) || !either(a.User, b.User) || !either(a.Partition, b.Partition) {
		return false
	}
	if len(a.Steps) > 0 && len(b.Steps) > 0 && !slices.ContainsFunc(a.Steps, func(s string) bool { return slices.Contains(b.Steps, s) }) {
		return false
	}
	for k, v := range a.Tags {
		if w, ok := b.Tags[k]; ok && v != w {
			return false
		}
	}
	return true
}

// sameHard says whether two rules have the same filters, so that they can become
// one.
func sameHard(a, b *rules.Hard) bool {
	return slices.Equal(a.Steps, b.Steps) && a.Alias == b.Alias && a.User == b.User && a.Partition == b.Partition && len(a.Tags) == len(b.Tags) && meet(a, b)
}

// applies is the highest probability with which the rule, alone, applies to one
// of the queries (the newest 8 are asked).
func applies(r *rules.Rule, queries []string, stats *match.Stats) float64 {
	ix, err := match.Compile([]match.Scope{{ID: r.ID, AppliesWhen: r.Scope.AppliesWhen, Examples: r.Scope.Examples, Counterexamples: r.Scope.Counterexamples}}, stats)
	if err != nil {
		return 0
	}
	ix = ix.WithThreshold(0.01)
	var buf match.Buffer
	best := 0.0
	for _, q := range queries[max(0, len(queries)-8):] {
		for _, h := range ix.Match(q, nil, &buf) {
			best = max(best, float64(h.P))
		}
	}
	return best
}

func dice(a, b map[string]bool) float64 {
	if len(a)+len(b) == 0 {
		return 0
	}
	both := 0
	for w := range a {
		if b[w] {
			both++
		}
	}
	return 2 * float64(both) / float64(len(a)+len(b))
}

// Same says whether two rules say the same about the same requests, so that they
// are one. A specific action (with a quotation, a name or a number in its check)
// that nobody bound to a condition is taken for one wish whatever the requests
// were; a general one ("be brief") is one only within a topic.
func Same(a, b *rules.Rule, stats *match.Stats) bool {
	if !sameHard(&a.Scope.Hard, &b.Scope.Hard) || a.Scope.Always != b.Scope.Always {
		return false
	}
	alike := check.SameAction(a.Action, b.Action)
	if alike < sameAction {
		return false
	}
	if alike >= nearlySame && specific(a) && specific(b) && (derived(a.Scope.AppliesWhen) || derived(b.Scope.AppliesWhen)) && derived(a.Scope.AppliesWhen) == derived(b.Scope.AppliesWhen) {
		return true
	}
	overlap := Overlap(a, b, stats)
	return overlap >= sameTopic || alike >= nearlySame && overlap >= relatedTopic
}

func specific(r *rules.Rule) bool {
	return slices.ContainsFunc(r.Checks, func(s check.Spec) bool {
		switch s.Kind {
		case check.KindSay, check.KindMention, check.KindBegin, check.KindEnd, check.KindRegex:
			return true
		}
		return false
	})
}

// MergeInto returns p with one more record behind it: the rule's examples and
// sources grow, the action stays as the first person said it; a condition that a
// person worded in from beats one that was made of topic words. p is not changed.
func MergeInto(p *store.Proposal, e store.Evidence, from *rules.Rule, known Frequencies) *store.Proposal {
	next := cloneProposal(p)
	if i := slices.IndexFunc(next.Evidence, func(o store.Evidence) bool { return o.Feedback == e.Feedback }); i >= 0 {
		next.Evidence[i] = e
	} else if len(next.Evidence) < maxEvidence {
		next.Evidence = append(next.Evidence, e)
	}
	next.People = people(next.Evidence)
	r := next.Rule()
	if derived(r.Scope.AppliesWhen) && from.Scope.AppliesWhen != "" && !derived(from.Scope.AppliesWhen) {
		r.Scope.AppliesWhen = from.Scope.AppliesWhen
	}
	support(r, next.Evidence, r.Scope.Examples, known)
	return next
}

// cloneProposal copies what the learner changes of a proposal.
func cloneProposal(p *store.Proposal) *store.Proposal {
	c := *p
	c.Ops = slices.Clone(p.Ops)
	for i := range c.Ops {
		if c.Ops[i].Rule != nil {
			c.Ops[i].Rule = c.Ops[i].Rule.Clone()
		}
	}
	c.Evidence = slices.Clone(p.Evidence)
	c.Conflicts = slices.Clone(p.Conflicts)
	c.Problems = slices.Clone(p.Problems)
	return &c
}

// Conflicting lists what contradicts rule among the rules in force and the open
// proposals, except those that ops replace or that are skip itself.
func Conflicting(rule *rules.Rule, set *rules.Set, open []*store.Proposal, skip string, stats *match.Stats) []store.Conflict {
	var out []store.Conflict
	for i := range set.Rules {
		o := &set.Rules[i]
		if o.ID == rule.ID {
			continue
		}
		if why, ok := contradict(rule, o, stats); ok {
			out = append(out, store.Conflict{Rule: o.ID, Action: o.Action, Reason: why, Advice: advice(rule, o, stats)})
		}
	}
	for _, p := range open {
		o := p.Rule()
		if p.ID == skip || o == nil || o.ID == rule.ID {
			continue
		}
		if why, ok := contradict(rule, o, stats); ok {
			a := "split"
			if Overlap(rule, o, stats) >= sameScope {
				a = "reject" // one open question: a person chooses one of the two
			}
			out = append(out, store.Conflict{Proposal: p.ID, Action: o.Action, Reason: why, Advice: a})
		}
	}
	return out
}

// sameScope is the overlap from which two rules are about the same requests.
const sameScope = 0.5

func contradict(a, b *rules.Rule, stats *match.Stats) (string, bool) {
	if !meet(&a.Scope.Hard, &b.Scope.Hard) {
		return "", false
	}
	why, ok := check.Conflict(a.Action, b.Action, a.Checks, b.Checks)
	if !ok || Overlap(a, b, stats) < relatedTopic {
		return "", false
	}
	return why, true
}

// advice for a rule in force: the newer supersedes it where both are about the
// same requests; a narrower one splits the scope.
func advice(rule, old *rules.Rule, stats *match.Stats) string {
	if Overlap(rule, old, stats) >= sameScope {
		return "supersede"
	}
	return "split"
}
