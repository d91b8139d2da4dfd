package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"

	"heed/store"
)

// faultDeck are the faults of twenty answers of a scripted model (issue 6: 15 % too
// broad, 15 % too narrow, 5 % each malformed, invented and duplicate); the others
// draft what the complaints ask for. It is shuffled and dealt, so that a few answers
// hold every fault.
func faultDeck(rng *rand.Rand) []string {
	deck := []string{"too broad", "too broad", "too broad", "too narrow", "too narrow", "too narrow", "malformed", "invented", "duplicate"}
	for len(deck) < 20 {
		deck = append(deck, "right")
	}
	rng.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	return deck
}

// Marks of what must never reach an approver, in the texts of the drafts.
const (
	malformedMark = "zmalformed"
	inventedMark  = "zinvented"
)

// hints are complaints that hold no instruction, from which a model can tell what
// was missed: %s.
var hints = []string{
	"I had no idea that %s even exists.", "In the end a friend of mine sent me to %s.", "It took me an hour to discover %s by myself.",
	"My colleague knew of %s, I did not.", "%s solved it within a minute.", "Only much later I heard about %s.",
	"So many calls, until somebody put me through to %s.", "A stranger at the station told me of %s, unbelievable.",
}

var desk = regexp.MustCompile(`the \w+ desk`)

// drafter is a model that reads hints and errs in every way that the script knows.
type drafter struct {
	w *world

	mu     sync.Mutex
	rng    *rand.Rand
	deck   []string // what is left of it
	calls  int
	outage bool // was already
	kinds  map[string]int
}

// draft answers one question of the learner.
func (d *drafter) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var in struct{ Messages []struct{ Content string } }
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &in) != nil || len(in.Messages) != 2 {
		http.Error(rw, `{"error":{"message":"not as expected"}}`, http.StatusBadRequest)
		return
	}
	d.calls++
	if d.calls == 2 && !d.outage {
		d.outage = true
		d.kinds["outage"]++
		http.Error(rw, `{"error":{"message":"overloaded"}}`, http.StatusServiceUnavailable)
		return
	}
	var said []struct{ ID, Request, Comment string }
	if json.Unmarshal([]byte(in.Messages[1].Content), &said) != nil {
		http.Error(rw, `{"error":{"message":"not as expected"}}`, http.StatusBadRequest)
		return
	}
	type draft struct {
		Action  string   `json:"action"`
		When    string   `json:"applies_when"`
		Sources []string `json:"sources"`
	}
	var rs []draft
	for _, s := range said {
		thing := desk.FindString(strings.ToLower(s.Comment))
		if thing == "" || len(rs) == 3 {
			continue
		}
		about := strings.NewReplacer("_", " ").Replace(d.w.label[s.Request])
		rs = append(rs, draft{"Mention " + thing + ".", "someone asks about " + about, []string{s.ID}})
	}
	answer := func() string { b, _ := json.Marshal(map[string]any{"rules": rs}); return string(b) }
	kind := d.fault()
	d.kinds[kind]++
	text := answer()
	if len(rs) > 0 {
		switch kind {
		case "too broad":
			rs[0].When = []string{"always", "someone asks a question", "a customer writes a message"}[d.rng.IntN(3)]
			text = answer()
		case "too narrow":
			rs[0].When = []string{"someone asks " + said[0].Request, "the order is 48213077"}[d.rng.IntN(2)]
			text = answer()
		case "malformed":
			rs[0].Action = "Mention the " + malformedMark + " desk."
			text = []string{answer() + "\nDone.", strings.Replace(answer(), `"rules"`, `"rule_list"`, 1), answer()[:len(answer())-4]}[d.rng.IntN(3)]
		case "invented":
			rs[0].Action, rs[0].Sources = "Mention the "+inventedMark+" desk.", []string{store.NewID()}
			text = answer()
		case "duplicate":
			rs = append(rs[:1:1], rs[0])
			text = answer()
		}
	}
	_ = json.NewEncoder(rw).Encode(map[string]any{"id": "chatcmpl-1", "object": "chat.completion", "choices": []any{map[string]any{
		"index": 0, "finish_reason": "stop", "message": map[string]any{"role": "assistant", "content": text}}}})
}

// fault deals what is wrong with the next answer, "right" for nothing.
func (d *drafter) fault() string {
	if len(d.deck) == 0 {
		d.deck = faultDeck(d.rng)
	}
	kind := d.deck[0]
	d.deck = d.deck[1:]
	return kind
}

