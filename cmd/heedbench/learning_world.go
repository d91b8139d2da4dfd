package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"heed/internal/simulate"
)

// wish is a hidden expectation and how people name what it is for.
type wish struct {
	simulate.Expectation
	about string // "" is everything
}

// covers says whether the wish concerns requests of a topic; "" is the topic of
// requests out of scope.
func (e *wish) covers(label string) bool { return e.Topics == nil || slices.Contains(e.Topics, label) }

// substance says whether the wish is for a piece of the company's knowledge that the
// model lacks: a request that it covers is not solved without it. A wish for how an
// answer begins or ends is one of form, and so is one for every answer, since no
// single piece is what all requests lack.
func (e *wish) substance() bool { return e.Topics != nil && e.Kind == simulate.Mention }

// demands are hidden expectations that the model's bare answers do not meet.
func demands(i int) simulate.Expectation {
	words := []string{"amber", "birch", "cobalt", "dune", "ember", "fjord", "garnet", "heath", "indigo", "juniper", "kelp", "lagoon", "maple", "nettle", "onyx", "poppy",
		"quartz", "rowan", "saffron", "thistle", "umber", "violet", "willow", "yarrow", "zephyr", "acorn", "basalt", "clover", "delta", "elder", "fern", "glade"}
	word := words[i%len(words)]
	switch i % 4 {
	case 1:
		return simulate.Expectation{Kind: simulate.End, Text: "the " + word + " team"}
	case 2:
		return simulate.Expectation{Kind: simulate.Begin, Text: "About " + word}
	}
	return simulate.Expectation{Kind: simulate.Mention, Text: "the " + word + " desk", Contains: []string{word + " desk"}}
}

// mention is the i-th of the demands that are to mention something: any number of
// them can be met by one answer.
func mention(i int) simulate.Expectation { return demands(4*(i/2) + 3*(i%2)) }

// topicWishes are one wish for each of n topics.
func topicWishes(d *dataset, n int, seed uint64) []wish {
	rng := rand.New(rand.NewPCG(seed, 6))
	var out []wish
	for i, j := range rng.Perm(len(d.labels))[:n] {
		out = append(out, topicWish(demands(i), d.labels[j]))
	}
	return out
}

func topicWish(e simulate.Expectation, topic string) wish {
	e.ID, e.Topics = topic, []string{topic}
	return wish{e, strings.NewReplacer("_", " ", "-", " ", ".", " ").Replace(topic)}
}

