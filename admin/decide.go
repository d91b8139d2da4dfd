package admin

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"heed/rules"
	"heed/rules/check"
	"heed/store"
)

// maxTries bounds how often a change starts again when somebody else changed the
// same thing at the same moment.
const maxTries = 5

// approval is an admin's yes. Digest or Version says what was shown.
type approval struct {
	Digest  string   `json:"digest"`
	Version int      `json:"version"`
	Share   *float64 `json:"share"`   // of the logged requests, as it was shown; nil: it did not matter
	Holdout *float64 `json:"holdout"` // share of units that never get the rule, [0, 0.5]
	Ramp    *float64 `json:"ramp"`    // start as a canary for this share of the others, (0, 1]
	Reason  string   `json:"reason"`
}

// approve puts a proposal in force.
func (a *Admin) approve(ctx context.Context, who person, app, id string, in approval) (rules.Head, error) {
	if err := in.validate(); err != nil {
		return rules.Head{}, err
	}
	p, err := a.store.Proposal(ctx, app, id)
	if err != nil {
		return rules.Head{}, err
	}
	switch {
	case p.State != store.Open && p.State != store.Snoozed:
		return rules.Head{}, decided(p)
	case in.Digest == "" && in.Version == 0:
		return rules.Head{}, badRequest("digest", "say what you were shown: the proposal's digest, or its version")
	case in.Digest == "" && in.Version == p.Version:
		in.Digest = p.Digest()
	}
	if in.Digest != p.Digest() || in.Version != 0 && in.Version != p.Version {
		return rules.Head{}, store.ErrStale
	}
	if err := a.fits(ctx, who, p); err != nil {
		return rules.Head{}, err
	}
	if in.Share != nil {
		if err := a.touchesAsShown(ctx, p, *in.Share); err != nil {
			return rules.Head{}, err
		}
	}
	return store.Approve(ctx, a.store, store.Approval{
		App: app, Proposal: id, Digest: in.Digest, Actor: who.Name, Reason: in.Reason, Now: time.Now().UTC(),
		Adjust: func(r *rules.Rule) {
			if in.Holdout != nil {
				r.Holdout = *in.Holdout
			}
			if in.Ramp != nil && *in.Ramp < 1 {
				r.State, r.Ramp = rules.Canary, *in.Ramp
			}
		},
	})
}

// How far what a proposal touches may be from what was shown: by so much, or by so
// much of what was shown. Traffic grows while people read.
const (
	shareApart   = 0.02
	shareApartOf = 0.25
)

// touchesAsShown refuses an approval of a proposal that would by now touch much
// more or less of the traffic than the person was shown, and puts the new figures on
// its card.
func (a *Admin) touchesAsShown(ctx context.Context, p *store.Proposal, shown float64) error {
	if p.Rule() == nil {
		return nil // nobody was shown a share
	}
	was, title := p.Touch, p.Title
	if err := a.remeasure(ctx, p); err != nil {
		return err
	}
	if math.Abs(p.Touch.Share()-shown) <= max(shareApart, shareApartOf*shown) {
		return nil
	}
	if was.In != p.Touch.In || was.Of != p.Touch.Of || was.Stats != p.Touch.Stats {
		p.Version, p.Title = p.Version+1, title
		if err := a.store.Commit(ctx, store.Changes{App: p.App, Proposals: []*store.Proposal{p}}); err != nil && !errors.Is(err, store.ErrConflict) {
			return err // on a conflict the card is newer still
		}
	}
	return conflict("share", fmt.Sprintf("it would now touch %s of the last %s requests, not %s as you were shown: the word statistics, the rules in force or the traffic changed. Look at it again", pct(p.Touch.Share()), count(p.Touch.Of), pct(shown)))
}

func (in *approval) validate() error {
	if in.Holdout != nil && !(*in.Holdout >= 0 && *in.Holdout <= 0.5) {
		return badRequest("holdout", "holdout: want a share between 0 and 0.5")
	}
	if in.Ramp != nil && !(*in.Ramp > 0 && *in.Ramp <= 1) {
		return badRequest("ramp", "ramp: want a share above 0, up to 1")
	}
	return nil
}

func decided(p *store.Proposal) error {
	message := fmt.Sprintf("the proposal is %s already", p.State)
	if p.DecidedBy != "" {
		message += ", by " + p.DecidedBy
	}
	return conflict("decided", message)
}

