package admin

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"heed/rules"
	"heed/store"
)

// openCards is how many proposals the inbox shows unfolded: what a person can
// decide about with care.
const openCards = 10

// Of the others, of which an app has hundreds at most, the best foldedCards are in
// the page.
const foldedCards = 90

// card is a proposal as a person decides about it.
type card struct {
	*store.Proposal
	Rule     *rules.Rule // nil for routing and retirement
	Before   *rules.Rule // the version in force that Rule replaces
	Gone     []string    // texts of the rules that it takes out of force
	Paused   *rules.Rule // what it retires, and is out of force already
	Narrowed []narrowed  // rules that stay in force and leave requests to this one
	Policy   *rules.Policy
	Kind     string
	Digest   string
	Share    float64
	Stale    bool // its share was measured with other word statistics than those in force
	Decides  bool
	CanAsk   bool
	Back     string // where its forms return to
	Compared []compared
	Mates    []mate     // what it can be merged with
	Kept     url.Values // the editor's fields, when they were refused just now
}

// narrowed is a rule that a proposal takes requests away from.
type narrowed struct {
	Text    string
	Queries []string
}

type inboxPage struct {
	Cards, More, Later []card
	Folded             int // how many proposals wait besides Cards
	Stats              *stats
	InForce            int
	RanOut             []rules.Rule // in force no more, until somebody renews them
	Gateway            string
}

func (a *Admin) pageInbox(c *call) error {
	app, _, err := c.in()
	if err != nil {
		return err
	}
	ctx := c.r.Context()
	var in inboxPage
	waiting, later, err := a.ranked(ctx, app)
	if err != nil {
		return err
	}
	best, more := waiting[:min(openCards, len(waiting))], waiting[min(openCards, len(waiting)):]
	in.Folded = len(more)
	_, set, err := store.Current(ctx, a.store, app)
	if err != nil {
		return err
	}
	cards := func(ps []*store.Proposal) (out []card) {
		for _, p := range ps {
			out = append(out, a.card(c, p, set, "/inbox?app="+app))
		}
		return out
	}
	in.Cards, in.More, in.Later = cards(best), cards(more[:min(foldedCards, len(more))]), cards(later[:min(foldedCards, len(later))])
	proposals, inForce := matesOf(waiting, set)
	for i := range in.Cards { // each has the whole choice: the page of a folded one has it
		in.Cards[i].offer(proposals, inForce)
	}
	if in.Stats, err = a.statsOf(ctx, app); err != nil {
		return err
	}
	in.Gateway = a.opt.PublicGateway
	in.RanOut = ranOut(set, time.Now())
	in.InForce = len(set.Rules) - len(in.RanOut)
	return c.show("inbox", "Inbox", "inbox", app, in)
}

// ranked are the proposals that wait for a person, the best first, and those that are
// snoozed still.
func (a *Admin) ranked(ctx context.Context, app string) (waiting, later []*store.Proposal, err error) {
	if waiting, err = a.proposals(ctx, app, store.Open); err != nil {
		return nil, nil, err
	}
	snoozed, err := a.proposals(ctx, app, store.Snoozed)
	for _, p := range snoozed {
		if p.Until.After(time.Now()) {
			later = append(later, p)
		} else {
			waiting = append(waiting, p)
		}
	}
	slices.SortStableFunc(waiting, store.CompareRank)
	return waiting, later, err
}

// proposals are the newest MaxPage in a state.
func (a *Admin) proposals(ctx context.Context, app string, state store.ProposalState) ([]*store.Proposal, error) {
	ps, _, err := a.store.Proposals(ctx, store.ProposalFilter{App: app, State: state, Limit: store.MaxPage})
	return ps, err
}

var kindNames = map[rules.Kind]string{
	rules.Add: "New rule", rules.Revise: "Reworded rule", rules.Merge: "Merged rules", rules.Supersede: "Replaces a rule",
	rules.Retire: "Retire a rule", rules.Pause: "Pause a rule", rules.Resume: "Paused rule", rules.Route: "Routing",
	rules.Refresh: "Word statistics",
}