// mixedWishes are two for everything, four for a domain, ten for a topic
// (learning.md section 6, track C). Without domains there are none for those.
func mixedWishes(d *dataset, domains map[string][]string, seed uint64) []wish {
	rng := rand.New(rand.NewPCG(seed, 9))
	var out []wish
	for i := range 2 {
		e := mention(i)
		e.ID = fmt.Sprint("everything ", i)
		out = append(out, wish{e, ""})
	}
	names := make([]string, 0, len(domains))
	for name := range domains {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, j := range rng.Perm(len(names))[:min(4, len(names))] {
		e := mention(i + 2)
		e.ID, e.Topics = names[j], domains[names[j]]
		out = append(out, wish{e, names[j]})
	}
	for i, j := range rng.Perm(len(d.labels))[:10] {
		out = append(out, topicWish(mention(i+6), d.labels[j]))
	}
	return out
}

// readDomains reads the topics of each domain; no file is no domains.
func readDomains(path string) (map[string][]string, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out map[string][]string
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	return out, nil
}

// world is one seed's deployment: its topics, its people's wishes, the running
// program and the model behind it.
type world struct {
	*program
	d   *dataset
	rng *rand.Rand

	decisions *rand.Rand // the approver's mistakes in them
	ticking   *rand.Rand // and in ticks: apart, so that a tick more does not draw other decisions
	wrongAt   int        // which decision of the next ten is wrong

	named  bool
	ticks  string
	errors float64
	modelS func()

	wishes  []wish
	label   map[string]string // of every text, the truth
	inScope []labelled
	near    []labelled
	far     []labelled
	bare    map[string]bool // measured texts that the model solves without learning
	said    []saying        // what people said so far
	people  []*simulate.Person
	late    []late // said, but not posted yet

	decided, ticked int
	meant           map[string]*wish // by rule id, what its first source asked for; nil: nobody's wish
	conditions      *conditions
}

// saying is one record of feedback, and what is meant by it: nil where it is a
// mistake or one person's taste.
type saying struct {
	id, topic, query, comment, when string
	wish                            *wish
	personal                        bool
	rating                          float64
}

// baseSkill is the share of requests that the model solves where nothing of the
// company's own is asked for. The draw is the request's own: the same request fails
// with and without rules, unless a rule changes it.
const baseSkill = 0.8

// maxInScope bounds the kept-back questions in scope that are measured.
const maxInScope = 600

// newWorld starts a program; learn is the learner's section of its configuration.
func (c *learningCommand) newWorld(b *bench, wishes []wish, seed uint64, learn string) (*world, error) {
	w := &world{
		d: b.d, rng: rand.New(rand.NewPCG(seed, 6)), decisions: rand.New(rand.NewPCG(seed, 7)), ticking: rand.New(rand.NewPCG(seed, 8)), named: c.Comments == "named", ticks: c.Ticks, errors: c.ErrorShare,
		wishes: wishes, label: map[string]string{}, meant: map[string]*wish{}, conditions: newConditions(),
	}
	for _, l := range append(append([]labelled{}, b.d.train...), b.d.test...) {
		w.label[l.text] = l.label
	}
	var others []labelled
	for _, l := range b.d.test {
		if slices.ContainsFunc(wishes, func(e wish) bool { return e.Topics != nil && e.covers(l.label) }) {
			w.inScope = append(w.inScope, l)
		} else {
			others = append(others, l)
		}
	}
	w.inScope = w.pick(w.inScope, maxInScope)
	w.near = w.pick(others, c.Near)
	for _, g := range b.d.groups {
		for _, t := range g.texts {
			w.far = append(w.far, labelled{"", t})
		}
	}
	w.far = w.pick(w.far, c.Far)
	model := simulate.NewModel(simulate.Options{
		Seed: seed, Skill: baseSkill, OverApply: c.OverApply, Cap: c.Cap, Fits: func(condition, question string) bool { return w.conditions.fit(condition, w.label[question]) },
	})
	url, stop, err := simulate.Listen("127.0.0.1:0", model)
	if err != nil {
		return nil, err
	}
	w.modelS = stop
	upstream := strings.TrimSuffix(url, "/v1") + "/v1"
	if w.program, err = startProgram(b.bin, upstream, learn); err != nil {
		stop()
		return nil, err
	}
	w.direct = upstream
	return w, nil
}

func (w *world) pick(from []labelled, n int) []labelled {
	w.rng.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
	return from[:min(n, len(from))]
}

func (w *world) stop() {
	w.program.stop()
	w.modelS()
}

// traffic sends unlabelled requests of all topics, as any day brings them.
func (w *world) traffic(n int) error {
	lines := w.pick(append([]labelled{}, w.d.train...), n)
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = l.text
	}
	return w.send(texts)
}

// comment is how a person puts the demand: one of its usual wordings, and when
// it applies, where the track lets people say that.
func (w *world) comment(e *wish, n int) (comment, when string) {
	ds := e.Demands()
	comment = ds[n%len(ds)]
	switch {
	case !w.named:
	case e.about == "":
		when = []string{"always", "in every answer", "for all questions"}[n%3]
	default:
		when = []string{"someone asks about " + e.about, e.about + " questions", "it is about " + e.about}[n%3]
	}
	return comment, when
}

// lookFor is how many answers somebody looks at before they praise one, because none
// misses what they expect.
const lookFor = 20

// record gives the i-th feedback, on the wishes in turn.
func (w *world) record(i int) error { return w.miss(&w.wishes[i%len(w.wishes)], i) }

// miss is what person n does who has a wish: they ask training questions that it is
// about, and say of the first answer that misses it what it misses.
func (w *world) miss(e *wish, n int) error {
	for try := 1; ; try++ {
		query := w.question(e)
		a, err := w.askAs(fmt.Sprint("person-", n), query)
		if err != nil {
			return err
		}
		if !e.Met(a.text) {
			return w.criticize(a, e, query, n)
		}
		if try == lookFor {
			return w.post(a, saying{topic: w.label[query], query: query, wish: e, rating: 1}, "")
		}
	}
}

// question is a training question that a wish is about.
func (w *world) question(e *wish) string {
	topics := e.Topics
	if topics == nil {
		topics = w.d.labels
	}
	texts := w.d.byLabel[topics[w.rng.IntN(len(topics))]]
	return texts[w.rng.IntN(len(texts))]
}

