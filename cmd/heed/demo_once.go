package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"heed/internal/simulate"
	"heed/store"
)

// Sizes of the script.
const (
	oncePeople = 6
	onceWait   = 30 * time.Second // for the learner to handle what was said
)

// checkpoints are the records of feedback after which the admin decides and the
// script measures: those of the curve that Databricks published for agent learning
// from human feedback.
var checkpoints = [...]int{4, 8, 16, 32}

// once is `heed demo --once`: it measures, lets people complain, approves as an
// admin would who sees the API only, and measures again on other questions.
func (d *demo) once(e *env) error {
	p := newScript(d, e.out)
	fmt.Fprintf(e.out, "Heed in front of %s; every call below is real HTTP through the official openai-go SDK.\n\n", d.upstream)
	before, err := p.measure(e.ctx)
	if err != nil {
		return err
	}
	p.curve = append(p.curve, point{figures: before})
	if err := p.traffic(e.ctx); err != nil {
		return err
	}
	for _, records := range checkpoints {
		if err := p.checkpoint(e.ctx, records); err != nil {
			return err
		}
	}
	if p.approved == 0 {
		return errors.New("nothing was learned: no proposal could be approved")
	}
	after := p.curve[len(p.curve)-1].figures
	p.showAnswers(before, after)
	if err := p.showBytes(e.ctx); err != nil {
		return err
	}
	return p.report(before, after)
}

// point is what was measured at a checkpoint.
type point struct {
	records, approved int
	figures
}

// checkpoint lets people judge until there are so many records, the admin decide,
// and measures.
func (p *script) checkpoint(ctx context.Context, records int) error {
	if err := p.feedback(ctx, records); err != nil {
		return err
	}
	if err := p.approve(ctx); err != nil {
		return err
	}
	f, err := p.measure(ctx)
	p.curve = append(p.curve, point{p.records, p.approved, f})
	return err
}

// script is one run of the demo: its questions, and what was seen.
type script struct {
	*demo
	out    io.Writer
	client openai.Client

	unseen, near, far []simulate.Question // measured, never logged
	logged            []simulate.Question // traffic besides the judged questions

	people   []*simulate.Person
	forms    map[simulate.Form]int // records by what they hold
	asked    int                   // training questions asked so far, over and over
	curve    []point
	records  int
	judged   simulate.Question // the first complaint, shown as the example
	said     simulate.Feedback
	proposed int
	approved int
	ticked   int             // examples that the admin marked
	toCard   []time.Duration // feedback acknowledged to proposal visible
	toEffect time.Duration   // approval to the first answer that carries the rule
}

// newScript keeps the questions that are measured apart from those that Heed may
// see beforehand: every second neighbour and unrelated question is traffic.
func newScript(d *demo, out io.Writer) *script {
	p := &script{
		demo: d, out: out, unseen: d.scene.Unseen, forms: map[simulate.Form]int{},
		client: openai.NewClient(option.WithBaseURL(d.stack.gatewayURL+"/v1"), option.WithAPIKey(demoKey)),
	}
	for i, q := range slices.Concat(p.scene.Neighbours, p.scene.Unrelated) {
		switch {
		case i%2 == 0:
			p.logged = append(p.logged, q)
		case q.Topic != "":
			p.near = append(p.near, q)
		default:
			p.far = append(p.far, q)
		}
	}
	return p
}

// answer is what the agent's user saw, and what Heed said about it.
type answer struct {
	text, token, exchange string
	rules                 []string
}

// ask sends one question as the shop's agent does.
func (p *script) ask(ctx context.Context, question string, opts ...option.RequestOption) (answer, error) {
	var raw *http.Response
	c, err := p.client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{
		Model:    demoAlias,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage(p.scene.System), openai.UserMessage(question)},
	}, append(opts, option.WithResponseInto(&raw))...)
	if err != nil {
		return answer{}, fmt.Errorf("ask %q: %w", question, err)
	}
	a := answer{token: raw.Header.Get("Heed-Feedback-Token"), exchange: raw.Header.Get("Heed-Exchange-Id")}
	if len(c.Choices) > 0 {
		a.text = c.Choices[0].Message.Content
	}
	if r := raw.Header.Get("Heed-Rules"); r != "" {
		a.rules = strings.Split(r, ", ")
	}
	return a, nil
}