func (a *Admin) card(c *call, p *store.Proposal, set *rules.Set, back string) card {
	k := card{Proposal: p, Rule: p.Rule(), Digest: p.Digest(), Share: p.Touch.Share(), Back: back,
		Decides: c.who.Role.May(Approver) && (p.State == store.Open || p.State == store.Snoozed)}
	if form := c.sess.kept("/proposals/" + p.ID + "/edit"); form.Has("action") { // else it was a button's
		k.Kept = form
	}
	k.CanAsk = a.opt.Ask != nil && k.Decides && k.Rule != nil && len(p.Touch.Inside) > 0
	for i, op := range p.Ops {
		if k.Kind == "" {
			k.Kind = kindNames[op.Kind]
		}
		if i > 0 && op.Kind == rules.Revise {
			k.Narrowed = append(k.Narrowed, narrows(op.Rule, set))
		}
		if op.Policy != nil {
			k.Policy = op.Policy
		}
		if op.Kind == rules.Retire {
			k.Paused = op.Rule
		}
		for _, id := range op.IDs {
			if r := set.Rule(id); r != nil {
				k.Gone = append(k.Gone, r.Text())
			}
		}
	}
	if k.Rule != nil {
		mark(k.Touch.Inside, k.Rule)
		mark(k.Touch.Near, k.Rule)
		k.Touch.Inside, k.Touch.Near = unlikeFirst(k.Touch.Inside), unlikeFirst(k.Touch.Near)
		k.Before = set.Rule(k.Rule.ID)
		k.Stale = k.Decides && k.Touch.Of > 0 && k.Touch.Stats != set.Stats
	}
	return k
}

// narrows lists the requests that the revised rule gives up.
func narrows(next *rules.Rule, set *rules.Set) narrowed {
	n := narrowed{Text: next.Text()}
	old := set.Rule(next.ID)
	for _, q := range next.Scope.Counterexamples {
		if old == nil || !slices.Contains(old.Scope.Counterexamples, q) {
			n.Queries = append(n.Queries, q)
		}
	}
	return n
}

// merges says whether the person may merge the card's proposal with another.
func (k *card) merges() bool { return k.Decides && forNewRule(k.Proposal) }

// offer lists what the card's proposal can be merged with, if it can.
func (k *card) offer(proposals, inForce []mate) {
	if !k.merges() {
		return
	}
	for _, m := range slices.Concat(proposals, inForce) {
		if m.ID != k.ID {
			k.Mates = append(k.Mates, m)
		}
	}
}

// unlikeFirst puts samples that differ by more than numbers before those that only
// repeat another, so that the few that show at first tell the most.
func unlikeFirst(samples []store.Sample) []store.Sample {
	var first, rest []store.Sample
	seen := map[string]bool{}
	for _, s := range samples {
		shape := digits.ReplaceAllString(strings.ToLower(s.Query), "#")
		if s.Mark != "" || !seen[shape] {
			first = append(first, s)
		} else {
			rest = append(rest, s)
		}
		seen[shape] = true
	}
	return append(first, rest...)
}

var digits = regexp.MustCompile(`\d+`)

func (a *Admin) pageProposal(c *call) error {
	app, _, err := c.in()
	if err != nil {
		return err
	}
	return a.showProposal(c, app, nil)
}

func (a *Admin) showProposal(c *call, app string, answers []compared) error {
	p, err := a.store.Proposal(c.r.Context(), app, c.id())
	if err != nil {
		return err
	}
	_, set, err := store.Current(c.r.Context(), a.store, app)
	if err != nil {
		return err
	}
	k := a.card(c, p, set, "/proposals/"+p.ID+"?app="+app)
	k.Compared = answers
	if k.merges() {
		open, err := a.proposals(c.r.Context(), app, store.Open)
		if err != nil {
			return err
		}
		k.offer(matesOf(open, set))
	}
	history, _, err := a.store.Audits(c.r.Context(), store.AuditFilter{App: app, Target: p.ID, Limit: 100})
	if err != nil {
		return err
	}
	return c.show("proposal", "Proposal", "inbox", app, map[string]any{"Card": k, "History": history})
}