// complain asks a training question and says what a wish asks for, whatever the
// answer was.
func (w *world) complain(e *wish, n int) error {
	query := w.question(e)
	a, err := w.askAs(fmt.Sprint("person-", n), query)
	if err != nil {
		return err
	}
	return w.criticize(a, e, query, n)
}

func (w *world) criticize(a reply, e *wish, query string, n int) error {
	comment, when := w.comment(e, n)
	return w.post(a, saying{topic: w.label[query], query: query, comment: comment, when: when, wish: e, rating: -1}, "")
}

// post gives feedback and remembers what is meant by it.
func (w *world) post(a reply, s saying, correction string) error {
	var err error
	if s.id, err = w.say(a, s.rating, s.comment, s.when, correction); err != nil {
		return err
	}
	w.said = append(w.said, s)
	return nil
}

// saying finds a record by its id.
func (w *world) saying(id string) *saying {
	i := slices.IndexFunc(w.said, func(s saying) bool { return s.id == id })
	if i < 0 {
		return nil
	}
	return &w.said[i]
}

// solved is the measure of task success: the model had what it takes, no rule spoiled
// that, and the answer holds each piece of the company's knowledge that the request
// calls for. What is asked of the answer's form does not count.
func (w *world) solved(l labelled, answer string) bool {
	return simulate.Right(l.text, answer) && !slices.ContainsFunc(w.wishes, func(e wish) bool {
		return e.substance() && e.covers(l.label) && !e.Met(answer)
	})
}

// unaided finds out, once, which of the measured requests the model solves without
// learning.
func (w *world) unaided() error {
	if w.bare != nil {
		return nil
	}
	w.bare = map[string]bool{}
	for _, l := range slices.Concat(w.inScope, w.near, w.far) {
		a, err := w.askDirect(agentPrompt, l.text)
		if err != nil {
			return err
		}
		w.bare[l.text] = w.solved(l, a.text)
	}
	return nil
}

// measure asks every kept-back question of one system.
func (w *world) measure(s approach) (learningRow, error) {
	r := learningRow{System: s.name, Decisions: float64(w.decided), Ticks: float64(w.ticked), Rules: float64(len(w.meant)),
		Asked: float64(len(w.inScope) + len(w.near) + len(w.far)), Outside: float64(len(w.near) + len(w.far))}
	if err := w.unaided(); err != nil {
		return r, err
	}
	met, of, solved := 0, 0, 0
	ask := func(l labelled, lost *float64) (reply, error) {
		a, err := s.ask(l.text)
		if err != nil {
			return a, err
		}
		now, before := w.solved(l, a.text), w.bare[l.text]
		solved += count(now)
		r.Gained += float64(count(now && !before))
		*lost += float64(count(before && !now))
		return a, nil
	}
	for _, l := range w.inScope {
		a, err := ask(l, &r.LostInside)
		if err != nil {
			return r, err
		}
		for i := range w.wishes {
			if e := &w.wishes[i]; e.covers(l.label) {
				of++
				met += count(e.Met(a.text))
			}
		}
	}
	r.Adherence, r.Mended = ratio(float64(met), float64(of)), float64(met)
	spilled := 0
	for _, g := range []struct {
		lines []labelled
		share *float64
	}{{w.near, &r.Near}, {w.far, &r.Far}} {
		injected := 0
		for _, l := range g.lines {
			a, err := ask(l, &r.LostOutside)
			if err != nil {
				return r, err
			}
			injected += count(w.wrong(&a, l.label))
			spilled += count(w.spills(a.text, l.label))
		}
		*g.share = ratio(float64(injected), float64(len(g.lines)))
	}
	r.Spill = ratio(float64(spilled), r.Outside)
	r.Success = ratio(float64(solved), r.Asked)
	return r, nil
}

// wrong says whether an answer was given with a rule or comment that is not for
// its topic.
func (w *world) wrong(a *reply, label string) bool {
	if len(a.rules) == 0 {
		return a.touched
	}
	return slices.ContainsFunc(a.rules, func(id string) bool {
		e, known := w.meant[id]
		return !known || e == nil || !e.covers(label)
	})
}

// spills says whether an answer meets a wish that is not for its topic.
func (w *world) spills(answer, label string) bool {
	return slices.ContainsFunc(w.wishes, func(e wish) bool { return !e.covers(label) && e.Met(answer) })
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
