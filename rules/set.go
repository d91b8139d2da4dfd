package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Set is one immutable version of an app's rules and routing policies in force.
// Nobody changes a Set after it was made: Apply returns a new one.
type Set struct {
	App     string   `json:"app"`
	Rules   []Rule   `json:"rules"`           // canary and active ones, by id
	Routing []Policy `json:"routing"`         // by alias, then topic
	Stats   string   `json:"stats,omitempty"` // hash of the blob of word statistics; "" is the shipped table
}

// Policy is a routing policy: how an alias's traffic on a topic is shared among
// targets.
type Policy struct {
	Alias  string  `json:"alias"`
	Topic  string  `json:"topic,omitempty"` // a step; "" is every step without a policy of its own
	Shares []Share `json:"shares"`
}

// Share is a target and its weight, unitless, 0 or more.
type Share struct {
	Upstream string  `json:"upstream"`
	Model    string  `json:"model"`
	Weight   float64 `json:"weight"`
}

// Epoch numbers the versions of an app's head; it only grows. 0 means that the
// app has no set yet.
type Epoch uint64

// Head is what an app has in force.
type Head struct {
	Epoch Epoch  `json:"epoch"`
	Hash  string `json:"hash"`
}

// String is the head as the header Heed-Ruleset has it: epoch, colon, hash.
func (h Head) String() string { return fmt.Sprintf("%d:%s", h.Epoch, h.Hash) }

// Hash names the set by its content: the first 32 hex digits of SHA-256 over
// "heed-set-v1\n" and the set's JSON in fixed field order (DESIGN section 7).
func (s *Set) Hash() string {
	sum := sha256.Sum256(append([]byte("heed-set-v1\n"), s.JSON()...))
	return hex.EncodeToString(sum[:])[:32]
}

// JSON is the set in its one canonical form: fields in the order of the type,
// map keys sorted, rules by id, policies by alias and topic.
func (s *Set) JSON() []byte {
	c := *s
	if c.Rules == nil {
		c.Rules = []Rule{}
	}
	if c.Routing == nil {
		c.Routing = []Policy{}
	}
	b, err := json.Marshal(&c)
	if err != nil { // only for values such as NaN, which Validate refuses
		panic("BUG: encode rule set: " + err.Error())
	}
	return b
}

// ParseSet reads what JSON wrote. Unknown fields are an error: a set that this
// program does not fully understand must not be enforced by halves.
func ParseSet(b []byte) (*Set, error) {
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	var s Set
	if err := d.Decode(&s); err != nil {
		return nil, fmt.Errorf("read rule set: %w", err)
	}
	return &s, s.Validate()
}

// Validate reports everything that is wrong with the set, joined.
func (s *Set) Validate() error {
	var errs []error
	if s.App == "" {
		errs = append(errs, errors.New("rule set without an app"))
	}
	if len(s.Rules) > MaxRules {
		errs = append(errs, fmt.Errorf("%d rules, at most %d", len(s.Rules), MaxRules))
	}
	for i := range s.Rules {
		r := &s.Rules[i]
		if err := r.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("rule %s: %w", r.ID, err))
		}
		if r.App != s.App {
			errs = append(errs, fmt.Errorf("rule %s belongs to app %q, the set to %q", r.ID, r.App, s.App))
		}
		if r.State != Active && r.State != Canary {
			errs = append(errs, fmt.Errorf("rule %s is %s: only canary and active rules are in a set", r.ID, r.State))
		}
		if i > 0 && s.Rules[i-1].ID >= r.ID {
			errs = append(errs, fmt.Errorf("rule %s: rules must be unique and sorted by id", r.ID))
		}
	}
	for i := range s.Routing {
		if err := s.Routing[i].validate(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (p *Policy) validate() error {
	if p.Alias == "" || len(p.Shares) == 0 {
		return fmt.Errorf("routing policy for %q: want an alias and at least one share", p.Alias)
	}
	var total float64
	for _, s := range p.Shares {
		if !(s.Weight >= 0 && s.Weight <= 1e9) {
			return fmt.Errorf("routing policy for %q: weight %v: want 0 or more", p.Alias, s.Weight)
		}
		total += s.Weight
	}
	if total <= 0 {
		return fmt.Errorf("routing policy for %q: all weights are 0", p.Alias)
	}
	return nil
}

// Rule returns the rule with that id, or nil. It belongs to the set.
func (s *Set) Rule(id string) *Rule {
	i, ok := slices.BinarySearchFunc(s.Rules, id, func(r Rule, id string) int { return strings.Compare(r.ID, id) })
	if !ok {
		return nil
	}
	return &s.Rules[i]
}

// Policy returns the policy for the alias and topic: the topic's own, else the
// alias's general one, else nil.
func (s *Set) Policy(alias, topic string) *Policy {
	var general *Policy
	for i := range s.Routing {
		p := &s.Routing[i]
		if p.Alias != alias {
			continue
		}
		if p.Topic == topic {
			return p
		}
		if p.Topic == "" {
			general = p
		}
	}
	return general
}
