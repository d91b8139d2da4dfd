package rules

import (
	"fmt"
	"slices"
	"strings"
)

// Kind names what an Operation does.
type Kind string

// Kinds of operations. No other change to a set exists.
const (
	Add       Kind = "add"       // Rule, version 1, is new
	Revise    Kind = "revise"    // Rule replaces the same id's version before it
	Merge     Kind = "merge"     // Rule replaces IDs, which say the same
	Supersede Kind = "supersede" // Rule replaces IDs, which it contradicts
	Retire    Kind = "retire"    // IDs leave for good; with Rule it is that one, which is paused
	Pause     Kind = "pause"     // IDs leave until resumed
	Resume    Kind = "resume"    // Rule comes back
	Route     Kind = "route"     // Policy replaces the alias's and topic's policy
	Refresh   Kind = "refresh"   // Stats replaces the word statistics; no rule changes
)

// Operation is one typed change of a set.
type Operation struct {
	Kind   Kind     `json:"kind"`
	Rule   *Rule    `json:"rule,omitempty"`
	IDs    []string `json:"ids,omitempty"`
	Policy *Policy  `json:"policy,omitempty"`
	Stats  string   `json:"stats,omitempty"`
}

// OfPaused reports whether the operation is about a rule that is paused.
func (op Operation) OfPaused() bool {
	return op.Kind == Resume || op.Kind == Retire && op.Rule != nil
}

// CloneOperations copies operations with their rules, so that these can be changed.
func CloneOperations(ops []Operation) []Operation {
	out := slices.Clone(ops)
	for i := range out {
		if out[i].Rule != nil {
			out[i].Rule = out[i].Rule.Clone()
		}
	}
	return out
}

// Apply returns the set that the operations make of set, which stays as it is.
// It returns an error that names the operation when one does not fit: a rule to
// be changed is not in force, an id is taken, or the result is not valid.
func Apply(set *Set, ops []Operation) (*Set, error) {
	next := &Set{App: set.App, Stats: set.Stats}
	for i := range set.Rules {
		next.Rules = append(next.Rules, *set.Rules[i].Clone())
	}
	next.Routing = slices.Clone(set.Routing)
	for i, op := range ops {
		if err := next.apply(op); err != nil {
			return nil, fmt.Errorf("operation %d (%s): %w", i+1, op.Kind, err)
		}
	}
	slices.SortFunc(next.Rules, func(a, b Rule) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(next.Routing, func(a, b Policy) int {
		return strings.Compare(a.Alias+"\x00"+a.Topic, b.Alias+"\x00"+b.Topic)
	})
	if err := next.Validate(); err != nil {
		return nil, err
	}
	return next, nil
}

func (s *Set) apply(op Operation) error {
	switch op.Kind {
	case Add, Resume:
		return s.add(op.Rule)
	case Revise:
		if op.Rule == nil {
			return fmt.Errorf("no rule given")
		}
		i := s.find(op.Rule.ID)
		if i < 0 {
			return fmt.Errorf("rule %s is not in force", op.Rule.ID)
		}
		if op.Rule.Version <= s.Rules[i].Version {
			return fmt.Errorf("rule %s: version %d is not after version %d", op.Rule.ID, op.Rule.Version, s.Rules[i].Version)
		}
		s.Rules[i] = *op.Rule.Clone()
		return nil
	case Merge, Supersede:
		if err := s.remove(op.IDs); err != nil {
			return err
		}
		return s.add(op.Rule)
	case Retire, Pause:
		if op.OfPaused() {
			return s.absent(op.Rule.ID)
		}
		return s.remove(op.IDs)
	case Route:
		return s.route(op.Policy)
	case Refresh:
		s.Stats = op.Stats
		return nil
	}
	return fmt.Errorf("unknown kind %q", op.Kind)
}

func (s *Set) find(id string) int {
	return slices.IndexFunc(s.Rules, func(r Rule) bool { return r.ID == id })
}

func (s *Set) add(r *Rule) error {
	if r == nil {
		return fmt.Errorf("no rule given")
	}
	if err := s.absent(r.ID); err != nil {
		return err
	}
	s.Rules = append(s.Rules, *r.Clone())
	return nil
}

func (s *Set) absent(id string) error {
	if s.find(id) >= 0 {
		return fmt.Errorf("rule %s is already in force", id)
	}
	return nil
}

func (s *Set) remove(ids []string) error {
	if len(ids) == 0 {
		return fmt.Errorf("no rule ids given")
	}
	for _, id := range ids {
		i := s.find(id)
		if i < 0 {
			return fmt.Errorf("rule %s is not in force", id)
		}
		s.Rules = slices.Delete(s.Rules, i, i+1)
	}
	return nil
}

func (s *Set) route(p *Policy) error {
	if p == nil {
		return fmt.Errorf("no policy given")
	}
	s.Routing = slices.DeleteFunc(s.Routing, func(q Policy) bool { return q.Alias == p.Alias && q.Topic == p.Topic })
	c := *p
	c.Shares = slices.Clone(p.Shares)
	s.Routing = append(s.Routing, c)
	return nil
}

// Changed returns the rule versions that a step from one set to the next brings
// or takes away, in their new state: those that are new or revised as they
// stand in next, those that left as the operations say (retired, paused,
// superseded), and paused ones that are retired. A rule that left without an operation that names it, as in a
// roll-back, counts as paused: an admin can bring it back.
func Changed(prev, next *Set, ops []Operation) []Rule {
	var out []Rule
	for i := range next.Rules {
		r := &next.Rules[i]
		if old := prev.Rule(r.ID); old == nil || old.Version != r.Version || old.State != r.State {
			out = append(out, *r.Clone())
		}
	}
	for i := range prev.Rules {
		r := prev.Rules[i].Clone()
		if next.Rule(r.ID) == nil {
			r.State = leftState(r.ID, ops)
			out = append(out, *r)
		}
	}
	for _, op := range ops {
		if op.Kind == Retire && op.OfPaused() {
			r := op.Rule.Clone()
			r.State = Retired
			out = append(out, *r)
		}
	}
	return out
}

func leftState(id string, ops []Operation) State {
	for _, op := range ops {
		if !slices.Contains(op.IDs, id) {
			continue
		}
		switch op.Kind {
		case Retire:
			return Retired
		case Merge, Supersede:
			return Superseded
		}
	}
	return Paused
}
