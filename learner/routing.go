package learner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"heed/rules"
	"heed/store"
)

// Limits of routing proposals. A proposal is shown at 0.95; only at 0.99 may a
// policy of auto move shares by itself, because looking again and again finds a
// winner among equals (reference study: one in three at 0.95, one in ten at 0.99).
const (
	minRatings     = 20   // of each target, before shares are proposed
	showPosterior  = 0.95 // that the target is better than every other
	autoPosterior  = 0.99
	topicFactor    = 2    // a step has its own policy only with so many times more ratings
	explorationMin = 0.05 // share that every target keeps, so that its quality stays known
	moveStep       = 0.5  // of what is left to move goes at once
	leastMove      = 0.01 // a smaller change is not worth a decision
	priorStrength  = 8    // pseudo-ratings of what is known from elsewhere
)

// Move is a change of shares that ratings speak for.
type Move struct {
	Better    string // upstream/model
	Posterior float64
	Shares    []rules.Share
}

// Propose says whether one target is so much better than every other that shares
// should move to it. before are the shares in force, of the targets that the
// configuration allows; prior holds what is believed of each target from
// elsewhere (nil: nothing). Half of what is left to move goes to the better
// target at once, and every target with a share keeps at least 5 %. It is pure.
func Propose(ratings []store.TargetRating, before []rules.Share, prior map[string]Beta, least int) (Move, bool) {
	var beliefs []Beta
	var rated []int // indexes into before
	for i, s := range before {
		var good, bad int
		for _, r := range ratings {
			if r.Upstream == s.Upstream && r.Model == s.Model {
				good, bad = good+r.Good, bad+r.Bad
			}
		}
		if good+bad < least {
			if s.Weight > 0 {
				return Move{}, false // a target in use is not known well enough yet
			}
			continue
		}
		b, ok := prior[s.Upstream+"/"+s.Model]
		if !ok {
			b = Beta{1, 1}
		}
		beliefs, rated = append(beliefs, Posterior(good, bad, b)), append(rated, i)
	}
	if len(beliefs) < 2 {
		return Move{}, false
	}
	best, p := 0, 0.0
	for i := range beliefs {
		if q := Best(beliefs, i); q > p {
			best, p = i, q
		}
	}
	if p < showPosterior {
		return Move{}, false
	}
	to := before[rated[best]]
	shares, moved := shift(before, rated[best])
	return Move{Better: to.Upstream + "/" + to.Model, Posterior: p, Shares: shares}, moved >= leastMove
}

// shift moves moveStep of what the other targets can spare to shares[to]; the
// weights of the result sum to 1. moved is by how much the share of to grew.
func shift(shares []rules.Share, to int) (out []rules.Share, moved float64) {
	var total float64
	for _, s := range shares {
		total += s.Weight
	}
	out = slices.Clone(shares)
	for i := range out {
		out[i].Weight /= total
	}
	start := out[to].Weight
	for i := range out {
		if i == to {
			continue
		}
		give := moveStep * max(0, out[i].Weight-explorationMin)
		if out[i].Weight-give < explorationMin+leastMove {
			give = max(0, out[i].Weight-explorationMin)
		}
		out[i].Weight = round(out[i].Weight - give)
	}
	rest := 1.0
	for i := range out {
		if i != to {
			rest -= out[i].Weight
		}
	}
	out[to].Weight = round(rest)
	return out, out[to].Weight - start
}

func round(x float64) float64 { return math.Round(x*1e4) / 1e4 }

// route looks at the app's ratings and writes at most one open routing proposal
// per alias and topic.
func (l *Learner) route(ctx context.Context, app string) error {
	policy := l.policy(app)
	on := false
	for _, m := range policy.Models {
		on = on || m.Routing == "propose" || m.Routing == "auto"
	}
	if !on {
		return nil
	}
	ratings, err := l.opt.Store.Ratings(ctx, app)
	if err != nil {
		return fmt.Errorf("read ratings: %w", err)
	}
	aliases := make([]string, 0, len(policy.Models))
	for a := range policy.Models {
		aliases = append(aliases, a)
	}
	slices.Sort(aliases)
	for _, alias := range aliases {
		m := policy.Models[alias]
		if m.Routing != "propose" && m.Routing != "auto" || len(m.Targets) < 2 {
			continue
		}
		if err := l.routeAlias(ctx, app, alias, m, ratings, policy.MinRatings); err != nil {
			return err
		}
	}
	return nil
}

