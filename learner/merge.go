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
	sameAction   = check.SameThreshold // with one topic
	nearlySame   = 0.9                 // with related topics
	sameTopic    = 0.35                // probability that the one rule applies to the other's examples
	relatedTopic = 0.1
)

// Overlap says how much two rules are about the same requests, in [0, 1]: 0 when
// their hard filters never let them into one request, else the highest
// probability with which one applies to an example of the other, or the overlap
// of the words of their conditions.
func Overlap(a, b *rules.Rule, stats *match.Stats) float64 {
	return Overlaps(a, []*rules.Rule{b}, stats)[0]
}

// Overlaps is Overlap of one rule with each of others. It compiles one index, so
// it costs milliseconds whatever their number is.
func Overlaps(rule *rules.Rule, others []*rules.Rule, stats *match.Stats) []float64 {
	out := make([]float64, len(others))
	scopes := []match.Scope{scopeOf(rule)}
	for _, o := range others {
		scopes = append(scopes, scopeOf(o))
	}
	ix, err := match.Compile(scopes, stats)
	if err != nil {
		return out
	}
	ix = ix.WithThreshold(0.01)
	var buf match.Buffer
	for i, o := range others {
		out[i] = certain(rule, o)
		if out[i] < 0 {
			out[i] = max(likeConditions(rule, o), applies(ix, i+1, rule.Scope.Examples, &buf), applies(ix, 0, o.Scope.Examples, &buf))
		}
	}
	return out
}

// scopeOf is what the matcher learns from, with one source for all, so that the
// rules are asked one by one and do not compete.
func scopeOf(r *rules.Rule) match.Scope {
	return match.Scope{ID: r.ID, AppliesWhen: r.Scope.AppliesWhen, Examples: r.Scope.Examples, Counterexamples: r.Scope.Counterexamples, Sources: []string{"one"}}
}

// certain is the overlap where the filters or a common example decide it, else -1.
func certain(a, b *rules.Rule) float64 {
	switch {
	case !meet(&a.Scope.Hard, &b.Scope.Hard):
		return 0
	case a.Scope.Always && b.Scope.Always:
		return 1
	case a.Scope.Always || b.Scope.Always:
		return relatedTopic
	case slices.ContainsFunc(b.Scope.Examples, func(q string) bool { return slices.Contains(a.Scope.Examples, q) }):
		return 1
	}
	return -1
}

// likeConditions is the overlap of the words of two worded conditions.
func likeConditions(a, b *rules.Rule) float64 {
	if derived(a.Scope.AppliesWhen) || derived(b.Scope.AppliesWhen) {
		return 0
	}
	return dice(conditionWords(a.Scope.AppliesWhen), conditionWords(b.Scope.AppliesWhen))
}

// conditionWords are the stems of a condition without the frame that people put
// around a topic. Every other word counts: the topic may be "yes" or "who are you".
func conditionWords(when string) map[string]bool {
	out := map[string]bool{}
	for _, w := range words(when) {
		if !conditionFrame[w] {
			out[stemOf(w)] = true
		}
	}
	return out
}

var conditionFrame = set("when whenever if someone somebody anyone anybody people customer customers user users they one asks ask asking asked about for on regarding question questions request requests query queries the a an it is it's that of wants want to")

