package learner

import (
	"regexp"
	"slices"
	"strings"

	"heed/rules"
	"heed/rules/check"
	"heed/store"
)

// quoteWords is how many words in a row of a person's request may stand in the
// condition of a rule: one fewer than this. Conditions are injected into other
// people's requests, so they must not carry somebody's words (DESIGN section 6).
const quoteWords = 8

// Distill makes the rule that the diagnosed feedback asks for, by no other words
// than the person's: the action as said, the condition as said or else the topic
// of the judged request, the judged step, the judged request as the example. The
// rule has no id yet. It returns nil when nothing says when, or for whom, the rule
// would apply.
func Distill(f *store.Feedback, d Diagnosis, link *store.Link, p AppPolicy, known Frequencies) *rules.Rule {
	if f.User == "" && ownName.MatchString(d.Action) {
		return nil
	}
	r := &rules.Rule{
		Version: 1, App: f.App, State: rules.Active, Origin: "feedback", Holdout: p.Holdout,
		Action: oneLine(d.Action, rules.MaxActionRunes), Checks: check.Compile(d.Action), Sources: []string{f.ID},
	}
	if f.User != "" {
		r.Authors = []string{f.User}
	}
	query := ""
	if link != nil {
		query = cut(link.Query, rules.MaxExampleBytes)
		if link.Step != "" {
			r.Scope.Hard.Steps = []string{link.Step}
		}
	}
	if query != "" {
		r.Scope.Examples = []string{query}
	}
	if f.User != "" && personal.MatchString(f.Comment) {
		r.Scope.Hard.User = f.User
	}
	r.Scope.AppliesWhen = condition(d.When, query, known)
	switch {
	case everywhere.MatchString(strings.TrimSpace(d.When)):
		r.Scope.Always, r.Scope.AppliesWhen = true, ""
	case r.Scope.AppliesWhen == "":
		r.Scope.AppliesWhen = Topic([]string{d.Action}, known)
	}
	if r.Scope.AppliesWhen == "" && query == "" && !r.Scope.Always {
		return nil
	}
	return r
}

// personal finds one person's taste: it is proposed for that person only, and an
// admin may widen it.
var personal = regexp.MustCompile(`(?i)\b(i prefer|i'd prefer|i personally|just for me|my own taste|my preference|call me|address me)\b|\bpersonally,|\bfor me([,:.!;]|\s*$|,? please\b)`)

// ownName finds the name of one person, which is nobody else's.
var ownName = regexp.MustCompile(`(?i)^(?:always )?call me\b`)

// everywhere finds a condition that is none.
var everywhere = regexp.MustCompile(`(?i)^(always|everywhere|any ?time|at all times|(for |in |to |on |with )?(all|any|every|each)( of)?( the| your)? ?(answers?|repl(y|ies)|responses?|questions?|requests?|messages?|topics?|cases?|time|chats?|conversations?)?)[.! ]*$`)

// Problems says why a rule must not be approved: the safety of every text of it
// that is injected.
func Problems(r *rules.Rule, domains []string) []check.Problem {
	out := check.Safety(r.Action, domains)
	if r.Scope.AppliesWhen != "" {
		out = append(out, check.Safety(r.Scope.AppliesWhen, domains)...)
	}
	return out
}

// evidenceOf is what the person said, for the inbox.
func evidenceOf(f *store.Feedback, link *store.Link) store.Evidence {
	e := store.Evidence{Feedback: f.ID, User: f.User, Time: f.Time, Quote: cut(f.Comment, maxQuote), When: f.When, Correction: cut(f.Correction, maxQuote)}
	if e.Quote == "" {
		e.Quote = cut(strings.Join(f.Labels, ", "), maxQuote)
	}
	if link != nil {
		e.Exchange, e.Query = link.ExchangeID, cut(link.Query, rules.MaxExampleBytes)
	}
	return e
}

// title is the proposal's one line for people.
func title(kind rules.Kind, r *rules.Rule) string {
	line := r.Text()
	switch {
	case kind == rules.Revise:
		line = "Widen: " + line
	case kind == rules.Supersede:
		line = "In place of another: " + line
	case kind == rules.Merge:
		line = "Make one rule of several: " + line
	case r.Scope.Hard.User != "":
		line = "For one person: " + line
	}
	return oneLine(line, 160)
}

// Limits of what a proposal keeps.
const (
	maxEvidence   = 200  // records listed behind one proposal
	perListed     = 20   // of these from one known person
	maxQuote      = 1000 // bytes of a comment or correction that evidence shows; feedback keeps the whole
	perPerson     = 5    // examples that one person (or the unknown ones: three times as many) gives one rule
	maxExamples   = 64   // match.MaxExamples: more are not read
	maxOpen       = 500  // open proposals of one app; then instructions go to findings
	newestFinding = 50   // evidence that a finding lists
)

// support makes a rule's sources, authors, examples and, where nobody worded it,
// condition from the evidence, oldest first. keep are examples that do not come
// from the evidence: of the version in force, or ticked by an admin.
func support(r *rules.Rule, evidence []store.Evidence, keep []string, known Frequencies) {
	examples := slices.Clone(keep)
	given := map[string]int{}
	counted := map[string]bool{}
	for _, e := range evidence {
		if q := cut(e.Query, rules.MaxExampleBytes); slices.Contains(examples, q) && !counted[q] {
			counted[q] = true
			given[e.User]++
		}
	}
	for _, e := range evidence {
		if !slices.Contains(r.Sources, e.Feedback) {
			r.Sources = append(r.Sources, e.Feedback)
		}
		if e.User != "" && !slices.Contains(r.Authors, e.User) {
			r.Authors = append(r.Authors, e.User)
		}
		limit := perPerson
		if e.User == "" {
			limit = 3 * perPerson
		}
		q := cut(e.Query, rules.MaxExampleBytes)
		if q == "" || given[e.User] >= limit || slices.Contains(examples, q) || slices.Contains(r.Scope.Counterexamples, q) {
			continue
		}
		given[e.User]++
		examples = append(examples, q)
	}
	r.Scope.Examples = examples[:min(len(examples), maxExamples)]
	if derived(r.Scope.AppliesWhen) {
		if t := Topic(r.Scope.Examples, known); t != "" {
			r.Scope.AppliesWhen = t
		}
	}
}
