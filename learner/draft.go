package learner

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"heed/rules"
	"heed/rules/check"
	"heed/store"
)

// modelMaxTouch is the share of traffic from which a drafted scope is too broad.
const modelMaxTouch = 0.5

// Vet says why a draft must not become a proposal, "" when it may: it cites no
// source or one that was not given, is too long, applies to everything or to one
// case, quotes a person's request, claims a fact, holds numbers of its own, or is unsafe. It is pure. Nobody stands behind a model's words, so what a
// person's text would be flagged for is refused here.
func Vet(d Draft, said []Said, domains []string) string {
	action, when := strings.TrimSpace(d.Action), strings.TrimSpace(d.When)
	switch {
	case action == "" || utf8.RuneCountInString(action) > rules.MaxActionRunes || strings.ContainsAny(action, "\r\n"):
		return "the action is empty, too long or of several lines"
	case when == "" || utf8.RuneCountInString(when) > rules.MaxAppliesWhenRunes || strings.ContainsAny(when, "\r\n"):
		return "the condition is empty, too long or of several lines"
	case everywhere.MatchString(when) || anything(when):
		return "the condition holds for everything"
	case number.MatchString(when):
		return "the condition names one case"
	case len(d.Sources) == 0:
		return "it cites no source"
	case check.Claims(action):
		return "it claims a fact"
	case len(check.Safety(action, domains))+len(check.Safety(when, domains)) > 0:
		return "it is unsafe"
	}
	for _, id := range d.Sources {
		if !slices.ContainsFunc(said, func(s Said) bool { return s.ID == id }) {
			return "it cites a source that does not exist"
		}
	}
	for _, n := range number.FindAllString(action, -1) {
		if !slices.ContainsFunc(said, func(s Said) bool { return strings.Contains(s.Comment+" "+s.Correction, n) }) {
			return "it holds a number that nobody asked for"
		}
	}
	for _, s := range said {
		if quotes(when, s.Request, quoteWords) || quotes(action, s.Request, quoteWords) {
			return "it quotes a person's request"
		}
	}
	return ""
}

// anything says whether a condition names nothing that a request could lack.
func anything(when string) bool {
	return !slices.ContainsFunc(contentWords(when), func(w string) bool { return !anyRequest[w] && !anyRequest[stemOf(w)] })
}

var (
	anyRequest = set("answer answers assistant chat client complain complaint contact conversation customer customers feedback guest help information input inquiry issue message messages people person prompt query reason receive reply request requests respond response send sends sent speak start statement talk talks text topic turn user users visitor write writes wrote subject matter happen interact")
	number     = regexp.MustCompile(`\d{4,}`)
)

// drafted makes proposals of what passes, and notes in the finding what it was
// asked about; anew when somebody changed one of them meanwhile.
func (l *Learner) drafted(ctx context.Context, a consultation) error {
	for try := 1; ; try++ {
		s, err := l.load(ctx, a.app)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(s.findings, func(f *store.Finding) bool { return f.ID == a.finding })
		if i < 0 || s.findings[i].Asked >= max(a.count, 1) {
			return nil // it is gone, or another learner was first
		}
		s.lease = a.lease
		next := *s.findings[i]
		if err := l.proposeDrafts(ctx, s, a, &next); err != nil {
			return err
		}
		next.Asked = min(a.count, next.Count)
		since := next.Updated
		s.file(&next)
		next.Updated = since // people sort by what was said
		err = l.opt.Store.Commit(ctx, s.changes())
		if errors.Is(err, store.ErrFenced) {
			return nil // another learner leads, or somebody whose words were sent was erased: it is asked about anew
		}
		if !errors.Is(err, store.ErrConflict) || try == maxCommits {
			return err
		}
	}
}

// proposeDrafts makes proposals of the drafts that pass and the newest one's action
// the finding's suggestion.
func (l *Learner) proposeDrafts(ctx context.Context, s *state, a consultation, f *store.Finding) error {
	if len(a.drafts) == 0 {
		return nil
	}
	rejected, _, err := l.opt.Store.Proposals(ctx, store.ProposalFilter{App: s.app, State: store.Rejected, Limit: rejectedKept})
	if err != nil {
		return fmt.Errorf("read rejected proposals: %w", err)
	}
	before := slices.Clone(s.open)
	for _, d := range a.drafts {
		why := Vet(d, a.said, s.policy.Domains)
		if why == "" {
			if why, err = l.proposeDraft(ctx, s, f, d, rejected, before); err != nil {
				return err
			}
		}
		if why != "" {
			l.metrics.modelRefused.Inc()
			l.opt.Log.Info("learner: draft refused", "app", a.app, "finding", a.finding, "reason", why)
			continue
		}
		f.Suggest = oneLine(d.Action, rules.MaxActionRunes)
	}
	return nil
}