// applies is the highest probability with which the i-th rule applies to one of
// the queries (the newest 8 are asked).
func applies(ix *match.Index, i int, queries []string, buf *match.Buffer) float64 {
	best := 0.0
	only := func(rule int) bool { return rule == i }
	for _, q := range queries[max(0, len(queries)-8):] {
		for _, h := range ix.Match(q, only, buf) {
			best = max(best, float64(h.P))
		}
	}
	return best
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

// Same returns the indexes of the rules that say the same as rule about the same
// requests, so that they are one. A specific action (with a quotation or a name in
// its check) that at most one of two people bound to a condition is taken for one
// wish whatever the requests were; a general one ("be brief") is one only within a topic.
func Same(rule *rules.Rule, others []*rules.Rule, stats *match.Stats) []int {
	var same, ask []int
	var alike []float64
	var asked []*rules.Rule
	for i, o := range others {
		if o == nil || !sameHard(&rule.Scope.Hard, &o.Scope.Hard) || rule.Scope.Always != o.Scope.Always {
			continue
		}
		like := sameWish(rule, o)
		switch {
		case like < sameAction:
		case like >= nearlySame && specific(rule) && specific(o) && (derived(rule.Scope.AppliesWhen) || derived(o.Scope.AppliesWhen)):
			same = append(same, i)
		default:
			ask, alike, asked = append(ask, i), append(alike, like), append(asked, o)
		}
	}
	if len(ask) > 0 {
		for j, overlap := range Overlaps(rule, asked, stats) {
			if overlap >= sameTopic || alike[j] >= nearlySame && overlap >= relatedTopic {
				same = append(same, ask[j])
			}
		}
	}
	slices.Sort(same)
	return same
}

// sameWish is check.SameAction of the two rules' actions, or of the wordings that a
// person judged to mean the same.
func sameWish(a, b *rules.Rule) float64 {
	best := check.SameAction(a.Action, b.Action)
	for _, w := range a.Wordings {
		best = max(best, check.SameAction(w, b.Action))
	}
	for _, w := range b.Wordings {
		best = max(best, check.SameAction(a.Action, w))
	}
	return best
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
	} else if len(next.Evidence) < maxEvidence && (e.User == "" || listed(next.Evidence, e.User) < perListed) {
		next.Evidence = append(next.Evidence, e)
	}
	next.People = store.People(next.Evidence)
	r := next.Rule()
	if derived(r.Scope.AppliesWhen) && from.Scope.AppliesWhen != "" && !derived(from.Scope.AppliesWhen) {
		r.Scope.AppliesWhen = from.Scope.AppliesWhen
	}
	support(r, next.Evidence, r.Scope.Examples, known)
	return next
}

// listed counts the evidence of one person.
func listed(evidence []store.Evidence, user string) int {
	n := 0
	for _, e := range evidence {
		if e.User == user {
			n++
		}
	}
	return n
}

// cloneProposal copies what the learner changes of a proposal.
func cloneProposal(p *store.Proposal) *store.Proposal {
	c := *p
	c.Ops = rules.CloneOperations(p.Ops)
	c.Evidence = slices.Clone(p.Evidence)
	c.Conflicts = slices.Clone(p.Conflicts)
	c.Problems = slices.Clone(p.Problems)
	return &c
}

// Conflicting lists what contradicts rule among the rules in force and the open
// proposals other than skip. The advice for a rule in force is to supersede it
// where both are about the same requests, else to split the scope, also where the
// new rule is worded for a part of them or many more people stand behind the old; between open
// proposals, to reject one of the two, or to split.
func Conflicting(rule *rules.Rule, set *rules.Set, open []*store.Proposal, skip string, stats *match.Stats) []store.Conflict {
	var out []store.Conflict
	var against []*rules.Rule
	add := func(o *rules.Rule, c store.Conflict) {
		if o == nil || o.ID == rule.ID || !meet(&rule.Scope.Hard, &o.Scope.Hard) || bothEnds(rule, o) {
			return
		}
		if why, ok := check.Conflict(rule.Action, o.Action, rule.Checks, o.Checks); ok {
			c.Action, c.Reason = o.Action, why
			out, against = append(out, c), append(against, o)
		}
	}
	for i := range set.Rules {
		add(&set.Rules[i], store.Conflict{Rule: set.Rules[i].ID, Advice: "supersede"})
	}
	for _, p := range open {
		if p.ID != skip {
			add(p.Rule(), store.Conflict{Proposal: p.ID, Advice: "reject"})
		}
	}
	if len(out) == 0 {
		return nil
	}
	overlaps := Overlaps(rule, against, stats)
	kept := out[:0]
	for i, c := range out {
		if overlaps[i] < relatedTopic || len(kept) == maxConflicts {
			continue
		}
		if o := against[i]; overlaps[i] < sameScope || c.Rule != "" && (narrower(rule, o) || len(o.Authors) >= outnumbered*max(1, len(rule.Authors))) {
			c.Advice = "split"
		}
		kept = append(kept, c)
	}
	return kept
}

// bothEnds says whether one rule is about how an answer begins and the other about
// how it ends: an answer can do both, however opposite the words are.
func bothEnds(a, b *rules.Rule) bool {
	only := func(r *rules.Rule, kind string) bool {
		return len(r.Checks) > 0 && !slices.ContainsFunc(r.Checks, func(s check.Spec) bool { return s.Kind != kind })
	}
	return only(a, check.KindBegin) && only(b, check.KindEnd) || only(a, check.KindEnd) && only(b, check.KindBegin)
}

// sameScope is the overlap from which two rules are about the same requests.
// outnumbered is how many times as many people behind a rule in force make an
// exception of what contradicts it, instead of its successor. maxConflicts is how
// many contradictions a proposal lists.
const (
	sameScope    = 0.5
	outnumbered  = 5
	maxConflicts = 20
)
