package learner

import (
	"fmt"
	"slices"

	"heed/rules"
	"heed/rules/check"
	"heed/rules/match"
	"heed/store"
)

// replacing reads a record that wants something in the place of what a rule in
// force asks for ("mention A instead of B", "no longer B, now A"). The diagnosis
// then instructs to do what is new, in the person's words or, where they named the
// things only, in the rule's. It returns the rule that is replaced, nil where there
// is none or the wish is about a part of its requests.
func (s *state) replacing(f *store.Feedback, x *store.Exchange, d Diagnosis) (Diagnosis, *rules.Rule) {
	switch d.Kind {
	case Instructs, NoInstruction, MissingFact, Retrieval, Rating, Routing:
	default:
		return d, nil
	}
	c, ok := check.Replacement(f.Comment)
	if !ok {
		return d, nil
	}
	when := d.When
	if when == "" {
		if when = f.When; when == "" {
			when, _, _ = check.AppliesWhen(f.Comment)
		}
	}
	probe := s.probe(f, x, when)
	if old := s.named(c.Old, probe, x); old != nil {
		action := c.Now
		if action == "" {
			if action, ok = c.Apply(old.Action); !ok {
				return d, nil
			}
		}
		d = Diagnosis{Kind: Instructs, Action: action, When: when, Reason: fmt.Sprintf("the person wants it in the place of %q", oneLine(c.Old, 60))}
		if narrower(probe, old) {
			return d, nil
		}
		return d, old
	}
	if d.Kind == Instructs {
		return d, nil
	}
	if r := s.named(c.New, probe, x); r != nil { // it was replaced already: one more who says so
		return Diagnosis{Kind: Instructs, Action: r.Action, When: when, Reason: "rule " + r.ID + " asks for what the person wants"}, nil
	}
	return d, nil
}

// probe is a rule of the judged request alone, to find the rules in force that are
// about the same.
func (s *state) probe(f *store.Feedback, x *store.Exchange, when string) *rules.Rule {
	p := *f
	return Distill(&p, Diagnosis{Action: "Say so.", When: when}, LinkTo(x), s.policy, s.known)
}

// named is the rule in force that asks for what a phrase names and was injected into
// the judged request, or else is the most about it; nil when there is none.
func (s *state) named(phrase string, probe *rules.Rule, x *store.Exchange) *rules.Rule {
	var found []*rules.Rule
	for i := range s.set.Rules {
		r := &s.set.Rules[i]
		if !check.Names(r.Action, phrase) || probe != nil && !meet(&probe.Scope.Hard, &r.Scope.Hard) {
			continue
		}
		if slices.ContainsFunc(x.Decision.Rules, func(o rules.RuleDecision) bool { return o.ID == r.ID }) {
			return r
		}
		found = append(found, r)
	}
	if len(found) == 0 || probe == nil {
		return nil
	}
	best, at := relatedTopic, -1
	for i, overlap := range Overlaps(probe, found, s.stats) {
		if overlap >= best {
			best, at = overlap, i
		}
	}
	if at < 0 {
		return nil
	}
	return found[at]
}

// narrower says whether a rule is worded for a part of what another is for: its
// condition has all words of the other's and more.
func narrower(r, of *rules.Rule) bool {
	if r == nil || derived(r.Scope.AppliesWhen) || derived(of.Scope.AppliesWhen) {
		return r != nil && of.Scope.Always && !r.Scope.Always
	}
	part, whole := conditionWords(r.Scope.AppliesWhen), conditionWords(of.Scope.AppliesWhen)
	for w := range whole {
		if !part[w] {
			return false
		}
	}
	return len(part) > len(whole)
}

// contradicted is the rule in force whose opposite a new rule asks for, for the same
// requests; nil when there is none.
func (s *state) contradicted(r *rules.Rule) *rules.Rule {
	for _, c := range Conflicting(r, s.set, nil, "", s.stats) {
		if c.Advice == "supersede" {
			return s.set.Rule(c.Rule)
		}
	}
	return nil
}

// inherit gives a rule the scope of the one whose place it takes, and returns the
// examples to keep.
func inherit(r, old *rules.Rule) []string {
	if old.Scope.Always {
		r.Scope.Always, r.Scope.AppliesWhen = true, ""
		return nil
	}
	if !derived(old.Scope.AppliesWhen) {
		r.Scope.AppliesWhen = old.Scope.AppliesWhen
	}
	r.Scope.Counterexamples = slices.DeleteFunc(slices.Clone(old.Scope.Counterexamples), func(q string) bool { return slices.Contains(r.Scope.Examples, q) })
	return slices.Clone(old.Scope.Examples)
}

// replaced lists the rules in force whose place a proposal takes: those that it
// already supersedes, and those that its evidence says are replaced.
func replaced(p *store.Proposal, set *rules.Set, stats *match.Stats) []store.Conflict {
	r := p.Rule()
	var out []store.Conflict
	for _, e := range p.Evidence {
		c, ok := check.Replacement(e.Quote)
		if !ok {
			continue
		}
		for i := range set.Rules {
			o := &set.Rules[i]
			if o.ID == r.ID || !check.Names(o.Action, c.Old) || check.SameAction(o.Action, r.Action) >= sameAction || slices.ContainsFunc(out, func(c store.Conflict) bool { return c.Rule == o.ID }) {
				continue
			}
			advice := "supersede"
			if !slices.Contains(p.Ops[0].IDs, o.ID) {
				if Overlap(r, o, stats) < relatedTopic {
					continue
				}
				if narrower(r, o) {
					advice = "split"
				}
			}
			out = append(out, store.Conflict{Rule: o.ID, Action: o.Action, Advice: advice, Reason: fmt.Sprintf("it takes the place of %q", oneLine(c.Old, 60))})
		}
	}
	return out
}