// fits refuses what must not be approved as it stands: unsafe texts, operations
// that the rules in force moved away from, and, with FourEyes, one's own words.
func (a *Admin) fits(ctx context.Context, who person, p *store.Proposal) error {
	problems := slices.Clone(p.Problems)
	for _, op := range p.Ops {
		if op.Rule == nil || op.Kind == rules.Retire {
			continue // it puts no words in force
		}
		problems = append(problems, a.unsafe(op.Rule)...)
		if a.opt.FourEyes && slices.Contains(op.Rule.Authors, who.Name) {
			return &Error{Status: http.StatusForbidden, Code: "own_words", Message: "you wrote this: somebody else must approve it"}
		}
	}
	if len(problems) > 0 {
		e := errUnsafe(problems)
		e.Status, e.Message = http.StatusConflict, e.Message+"; edit the proposal first"
		return e
	}
	for _, op := range p.Ops {
		if op.Rule == nil || op.OfPaused() {
			continue // it was approved before
		}
		if e := unproven(op.Rule, time.Now()); e != nil {
			e.Status, e.Message = http.StatusConflict, e.Message+"; edit the proposal first"
			return e
		}
	}
	_, set, err := store.Current(ctx, a.store, p.App)
	if err != nil {
		return err
	}
	if _, err := rules.Apply(set, p.Ops); err != nil {
		return conflict("does_not_fit", "the rules in force changed so that the proposal does not fit any more ("+err.Error()+"): edit or reject it")
	}
	return a.overtaken(ctx, p, set)
}

// overtaken refuses a proposal that contradicts another which came in force since: the
// card showed two that wait, and both in force would be nobody's decision. The learner
// puts on the card within a second what is to become of the rule.
func (a *Admin) overtaken(ctx context.Context, p *store.Proposal, set *rules.Set) error {
	for _, c := range p.Conflicts {
		if c.Proposal == "" {
			continue
		}
		other, err := a.store.Proposal(ctx, p.App, c.Proposal)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if r := other.Rule(); other.State == store.Approved && r != nil && set.Rule(r.ID) != nil {
			return conflict("contradicts", fmt.Sprintf("what it contradicts came in force meanwhile, by %s: %q. Look at it again in a moment", other.DecidedBy, clip(r.Action, 100)))
		}
	}
	return nil
}

// unsafe says why the rule's texts must not become a rule, nil if they may.
func (a *Admin) unsafe(r *rules.Rule) []check.Problem {
	domains := a.app(r.App).Domains
	out := check.Safety(r.Action, domains)
	if r.Scope.AppliesWhen != "" {
		out = append(out, check.Safety(r.Scope.AppliesWhen, domains)...)
	}
	return out
}

func errUnsafe(problems []check.Problem) *Error {
	var parts []string
	for _, p := range problems {
		s := p.Message
		if p.Span != "" {
			s += fmt.Sprintf(" (%q)", p.Span)
		}
		if !slices.Contains(parts, s) {
			parts = append(parts, s)
		}
	}
	return &Error{Status: http.StatusUnprocessableEntity, Code: "unsafe", Param: "action",
		Message: "this text must not become a rule: it " + strings.Join(parts, "; it ")}
}

// shownAs says which state of a proposal a person saw; zero fields say nothing.
type shownAs struct {
	version int
	digest  string
}

// change reads a proposal that is still to be decided, lets do change it, and
// commits it with the audit entry; it starts again when somebody was faster.
func (a *Admin) change(ctx context.Context, app, id string, shown shownAs, do func(*store.Proposal) (store.Audit, error)) (*store.Proposal, error) {
	for try := 0; ; try++ {
		p, err := a.store.Proposal(ctx, app, id)
		if err != nil {
			return nil, err
		}
		if p.State != store.Open && p.State != store.Snoozed {
			return nil, decided(p)
		}
		if shown.version != 0 && shown.version != p.Version || shown.digest != "" && shown.digest != p.Digest() {
			return nil, store.ErrStale
		}
		audit, err := do(p)
		if err != nil {
			return nil, err
		}
		p.Version++
		p.Updated = audit.Time
		audit.App, audit.Target = app, id
		err = a.store.Commit(ctx, store.Changes{App: app, Proposals: []*store.Proposal{p}, Audits: []store.Audit{audit}})
		if err == nil {
			return p, nil
		}
		if !errors.Is(err, store.ErrConflict) || try == maxTries {
			return nil, err
		}
	}
}

func (a *Admin) reject(ctx context.Context, who person, app, id, reason string) (*store.Proposal, error) {
	if len(reason) > store.MaxTextBytes {
		return nil, badRequest("reason", "reason: at most 4 KiB")
	}
	return a.change(ctx, app, id, shownAs{}, func(p *store.Proposal) (store.Audit, error) {
		now := time.Now().UTC()
		p.State, p.DecidedBy, p.DecidedAt, p.Reason = store.Rejected, who.Name, now, reason
		return store.Audit{Time: now, Actor: who.Name, Action: "reject", Reason: reason}, nil
	})
}

// maxSnooze is how far away a snoozed proposal may come back.
const maxSnooze = 366 * 24 * time.Hour

func (a *Admin) snooze(ctx context.Context, who person, app, id string, until time.Time) (*store.Proposal, error) {
	now := time.Now().UTC()
	if !until.After(now) || until.Sub(now) > maxSnooze {
		return nil, badRequest("until", "until: want a time in the future, at most a year away")
	}
	return a.change(ctx, app, id, shownAs{}, func(p *store.Proposal) (store.Audit, error) {
		p.State, p.Until = store.Snoozed, until.UTC()
		return store.Audit{Time: now, Actor: who.Name, Action: "snooze", Reason: "until " + until.UTC().Format(time.RFC3339)}, nil
	})
}
