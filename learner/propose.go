package learner

import (
	"context"
	"slices"
	"time"

	"heed/rules"
	"heed/rules/check"
	"heed/store"
)

// finish brings everything about a proposal up to date that follows from its
// rule, and makes it part of what changes.
func (l *Learner) finish(ctx context.Context, s *state, p *store.Proposal) error {
	r := p.Rule()
	r.Checks = check.Compile(r.Action)
	p.Conflicts = replaced(p, s.set, s.stats)
	for _, c := range Conflicting(r, s.set, s.open, p.ID, s.stats) {
		if c.Rule == "" || !slices.ContainsFunc(p.Conflicts, func(o store.Conflict) bool { return o.Rule == c.Rule }) {
			p.Conflicts = append(p.Conflicts, c)
		}
	}
	p.Replaces = slices.DeleteFunc(slices.Clone(p.Replaces), func(id string) bool { return s.set.Rule(id) == nil })
	p.Conflicts = slices.DeleteFunc(p.Conflicts, func(c store.Conflict) bool { return slices.Contains(p.Replaces, c.Rule) })
	p.Ops = shape(p.Ops[0], settled(p.Conflicts, p.Replaces), s.set)
	p.Problems = Problems(r, s.policy.Domains)
	if p.Opposed = opposed(p, s.open); p.Opposed > 0 {
		l.app(s.app).unmeasured = true // the others' cards are to say so too
	}
	p.Title, p.Tokens = title(p.Ops[0].Kind, r), rules.Tokens(r)
	t, err := l.touch(ctx, s, p.Ops)
	if err != nil {
		return err
	}
	keepMarks(&t, p.Touch)
	p.Touch = t
	s.put(p)
	return nil
}

// settled is conflicts with those that a person settled, by letting the proposal
// replace the rule.
func settled(conflicts []store.Conflict, replaces []string) []store.Conflict {
	out := slices.Clone(conflicts)
	for _, id := range replaces {
		out = append(out, store.Conflict{Rule: id, Advice: "supersede"})
	}
	return out
}

// touch measures what operations would touch. The logged requests are read at
// most once in touchFor, so that a burst of feedback does not read them each time.
func (l *Learner) touch(ctx context.Context, s *state, ops []rules.Operation) (store.Touch, error) {
	r := (&store.Proposal{Ops: ops}).Rule()
	step := ""
	if len(r.Scope.Hard.Steps) == 1 {
		step = r.Scope.Hard.Steps[0]
	}
	a := l.app(s.app)
	if a.logged == nil || a.loggedStep != step || s.now.Sub(a.loggedAt) > touchFor {
		xs, err := store.NewestRequests(ctx, l.opt.Store, s.app, step, 0)
		if err != nil {
			return store.Touch{}, err
		}
		a.logged, a.loggedStep, a.loggedAt = xs, step, s.now
	}
	return store.TouchIn(s.set, ops, s.stats, a.logged)
}

// touchFor is how old the logged requests may be that a proposal is measured on.
const touchFor = time.Second

// shape makes the operations of a new rule: it supersedes rules in force that it
// contradicts for the same requests, and takes its examples out of the scope of
// those that it contradicts for some.
func shape(first rules.Operation, conflicts []store.Conflict, set *rules.Set) []rules.Operation {
	if first.Kind != rules.Add && first.Kind != rules.Supersede {
		return []rules.Operation{first}
	}
	ops := []rules.Operation{{Kind: rules.Add, Rule: first.Rule}}
	for _, c := range conflicts {
		old := set.Rule(c.Rule)
		switch {
		case c.Rule == "" || old == nil:
		case c.Advice == "supersede":
			ops[0].Kind, ops[0].IDs = rules.Supersede, append(ops[0].IDs, c.Rule)
		case c.Advice == "split" && !old.Scope.Always:
			if op, ok := except(old, first.Rule.Scope.Examples); ok {
				ops = append(ops, op)
			}
		}
	}
	return ops
}

// except revises a rule so that it no longer applies to the queries, also to those
// that are its examples, as long as one is left.
func except(old *rules.Rule, queries []string) (rules.Operation, bool) {
	r := old.Clone()
	r.Version++
	for _, q := range queries {
		i := slices.Index(r.Scope.Examples, q)
		if i >= 0 && len(r.Scope.Examples) == 1 || slices.Contains(r.Scope.Counterexamples, q) || len(r.Scope.Counterexamples) >= maxExamples {
			continue
		}
		if i >= 0 {
			r.Scope.Examples = slices.Delete(r.Scope.Examples, i, i+1)
		}
		r.Scope.Counterexamples = append(r.Scope.Counterexamples, q)
	}
	return rules.Operation{Kind: rules.Revise, Rule: r}, len(r.Scope.Counterexamples) > len(old.Scope.Counterexamples)
}

// opposed counts the distinct people behind open proposals that contradict p.
func opposed(p *store.Proposal, open []*store.Proposal) int {
	var against []store.Evidence
	for _, c := range p.Conflicts {
		for _, o := range open {
			if c.Proposal != "" && o.ID == c.Proposal {
				against = append(against, o.Evidence...)
			}
		}
	}
	return store.People(against)
}

// keepMarks carries an admin's ticks over to the new samples.
func keepMarks(t *store.Touch, old store.Touch) {
	marks := map[string]string{}
	for _, s := range slices.Concat(old.Inside, old.Near) {
		if s.Mark != "" {
			marks[s.Query] = s.Mark
		}
	}
	for _, list := range [][]store.Sample{t.Inside, t.Near} {
		for i := range list {
			list[i].Mark = marks[list[i].Query]
		}
	}
}