// routeAlias looks at one alias: at each step with ratings enough of its own, and
// at all steps together.
func (l *Learner) routeAlias(ctx context.Context, app, alias string, m Alias, all []store.TargetRating, least int) error {
	var ratings []store.TargetRating
	var steps []string
	for _, r := range all {
		if r.Alias != alias {
			continue
		}
		ratings = append(ratings, r)
		if r.Step != "" && !slices.Contains(steps, r.Step) {
			steps = append(steps, r.Step)
		}
	}
	slices.Sort(steps)
	if err := l.routeTopic(ctx, app, alias, "", m, ratings, nil, least); err != nil {
		return err
	}
	if len(steps) < 2 {
		return nil // the alias as a whole is that step
	}
	for _, step := range steps {
		var own, others []store.TargetRating
		for _, r := range ratings {
			if r.Step == step {
				own = append(own, r)
			} else {
				others = append(others, r)
			}
		}
		if err := l.routeTopic(ctx, app, alias, step, m, own, priors(others), topicFactor*least); err != nil {
			return err
		}
	}
	return nil
}

// priors shrinks a step's belief to what is known of the target from the other
// steps: Beta(1+k·g, 1+k·(1-g)), k at most priorStrength (reference study, 3.1).
func priors(others []store.TargetRating) map[string]Beta {
	sum := map[string]store.TargetRating{}
	for _, r := range others {
		t := sum[r.Upstream+"/"+r.Model]
		t.Good, t.Bad = t.Good+r.Good, t.Bad+r.Bad
		sum[r.Upstream+"/"+r.Model] = t
	}
	out := map[string]Beta{}
	for name, t := range sum {
		n := float64(t.Good + t.Bad)
		if n == 0 {
			continue
		}
		k, g := min(n, priorStrength), float64(t.Good)/n
		out[name] = Beta{1 + k*g, 1 + k*(1-g)}
	}
	return out
}

// routeTopic writes, updates or closes the proposal of one alias and topic.
func (l *Learner) routeTopic(ctx context.Context, app, alias, topic string, m Alias, ratings []store.TargetRating, prior map[string]Beta, least int) error {
	s, err := l.load(ctx, app)
	if err != nil {
		return err
	}
	before := sharesInForce(s.set, alias, topic, m.Targets)
	move, ok := Propose(ratings, before, prior, least)
	if topic != "" && ok { // only where the step differs from the alias as a whole
		general := sharesInForce(s.set, alias, "", m.Targets)
		ok = !slices.Equal(general, move.Shares)
	}
	var open *store.Proposal
	for _, p := range s.open {
		if p.Routing != nil && p.Routing.Alias == alias && p.Routing.Topic == topic {
			open = p
		}
	}
	if !ok {
		return l.closeRoute(ctx, s, open)
	}
	if open == nil {
		if again, err := l.worthAsking(ctx, app, alias, topic, ratings, least); err != nil || !again {
			return err
		}
		open = &store.Proposal{ID: store.NewID(), State: store.Open, Evidence: []store.Evidence{}}
	}
	next := cloneProposal(open)
	next.Ops = []rules.Operation{{Kind: rules.Route, Policy: &rules.Policy{Alias: alias, Topic: topic, Shares: move.Shares}}}
	next.Routing = &store.RoutingCase{Alias: alias, Topic: topic, Better: move.Better, Posterior: round(move.Posterior), Ratings: byTarget(ratings), Before: before}
	next.Title = routeTitle(next.Routing, move, before)
	if open.Routing != nil && next.Digest() == open.Digest() && next.Routing.Posterior == open.Routing.Posterior && slices.Equal(next.Routing.Ratings, open.Routing.Ratings) {
		return nil
	}
	s.put(next)
	if err := l.opt.Store.Commit(ctx, s.changes()); err != nil {
		if errors.Is(err, store.ErrConflict) {
			l.app(app).rated = true // somebody decided on it: look again
			return nil
		}
		return err
	}
	if m.Routing == "auto" && move.Posterior >= autoPosterior && next.State == store.Open {
		_, err := store.Approve(ctx, l.opt.Store, store.Approval{App: app, Proposal: next.ID, Digest: next.Digest(), Actor: "auto", Now: l.now(), Lease: s.lease,
			Reason: fmt.Sprintf("better with probability %.3f, and models.%s.routing is auto", move.Posterior, alias)})
		return err
	}
	return nil
}

