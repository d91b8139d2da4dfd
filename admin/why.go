package admin

import (
	"context"
	"errors"
	"reflect"
	"time"

	"heed/rules"
	"heed/store"
)

// why says what Heed did with one exchange, and who wanted it so.
type why struct {
	Exchange string               `json:"exchange"`
	App      string               `json:"app"`
	Time     time.Time            `json:"time"`
	Query    string               `json:"query,omitempty"`
	Head     rules.Head           `json:"ruleset"`
	Target   rules.TargetDecision `json:"target"`
	Rules    []whyRule            `json:"rules"`
	Injected string               `json:"injected"`               // the exact block; "" when none was
	Held     string               `json:"not_injected,omitempty"` // the block that was decided and not sent, or not answered: Observed, Resent
	Observed bool                 `json:"observed,omitempty"`
	Resent   bool                 `json:"resent,omitempty"`
	// Replayed says that deciding again from the row gives the same rules; null
	// when the rule set or its word statistics are gone.
	Replayed *bool `json:"replayed"`
}

// whyRule is one rule that was in scope of an exchange.
type whyRule struct {
	rules.RuleDecision
	Text       string      `json:"text"`
	Words      []whose     `json:"words"`          // the newest maxWords sources
	Fact       *rules.Fact `json:"fact,omitempty"` // who answers for what it asserts, and where that stands
	ValidTo    time.Time   `json:"valid_to,omitzero"`
	ApprovedBy string      `json:"approved_by,omitempty"`
	ApprovedAt *time.Time  `json:"approved_at,omitempty"`
	Reason     string      `json:"reason,omitempty"`
	Followed   *bool       `json:"followed,omitempty"` // by the rule's checks
	Effect     *effect     `json:"effect,omitempty"`
}

// whose is a person's words that a rule rests on.
type whose struct {
	Feedback string    `json:"feedback"`
	Exchange string    `json:"exchange,omitempty"`
	User     string    `json:"user,omitempty"`
	Time     time.Time `json:"time"`
	Quote    string    `json:"quote"`
}

const maxWords = 20

// whyOf explains an exchange.
func (a *Admin) whyOf(ctx context.Context, app, id string) (*why, error) {
	x, err := a.store.Exchange(ctx, app, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("there is no exchange %q in app %s: one is logged about a second after its answer, and kept as long as the configuration says", id, app)
	}
	if err != nil {
		return nil, err
	}
	return a.explain(ctx, x)
}

func (a *Admin) explain(ctx context.Context, x *store.Exchange) (*why, error) {
	w := &why{
		Exchange: x.ID, App: x.App, Time: x.Time, Query: x.Query, Head: x.Head, Target: x.Decision.Target,
		Rules: []whyRule{}, Observed: x.Decision.Observed, Resent: x.Decision.Resent,
	}
	compiled, err := a.compiled(ctx, x.App, x.Head)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if compiled != nil {
		w.Injected = compiled.Render(&x.Decision)
		if w.Injected == "" {
			decided := x.Decision
			decided.Observed, decided.Resent = false, false
			w.Held = compiled.Render(&decided)
		}
		w.Replayed = replayed(compiled, x)
	}
	if len(x.Decision.Rules) == 0 {
		return w, nil
	}
	s, err := a.statsOf(ctx, x.App)
	if err != nil {
		return nil, err
	}
	for _, d := range x.Decision.Rules {
		r := whyRule{RuleDecision: d, Words: []whose{}, Effect: s.Rules[d.ID]}
		for _, c := range x.Checks {
			if c.Rule == d.ID {
				r.Followed = &c.Followed
			}
		}
		if compiled != nil && compiled.Set().Rule(d.ID) != nil {
			if err := a.source(ctx, &r, compiled.Set().Rule(d.ID)); err != nil {
				return nil, err
			}
		}
		w.Rules = append(w.Rules, r)
	}
	return w, nil
}

// compiled makes the set that an exchange named ready to decide again; nil when
// there was none.
func (a *Admin) compiled(ctx context.Context, app string, head rules.Head) (*rules.Compiled, error) {
	if head.Hash == "" {
		return nil, nil
	}
	set, err := a.store.Set(ctx, app, head.Hash)
	if err != nil {
		return nil, err
	}
	stats, err := store.StatsOf(ctx, a.store, set)
	if err != nil {
		return nil, err
	}
	return rules.Compile(set, head, stats)
}

func replayed(c *rules.Compiled, x *store.Exchange) *bool {
	facts := x.Facts
	var buf rules.Buffer
	again := c.Decide(&facts, &buf)
	same := len(again.Rules) == 0 && len(x.Decision.Rules) == 0 || reflect.DeepEqual(again.Rules, x.Decision.Rules)
	return &same
}

// source fills in whose words the rule rests on and who approved it.
func (a *Admin) source(ctx context.Context, w *whyRule, r *rules.Rule) error {
	w.Text, w.ApprovedBy, w.Fact, w.ValidTo = r.Text(), r.ApprovedBy, r.Fact, r.ValidTo
	words, err := a.words(ctx, r)
	if err != nil {
		return err
	}
	w.Words = words
	entry, err := a.approvalOf(ctx, r)
	if entry != nil {
		w.ApprovedAt, w.Reason = &entry.Time, entry.Reason
	}
	return err
}

// words reads what people said that the rule rests on, newest first.
func (a *Admin) words(ctx context.Context, r *rules.Rule) ([]whose, error) {
	out := []whose{}
	for i := len(r.Sources) - 1; i >= 0 && len(out) < maxWords; i-- {
		f, err := a.store.FeedbackByID(ctx, r.App, r.Sources[i])
		if errors.Is(err, store.ErrNotFound) {
			continue // erased since
		}
		if err != nil {
			return nil, err
		}
		quote := f.Comment
		if quote == "" {
			quote = f.Correction
		}
		out = append(out, whose{Feedback: f.ID, Exchange: f.ExchangeID, User: f.User, Time: f.Time, Quote: quote})
	}
	return out, nil
}

// approvalOf finds the audit entry that approved the rule's words, among the newest
// MaxPage entries. What changed its roll-out since, or took sources from it, is none.
func (a *Admin) approvalOf(ctx context.Context, r *rules.Rule) (*store.Audit, error) {
	entries, _, err := a.store.Audits(ctx, store.AuditFilter{App: r.App, Limit: store.MaxPage})
	if err != nil {
		return nil, err
	}
	for i := range entries {
		if entries[i].Head.Epoch == 0 || entries[i].Action != "approve" && entries[i].Action != "add" {
			continue
		}
		for _, op := range entries[i].Ops {
			if op.Rule != nil && op.Rule.ID == r.ID && op.Rule.Version <= r.Version && !op.OfPaused() {
				return &entries[i], nil
			}
		}
	}
	return nil, nil
}