// proposeDraft makes a proposal of a draft, or says why not. Nobody stands behind
// its words, so it gives way to whatever there is already: rules in force,
// proposals, earlier drafts of the same complaints, and a person's rejection.
func (l *Learner) proposeDraft(ctx context.Context, s *state, f *store.Finding, d Draft, rejected, before []*store.Proposal) (string, error) {
	var behind []store.Evidence
	for _, e := range slices.Backward(f.Evidence) { // oldest first
		if slices.Contains(d.Sources, e.Feedback) {
			behind = append(behind, e)
		}
	}
	if len(behind) == 0 {
		return "its sources were taken back", nil
	}
	if len(s.open) >= maxOpen {
		return fmt.Sprintf("%d proposals are open", len(s.open)), nil
	}
	if slices.ContainsFunc(before, func(p *store.Proposal) bool { return draftOf(p, behind) }) {
		return "a draft of the same complaints is open", nil
	}
	r := s.draftedRule(d, f, behind)
	if behind = sinceRejected(r, behind, s, rejected); len(behind) == 0 {
		return "a person rejected it", nil
	}
	r.Sources = nil
	support(r, behind, nil, s.known)
	if s.inForce(r) != nil || s.like(r, s.open) != nil {
		return "it is known already", nil
	}
	if len(Problems(r, s.policy.Domains)) > 0 {
		return "it is unsafe", nil
	}
	if slices.ContainsFunc(Conflicting(r, s.set, nil, "", s.stats), func(c store.Conflict) bool { return c.Rule != "" }) {
		return "it contradicts a rule in force", nil
	}
	p := &store.Proposal{ID: store.NewID(), State: store.Open, Evidence: behind, People: store.People(behind), Ops: []rules.Operation{{Kind: rules.Add, Rule: r}}}
	t, err := l.touch(ctx, s, p.Ops)
	if err != nil {
		return "", err
	}
	if t.Of >= leastTouch && t.Share() > modelMaxTouch {
		return fmt.Sprintf("it would touch %.0f %% of the traffic", 100*t.Share()), nil
	}
	if err := l.finish(ctx, s, p); err != nil {
		return "", err
	}
	p.Title = oneLine("Drafted by a model: "+p.Title, 160)
	return "", nil
}

func (s *state) draftedRule(d Draft, f *store.Finding, behind []store.Evidence) *rules.Rule {
	r := &rules.Rule{ID: rules.NewID(), Version: 1, App: s.app, State: rules.Active, Origin: "model", Holdout: s.policy.Holdout,
		Action: oneLine(d.Action, rules.MaxActionRunes), Checks: check.Compile(d.Action)}
	r.Scope.AppliesWhen = condition(d.When, "", s.known)
	if f.Step != "" {
		r.Scope.Hard.Steps = []string{f.Step}
	}
	support(r, behind, nil, s.known)
	return r
}

// draftOf says whether a model drafted the proposal of any of these complaints.
func draftOf(p *store.Proposal, behind []store.Evidence) bool {
	r := p.Rule()
	return r != nil && r.Origin == "model" && slices.ContainsFunc(p.Evidence, func(e store.Evidence) bool {
		return slices.ContainsFunc(behind, func(o store.Evidence) bool { return o.Feedback == e.Feedback })
	})
}

// sinceRejected is what is left of the evidence after rejections: complaints whose
// draft was rejected do not bring another, whatever its words; and what was
// rejected comes back only when enough people complained after it (askAgain,
// askAgainUnknown).
func sinceRejected(r *rules.Rule, behind []store.Evidence, s *state, rejected []*store.Proposal) []store.Evidence {
	for _, p := range rejected {
		if o := p.Rule(); o != nil && o.Origin == "model" {
			behind = slices.DeleteFunc(behind, func(e store.Evidence) bool {
				return slices.ContainsFunc(p.Evidence, func(o store.Evidence) bool { return o.Feedback == e.Feedback })
			})
		}
	}
	p := s.like(r, rejected)
	if p == nil || len(behind) == 0 {
		return behind
	}
	since := slices.DeleteFunc(behind, func(e store.Evidence) bool { return !e.Time.After(p.DecidedAt) })
	if store.People(since) >= askAgain || len(since) >= askAgainUnknown {
		return since
	}
	return nil
}