// closeRoute expires a proposal that newer ratings no longer speak for.
func (l *Learner) closeRoute(ctx context.Context, s *state, open *store.Proposal) error {
	if open == nil {
		return nil
	}
	next := cloneProposal(open)
	next.State, next.DecidedBy, next.DecidedAt, next.Reason = store.Expired, "learner", s.now, "newer ratings no longer speak for it"
	s.put(next)
	if err := l.opt.Store.Commit(ctx, s.changes()); err != nil && !errors.Is(err, store.ErrConflict) {
		return err
	}
	return nil
}

// worthAsking says whether enough ratings came since a person last decided about
// the alias and topic: least more after an approval, twice as many after a
// rejection.
func (l *Learner) worthAsking(ctx context.Context, app, alias, topic string, ratings []store.TargetRating, least int) (bool, error) {
	now := 0
	for _, r := range ratings {
		now += r.Good + r.Bad
	}
	for state, more := range map[store.ProposalState]int{store.Approved: least, store.Rejected: 2 * least} {
		ps, _, err := l.opt.Store.Proposals(ctx, store.ProposalFilter{App: app, State: state, Limit: store.MaxPage})
		if err != nil {
			return false, fmt.Errorf("read decided proposals: %w", err)
		}
		for _, p := range ps {
			if p.Routing == nil || p.Routing.Alias != alias || p.Routing.Topic != topic {
				continue
			}
			then := 0
			for _, r := range p.Routing.Ratings {
				then += r.Good + r.Bad
			}
			if now < then+more {
				return false, nil
			}
		}
	}
	return true, nil
}

// sharesInForce are the shares of the targets that the configuration allows: as
// the policy in force has them, else as the configuration starts.
func sharesInForce(set *rules.Set, alias, topic string, allowed []rules.Share) []rules.Share {
	p := set.Policy(alias, topic)
	if p == nil {
		return slices.Clone(allowed)
	}
	var out []rules.Share
	var total float64
	for _, t := range allowed {
		s := rules.Share{Upstream: t.Upstream, Model: t.Model}
		for _, o := range p.Shares {
			if o.Upstream == t.Upstream && o.Model == t.Model {
				s.Weight = o.Weight
			}
		}
		total += s.Weight
		out = append(out, s)
	}
	if total <= 0 {
		return slices.Clone(allowed)
	}
	return out
}

// byTarget sums the ratings of a topic per target.
func byTarget(ratings []store.TargetRating) []store.TargetRating {
	var out []store.TargetRating
	for _, r := range ratings {
		i := slices.IndexFunc(out, func(o store.TargetRating) bool { return o.Upstream == r.Upstream && o.Model == r.Model })
		if i < 0 {
			r.Step = ""
			out = append(out, r)
			continue
		}
		out[i].Good += r.Good
		out[i].Bad += r.Bad
	}
	slices.SortFunc(out, func(a, b store.TargetRating) int {
		return cmp.Or(cmp.Compare(a.Upstream, b.Upstream), cmp.Compare(a.Model, b.Model))
	})
	return out
}

// routeTitle is the proposal's one line for people.
func routeTitle(c *store.RoutingCase, m Move, before []rules.Share) string {
	var total, was, will float64
	for i, s := range before {
		total += s.Weight
		if s.Upstream+"/"+s.Model == m.Better {
			was, will = s.Weight, m.Shares[i].Weight
		}
	}
	where := c.Alias
	if c.Topic != "" {
		where += " (step " + c.Topic + ")"
	}
	return oneLine(fmt.Sprintf("Route %s: %s from %.0f %% to %.0f %%", where, m.Better, 100*was/total, 100*will), 160)
}