// faults compares learning from people's words alone with a model that drafts from
// complaints too, and errs. Half of the records are complaints without an
// instruction, which only a model can read.
func (c *learningCommand) faults(b *bench) error {
	var plain, drafted float64
	var malformedSeen, sourceless, models int
	kinds := map[string]int{}
	rng := rand.New(rand.NewPCG(1, 8))
	var deck []string // goes on from seed to seed
	for seed := range c.Seeds {
		without, err := c.hinted(b, uint64(seed), nil)
		if err != nil {
			return fmt.Errorf("seed %d, no model: %w", seed, err)
		}
		d := &drafter{rng: rng, deck: deck, kinds: kinds}
		with, err := c.hinted(b, uint64(seed), d)
		if err != nil {
			return fmt.Errorf("seed %d, with a model: %w", seed, err)
		}
		deck = d.deck
		plain, drafted = plain+without.adherence, drafted+with.adherence
		malformedSeen, sourceless, models = malformedSeen+with.malformed, sourceless+with.sourceless, models+with.models
	}
	n := float64(c.Seeds)
	fmt.Fprintf(b.out, "\ntrack faults (%d topics, a complaint and an instruction each; answers of the model: %v)\n  adherence without a model %.1f %%, with one that errs %.1f %%; %d of its drafts reached the approver, of these malformed or invented %d, without sources %d\n",
		c.Topics, kinds, 100*plain/n, 100*drafted/n, models, malformedSeen, sourceless)
	b.hold("faults: malformed or invented drafts before the approver", float64(malformedSeen), "<=", 0, fmt.Sprintf("of %d drafts", models))
	b.hold("faults: drafts that cite their sources, %", 100*ratio(float64(models-sourceless), float64(models)), ">=", 100, "")
	b.hold("faults: adherence above learning without a model, points", 100*(drafted-plain)/n, ">=", 0, "")
	return nil
}

// modelRun is one run of the faults track.
type modelRun struct {
	adherence                     float64
	malformed, sourceless, models int
}

func (c *learningCommand) hinted(b *bench, seed uint64, d *drafter) (modelRun, error) {
	var wishes []wish
	for i, e := range topicWishes(b.d, c.Topics, seed) {
		wishes = append(wishes, mentionOf(i, e.ID))
	}
	learn := ""
	if d != nil {
		srv := httptest.NewServer(d)
		defer srv.Close()
		learn = fmt.Sprintf("model: {base_url: %q, api_key: sk-scripted, model: scripted}", srv.URL+"/v1")
	}
	w, err := c.newWorld(b, wishes, seed, learn)
	if err != nil {
		return modelRun{}, err
	}
	defer w.stop()
	w.errors = 0 // what is compared is the model's errors
	if d != nil {
		d.w = w
	}
	if err := w.traffic(c.Traffic); err != nil {
		return modelRun{}, err
	}
	for i := range w.wishes {
		if err := w.hint(i); err != nil {
			return modelRun{}, err
		}
	}
	if d != nil {
		if err := w.asked(); err != nil {
			return modelRun{}, err
		}
	}
	out, err := w.drafts()
	if err != nil {
		return modelRun{}, err
	}
	if err := w.decide(); err != nil {
		return modelRun{}, err
	}
	for i := range w.wishes {
		if err := w.record(i); err != nil {
			return modelRun{}, err
		}
	}
	if err := w.decide(); err != nil {
		return modelRun{}, err
	}
	r, err := w.measure(w.systems()[0])
	out.adherence = r.Adherence
	return out, err
}

// hint gives a complaint that holds no instruction.
func (w *world) hint(i int) error {
	e := &w.wishes[i]
	texts := w.d.byLabel[e.ID]
	query := texts[w.rng.IntN(len(texts))]
	a, err := w.askAs(fmt.Sprint("hinter-", i), query)
	if err != nil {
		return err
	}
	text := strings.ReplaceAll(hints[i%len(hints)], "%s", e.Text)
	return w.post(a, saying{topic: e.ID, query: query, comment: strings.ToUpper(text[:1]) + text[1:], wish: e, rating: -1}, "")
}

// asked waits until the model was asked about every finding of complaints.
func (w *world) asked() error {
	if err := w.handled(); err != nil {
		return err
	}
	return until(func() (bool, error) {
		fs, err := list[store.Finding](w.program, "findings", nil)
		for i := range fs {
			if fs[i].Kind == "no_instruction" && fs[i].Asked == 0 {
				return false, err
			}
		}
		return true, err
	})
}

// drafts looks at the model's drafts that wait for the approver.
func (w *world) drafts() (modelRun, error) {
	var out modelRun
	open, err := w.open()
	for i := range open {
		r := open[i].Rule()
		if r == nil || r.Origin != "model" {
			continue
		}
		out.models++
		if strings.Contains(r.Action, malformedMark) || strings.Contains(r.Action, inventedMark) {
			out.malformed++
		}
		if len(r.Sources) == 0 || slices.ContainsFunc(r.Sources, func(id string) bool { return w.saying(id) == nil }) {
			out.sourceless++
		}
	}
	return out, err
}
