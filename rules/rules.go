// Package rules says what is in force: the rules and routing policies of one app
// as an immutable [Set], which of them one request gets, and the text that is
// injected for them.
//
// Start with [Compile], which makes a Set ready for the request path, and
// [Compiled.Decide], which takes the [Facts] of a request and returns the
// [Decision]; [Render] writes the block. A set changes only by typed operations
// ([Apply]). Everything here is pure: the same set, facts and unit always give
// the same decision and the same bytes, so a log row can be replayed.
package rules

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"heed/rules/check"
)

// Limits of one rule. They bound what a request can carry and what an admin can
// read at a glance.
const (
	MaxActionRunes      = 300   // DESIGN section 6
	MaxAppliesWhenRunes = 300   //
	MaxExamples         = 200   // examples plus counterexamples of one rule
	MaxExampleBytes     = 1500  // one example, as long as a matched query may be
	MaxSourceRunes      = 500   // where a fact stands
	MaxWordings         = 20    // other wordings of one rule
	MaxRules            = 10000 // rules of one set
)

// State is where a rule version stands in its life.
type State string

// States. Only Canary and Active rules are in a Set.
const (
	Canary     State = "canary"
	Active     State = "active"
	Paused     State = "paused"
	Retired    State = "retired"
	Superseded State = "superseded"
)

// Rule is a learned guideline: when it applies and what to do. Versions are
// immutable; a change is a new version.
type Rule struct {
	ID         string       `json:"id"`      // r_ and 26 base32 characters
	Version    int          `json:"version"` // from 1
	App        string       `json:"app"`
	State      State        `json:"state"`
	Scope      Scope        `json:"scope"`
	Action     string       `json:"action"` // what to do, at most MaxActionRunes characters
	Checks     []check.Spec `json:"checks,omitempty"`
	Priority   int          `json:"priority,omitempty"` // smaller is written first in the block
	Sources    []string     `json:"sources,omitempty"`  // ids of the feedback it rests on
	Authors    []string     `json:"authors,omitempty"`  // who said it: user hashes or admin names
	ApprovedBy string       `json:"approved_by,omitempty"`
	ValidFrom  time.Time    `json:"valid_from,omitzero"` // zero: from the start
	ValidTo    time.Time    `json:"valid_to,omitzero"`   // zero: without end
	Holdout    float64      `json:"holdout"`             // share of in-scope units that never get it, [0, 0.5]
	Ramp       float64      `json:"ramp,omitempty"`      // canary only: share of the other units that get it, (0, 1]
	Origin     string       `json:"origin,omitempty"`    // feedback, admin, import
	Wordings   []string     `json:"wordings,omitempty"`  // how else people said Action, as a person judged; never injected
	Fact       *Fact        `json:"fact,omitempty"`      // of a rule that has the agent assert something (check.Claims)
}

// Fact says who answers for what a rule has the agent assert, and where it stands,
// so that whoever approves or renews the rule can look it up. Nothing is true for
// ever: such a rule has a ValidTo. None of it is injected.
type Fact struct {
	Author string `json:"author"` // an admin's name
	Source string `json:"source"` // a page, a document, a person; at most MaxSourceRunes characters
}

// RanOut reports whether the rule's time is over at now: it stays in the set, and
// is in scope of nothing.
func (r *Rule) RanOut(now time.Time) bool { return !r.ValidTo.IsZero() && !now.Before(r.ValidTo) }

// Scope says when a rule applies. Hard filters come first; then Always, or a
// matcher learned from AppliesWhen, Examples and Counterexamples.
type Scope struct {
	Hard            Hard     `json:"hard,omitzero"`
	AppliesWhen     string   `json:"applies_when,omitempty"`
	Examples        []string `json:"examples,omitempty"`
	Counterexamples []string `json:"counterexamples,omitempty"`
	Always          bool     `json:"always,omitempty"` // applies wherever the hard filters let it
}

// Hard filters must all hold; an empty one holds always.
type Hard struct {
	Steps     []string          `json:"steps,omitempty"` // any of these steps
	Alias     string            `json:"alias,omitempty"` // the model name that clients ask for
	Tags      map[string]string `json:"tags,omitempty"`  // every one of these Heed-Tags
	User      string            `json:"user,omitempty"`  // hash of Heed-User
	Partition string            `json:"partition,omitempty"`
}

// IsZero reports whether no filter is set.
func (h Hard) IsZero() bool {
	return len(h.Steps) == 0 && h.Alias == "" && len(h.Tags) == 0 && h.User == "" && h.Partition == ""
}

// Ref is the rule's name in headers and logs: id@version.
func (r *Rule) Ref() string { return fmt.Sprintf("%s@%d", r.ID, r.Version) }