// figures are one measurement on questions that Heed never saw.
type figures struct {
	met, of     int // expectations met, of those in scope of an unseen question
	near, nears int // requests of neighbouring topics that got any rule
	far, fars   int // unrelated requests that got any rule
	sample      map[string]string
}

// measure asks every kept-back question with logging off.
func (p *script) measure(ctx context.Context) (figures, error) {
	f := figures{nears: len(p.near), fars: len(p.far), sample: map[string]string{}}
	quiet := option.WithHeader("Heed-Log", "off")
	for _, q := range p.unseen {
		a, err := p.ask(ctx, q.Text, quiet)
		if err != nil {
			return f, err
		}
		f.sample[q.Text] = a.text
		for _, e := range p.scene.Expectations {
			if e.Covers(q.Topic) {
				f.of++
				if e.Met(a.text) {
					f.met++
				}
			}
		}
	}
	for _, group := range []struct {
		questions []simulate.Question
		injected  *int
	}{{p.near, &f.near}, {p.far, &f.far}} {
		for _, q := range group.questions {
			a, err := p.ask(ctx, q.Text, quiet)
			if err != nil {
				return f, err
			}
			if len(a.rules) > 0 {
				*group.injected++
			}
		}
	}
	return f, nil
}

// traffic asks what the shop's customers ask anyway: without it a scope has
// nothing to be narrow against.
func (p *script) traffic(ctx context.Context) error {
	for _, q := range p.logged {
		if _, err := p.ask(ctx, q.Text); err != nil {
			return err
		}
	}
	return nil
}

// feedback lets people judge answers to the training questions, over and over, until
// there are so many records that hold more than praise, or nobody complains any more.
func (p *script) feedback(ctx context.Context, records int) error {
	for i := range oncePeople - len(p.people) {
		p.people = append(p.people, simulate.NewPerson(fmt.Sprintf("customer-%d", i+1), uint64(i+1), p.scene.Expectations))
	}
	for ; p.records < records && p.asked < oncePeople*len(p.scene.Train); p.asked++ {
		i, round := p.asked%len(p.scene.Train), p.asked/len(p.scene.Train)
		q, who := p.scene.Train[i], p.people[(i+round)%len(p.people)]
		a, err := p.ask(ctx, q.Text, option.WithHeader("Heed-User", who.Name))
		if err != nil {
			return err
		}
		f, ok := who.Judge(q.Text, a.text)
		if !ok || f.Form == simulate.Praise {
			continue
		}
		p.forms[f.Form]++
		if err := p.say(ctx, q, a, f); err != nil {
			return err
		}
	}
	return p.handled(ctx)
}

// say posts one feedback with the answer's token, as the widget does, and for
// the first instruction waits for its card.
func (p *script) say(ctx context.Context, q simulate.Question, a answer, f simulate.Feedback) error {
	body := map[string]any{"token": a.token, "rating": f.Rating}
	for k, v := range map[string]string{"comment": f.Comment, "applies_when": f.AppliesWhen, "correction": f.Correction} {
		if v != "" {
			body[k] = v
		}
	}
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.stack.gatewayURL+"/heed/feedback", bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		return fmt.Errorf("feedback: status %d: %s", resp.StatusCode, text)
	}
	acknowledged := time.Now()
	p.records++
	if f.Form != simulate.General {
		return nil
	}
	if p.said.Comment == "" {
		p.judged, p.said = q, f
	}
	return p.card(ctx, acknowledged)
}

// card waits for the proposal that an instruction brings, or for the one that it
// joins, and notes how long it took.
func (p *script) card(ctx context.Context, since time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, onceWait)
	defer cancel()
	for seq := uint64(0); ; {
		next, err := p.stack.store.Wait(ctx, seq)
		if err != nil {
			return fmt.Errorf("no card for an instruction: %w", err)
		}
		seq = next
		ps, _, err := p.stack.store.Proposals(ctx, store.ProposalFilter{App: "shop", Limit: store.MaxPage})
		if err != nil {
			return err
		}
		count := 0
		for _, q := range ps {
			count += len(q.Evidence)
		}
		fs, _, err := p.stack.store.Feedback(ctx, store.FeedbackFilter{App: "shop", Limit: 1})
		if err != nil {
			return err
		}
		if len(fs) == 1 && fs[0].Link != nil {
			if count > 0 {
				p.toCard = append(p.toCard, time.Since(since))
			}
			return nil
		}
	}
}