func (a *Admin) doApprove(c *call) error {
	app, err := c.form()
	if err != nil {
		return err
	}
	in := approval{Digest: c.field("digest"), Reason: c.field("reason")}
	if in.Holdout, err = c.percent("holdout"); err != nil {
		return err
	}
	if in.Ramp, err = c.percent("ramp"); err != nil {
		return err
	}
	if in.Share, err = c.percent("share"); err != nil {
		return err
	}
	head, err := a.approve(c.r.Context(), c.who, app, c.id(), in)
	if err != nil {
		return err
	}
	return c.done("/inbox", "Approved. In force from the next request on, as rule set %d.", head.Epoch)
}

// percent reads a field in percent as a share; nil when it is empty.
func (c *call) percent(name string) (*float64, error) {
	s := c.field(name)
	if s == "" {
		return nil, nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, badRequest(name, fmt.Sprintf("%s is %q: want a number of percent", name, clip(s, 20)))
	}
	v /= 100
	return &v, nil
}

func (a *Admin) doReject(c *call) error {
	app, err := c.form()
	if err != nil {
		return err
	}
	if _, err := a.reject(c.r.Context(), c.who, app, c.id(), c.field("reason")); err != nil {
		return err
	}
	return c.done("/inbox", "Rejected.")
}

func (a *Admin) doSnooze(c *call) error {
	app, err := c.form()
	if err != nil {
		return err
	}
	days, err := strconv.Atoi(c.field("days"))
	if err != nil || days < 1 || days > 365 {
		return badRequest("days", "snooze for 1 to 365 days")
	}
	until := time.Now().Add(time.Duration(days) * 24 * time.Hour)
	if _, err := a.snooze(c.r.Context(), c.who, app, c.id(), until); err != nil {
		return err
	}
	return c.done("/inbox", "Snoozed for %s.", plural(days, "day", "days"))
}

func (a *Admin) doEdit(c *call) error {
	app, err := c.form()
	if err != nil {
		return err
	}
	in, err := c.edits()
	if err != nil {
		return err
	}
	if _, err := a.edit(c.r.Context(), c.who, app, c.id(), in); err != nil {
		return err
	}
	return c.done("/inbox", "Changed. Look at it again, then approve it.")
}

// edits reads the form of a card's editor, or of a button: to let the rule replace
// one that it contradicts, or to widen it from one person to everybody.
func (c *call) edits() (in edits, err error) {
	if in.Digest = c.field("digest"); in.Digest == "" {
		return in, badRequest("digest", "the form does not say what was shown")
	}
	if id := c.field("supersede"); id != "" {
		in.Supersede = &[]string{id}
		return in, nil
	}
	if c.field("widen") != "" {
		in.User = new(string)
		return in, nil
	}
	action, when := c.field("action"), c.field("applies_when")
	always := c.field("always") != ""
	in.Action, in.AppliesWhen, in.Always, in.Fact = &action, &when, &always, c.fact()
	until, err := c.until()
	if err != nil {
		return in, err
	}
	in.ValidTo = &until
	if c.field("everywhere") != "" {
		in.Steps = &[]string{}
	}
	if c.field("everybody") != "" {
		in.User = new(string)
	}
	return in, nil
}

func (a *Admin) doTick(c *call) error {
	app, err := c.form()
	if err != nil {
		return err
	}
	in := tick{Exchange: c.field("exchange"), Query: c.field("query"), Clear: c.field("applies") == ""}
	yes := c.field("applies") == "true"
	in.Applies = &yes
	p, err := a.tickSample(c.r.Context(), c.who, app, c.id(), in)
	if err != nil {
		return err
	}
	return c.done("/inbox", "Scope refitted: it would now touch %d of the last %d.", p.Touch.In, p.Touch.Of)
}

func (a *Admin) doCompare(c *call) error {
	app, err := c.form()
	if err != nil {
		return err
	}
	answers, err := a.compare(c.r.Context(), app, c.id())
	if err != nil {
		return err
	}
	c.w.Header().Set("Cache-Control", "no-store")
	return a.showProposal(c, app, answers)
}