// idEncoding gives 26 lower-case characters for 16 bytes.
var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewID returns a fresh rule id. It is the only function of this package that is
// not pure: it draws 16 random bytes.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand since Go 1.24)
	return "r_" + idEncoding.EncodeToString(b[:])
}

// Validate reports everything that is wrong with the rule, joined; nil if it may
// stand in a set. The safety of its texts is check.Safety's part, not this.
func (r *Rule) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !strings.HasPrefix(r.ID, "r_") || len(r.ID) != 28 {
		bad("id %q: want r_ and 26 base32 characters", r.ID)
	}
	if r.App == "" {
		bad("app is empty")
	}
	if r.Version < 1 {
		bad("version %d: want 1 or more", r.Version)
	}
	if strings.TrimSpace(r.Action) == "" {
		bad("action is empty: say what the answer should do")
	}
	if n := utf8.RuneCountInString(r.Action); n > MaxActionRunes {
		bad("action has %d characters, at most %d", n, MaxActionRunes)
	}
	if strings.ContainsAny(r.Action+r.Scope.AppliesWhen, "\n\r") {
		bad("action and applies_when must be one line each")
	}
	switch r.State {
	case Canary, Active, Paused, Retired, Superseded:
	default:
		bad("state %q: want canary, active, paused, retired or superseded", r.State)
	}
	if !(r.Holdout >= 0 && r.Holdout <= 0.5) {
		bad("holdout %v: want a share between 0 and 0.5", r.Holdout)
	}
	if r.State == Canary && !(r.Ramp > 0 && r.Ramp <= 1) {
		bad("ramp %v: want a share above 0, up to 1", r.Ramp)
	}
	if !r.ValidTo.IsZero() && !r.ValidFrom.Before(r.ValidTo) {
		bad("valid_to is not after valid_from")
	}
	if r.Fact != nil {
		errs = append(errs, r.Fact.validate(r.ValidTo)...)
	}
	if len(r.Wordings) > MaxWordings {
		bad("more than %d wordings", MaxWordings)
	}
	for _, w := range r.Wordings {
		if utf8.RuneCountInString(w) > MaxActionRunes {
			bad("a wording has more than %d characters", MaxActionRunes)
		}
	}
	errs = append(errs, r.Scope.validate()...)
	for i, c := range r.Checks {
		if err := c.Validate(); err != nil {
			bad("check %d: %w", i+1, err)
		}
	}
	return errors.Join(errs...)
}

func (f *Fact) validate(until time.Time) []error {
	var errs []error
	if f.Author == "" {
		errs = append(errs, errors.New("fact.author is empty: who answers for it?"))
	}
	if n := utf8.RuneCountInString(f.Source); strings.TrimSpace(f.Source) == "" || n > MaxSourceRunes || strings.ContainsAny(f.Source, "\n\r") {
		errs = append(errs, fmt.Errorf("fact.source has %d characters: want one line of 1 to %d", n, MaxSourceRunes))
	}
	if until.IsZero() {
		errs = append(errs, errors.New("valid_to is empty: say until when the fact holds"))
	}
	return errs
}

func (s *Scope) validate() []error {
	var errs []error
	if n := utf8.RuneCountInString(s.AppliesWhen); n > MaxAppliesWhenRunes {
		errs = append(errs, fmt.Errorf("applies_when has %d characters, at most %d", n, MaxAppliesWhenRunes))
	}
	if len(s.Examples)+len(s.Counterexamples) > MaxExamples {
		errs = append(errs, fmt.Errorf("more than %d examples and counterexamples", MaxExamples))
	}
	for _, e := range slices.Concat(s.Examples, s.Counterexamples) {
		if len(e) > MaxExampleBytes {
			errs = append(errs, fmt.Errorf("an example has %d bytes, at most %d", len(e), MaxExampleBytes))
		}
	}
	if !s.Always && s.AppliesWhen == "" && len(s.Examples) == 0 {
		errs = append(errs, errors.New("scope is empty: give applies_when, an example, or always"))
	}
	return errs
}

// Clone returns a copy that shares nothing with r.
func (r *Rule) Clone() *Rule {
	c := *r
	c.Scope.Hard.Steps = slices.Clone(r.Scope.Hard.Steps)
	c.Scope.Hard.Tags = maps.Clone(r.Scope.Hard.Tags)
	c.Scope.Examples = slices.Clone(r.Scope.Examples)
	c.Scope.Counterexamples = slices.Clone(r.Scope.Counterexamples)
	c.Checks = slices.Clone(r.Checks)
	c.Sources = slices.Clone(r.Sources)
	c.Authors = slices.Clone(r.Authors)
	c.Wordings = slices.Clone(r.Wordings)
	if r.Fact != nil {
		fact := *r.Fact
		c.Fact = &fact
	}
	return &c
}