// handled waits until the learner has linked every record.
func (p *script) handled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, onceWait)
	defer cancel()
	for seq := uint64(0); ; {
		next, err := p.stack.store.Wait(ctx, seq)
		if err != nil {
			return fmt.Errorf("the learner did not handle all feedback: %w", err)
		}
		seq = next
		fs, _, err := p.stack.store.Feedback(ctx, store.FeedbackFilter{App: "shop", Limit: store.MaxPage})
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(fs, func(f *store.Feedback) bool { return f.Link == nil }) {
			return nil
		}
	}
}

// approve decides as an admin who sees only what the API shows. In force goes what
// is safe, free of conflicts, touches a minor share of the traffic, and was asked
// for by two people, or by one who said when it applies; the rest waits.
func (p *script) approve(ctx context.Context) error {
	c := p.stack.client()
	q := appQuery("shop")
	q.Set("state", "open")
	var open []store.Proposal
	err := each(ctx, c, "proposals", q, func(pr store.Proposal) error {
		open = append(open, pr)
		return nil
	})
	if err != nil {
		return err
	}
	p.proposed = p.approved + len(open)
	var last time.Time
	for _, pr := range open {
		if r := pr.Rule(); r == nil || len(pr.Problems)+len(pr.Conflicts) > 0 || pr.Touch.Share() > 0.5 || pr.People < 2 && !named(&pr) {
			continue
		}
		if err := p.tick(ctx, c, &pr); err != nil {
			return err
		}
		err := c.call(ctx, http.MethodPost, "proposals/"+pr.ID+"/approve", appQuery("shop"), map[string]any{"digest": pr.Digest()}, nil)
		if err != nil {
			return fmt.Errorf("approve %q: %w", pr.Title, err)
		}
		last = time.Now()
		p.approved++
	}
	if last.IsZero() {
		return nil
	}
	return p.effect(ctx, last)
}

// tick looks at the card's examples as an admin who knows the shop does, and marks
// those that the rule would touch wrongly, or miss: the scope refits at once.
func (p *script) tick(ctx context.Context, c *adminClient, pr *store.Proposal) error {
	topics := map[string]bool{}
	for _, ev := range pr.Evidence {
		topics[simulate.Topic(ev.Query)] = true
	}
	for _, group := range []struct {
		samples []store.Sample
		applies bool
	}{{pr.Touch.Inside, true}, {pr.Touch.Near, false}} {
		for _, s := range group.samples {
			if topics[simulate.Topic(s.Query)] == group.applies || s.Mark != "" {
				continue
			}
			in := map[string]any{"query": s.Query, "applies": !group.applies}
			if err := c.call(ctx, http.MethodPost, "proposals/"+pr.ID+"/ticks", appQuery("shop"), in, nil); err != nil {
				return fmt.Errorf("tick %q: %w", s.Query, err)
			}
			p.ticked++
		}
	}
	return c.call(ctx, http.MethodGet, "proposals/"+pr.ID, appQuery("shop"), nil, pr)
}

// named says whether somebody said when the rule applies; else Heed made its
// condition of the judged questions' topic words.
func named(pr *store.Proposal) bool {
	return !strings.HasPrefix(pr.Rule().Scope.AppliesWhen, "the request is about ")
}

// effect waits until an answer to the judged question names a rule set of the
// last approval.
func (p *script) effect(ctx context.Context, since time.Time) error {
	head, err := p.stack.store.Head(ctx, "shop")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, onceWait)
	defer cancel()
	for {
		var raw *http.Response
		_, err := p.client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{
			Model: demoAlias, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(p.judged.Text)},
		}, option.WithResponseInto(&raw), option.WithHeader("Heed-Log", "off"))
		if err != nil {
			return fmt.Errorf("the gateway did not take over the approved rules: %w", err)
		}
		var epoch uint64
		if _, err := fmt.Sscanf(raw.Header.Get("Heed-Ruleset"), "%d:", &epoch); err == nil && epoch >= uint64(head.Epoch) {
			p.toEffect = time.Since(since)
			return nil
		}
	}
}
