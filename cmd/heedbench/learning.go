package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"heed/internal/simulate"
)

// learningCommand runs the loop benchmark: feedback through the feedback API, the
// learner, a scripted approver who sees the admin API only, the gateway, and the
// simulated model, all as the running program.
type learningCommand struct {
	Set        string   `help:"Prefix of a set: PREFIX.train.tsv.gz and PREFIX.test.tsv.gz." required:"" placeholder:"PREFIX"`
	OOS        []string `help:"Out-of-scope files, for far false injections." placeholder:"FILE"`
	Heed       string   `help:"The heed program; default: built from ./cmd/heed." placeholder:"FILE"`
	Track      string   `help:"depth (few topics, several records each), breadth (a record a topic), conflict, drift, poison or all." default:"all" enum:"depth,breadth,conflict,drift,poison,all"`
	Topics     int      `help:"Topics with hidden expectations in track depth." default:"8"`
	Records    []int    `help:"Checkpoints, in feedback records." default:"0,1,2,4,8,16,32"`
	Traffic    int      `help:"Unlabelled requests of all topics that were logged before." default:"5000"`
	Comments   string   `help:"named (people say when it applies) or topicfree (they do not)." default:"named" enum:"named,topicfree"`
	ErrorShare float64  `help:"Share of the approver's decisions that are wrong." default:"0.1"`
	Seeds      int      `help:"Runs, each with other topics." default:"3"`
	OverApply  float64  `help:"Probability that the model applies a rule whose condition does not hold." default:"0.5"`
	Cap        int      `help:"Instructions that the model obeys at most (IFScale); 0 is no limit." default:"12"`
	Near       int      `help:"Neighbouring requests a checkpoint." default:"300"`
	Far        int      `help:"Unrelated requests a checkpoint." default:"300"`
	JSON       string   `help:"Write every row as JSON." placeholder:"FILE"`
}

// row is one system at one checkpoint, the mean of the seeds.
type learningRow struct {
	Track     string  `json:"track"`
	System    string  `json:"system"`
	Records   int     `json:"records"`
	Seed      int     `json:"seed"`
	Adherence float64 `json:"adherence"` // of unseen requests in scope, the share whose expectation is met
	Success   float64 `json:"success"`   // task success over all requests
	Near      float64 `json:"near"`      // neighbouring requests that got any rule or comment
	Far       float64 `json:"far"`       // unrelated ones
	Spill     float64 `json:"spill"`     // requests out of scope whose answer follows an expectation nonetheless
	Decisions float64 `json:"decisions"` // of the approver so far
	Rules     float64 `json:"rules"`     // in force
}

// Run measures and prints.
func (c *learningCommand) Run(out io.Writer) error {
	d, err := readSet(c.Set, "", c.OOS)
	if err != nil {
		return err
	}
	if need := c.Topics * 2; len(d.labels) < need {
		return fmt.Errorf("learning: the set has %d topics, want at least %d", len(d.labels), need)
	}
	bin, remove, err := c.program()
	if err != nil {
		return err
	}
	defer remove()
	var rows []learningRow
	for _, track := range []struct {
		name   string
		topics int
	}{{"depth", c.Topics}, {"breadth", c.Records[len(c.Records)-1]}} {
		if c.Track != "all" && c.Track != track.name {
			continue
		}
		for seed := range c.Seeds {
			r, err := c.curve(d, bin, track.name, min(track.topics, len(d.labels)/2), seed)
			if err != nil {
				return fmt.Errorf("learning: track %s, seed %d: %w", track.name, seed, err)
			}
			rows = append(rows, r...)
		}
		printCurve(out, track.name, rows)
	}
	for _, story := range []struct {
		name string
		run  func(*world, io.Writer) error
	}{{"conflict", (*world).conflict}, {"drift", (*world).drift}, {"poison", (*world).poison}} {
		if c.Track != "all" && c.Track != story.name {
			continue
		}
		if err := c.story(d, bin, story.name, story.run, out); err != nil {
			return fmt.Errorf("learning: track %s: %w", story.name, err)
		}
	}
	return c.writeJSON(rows)
}

func (c *learningCommand) writeJSON(rows []learningRow) error {
	if c.JSON == "" {
		return nil
	}
	b, err := json.MarshalIndent(rows, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(c.JSON, b, 0o644)
}

// curve runs one seed of a track over all checkpoints, for Heed and for every
// baseline.
func (c *learningCommand) curve(d *dataset, bin, track string, topics, seed int) ([]learningRow, error) {
	w, err := c.newWorld(d, bin, topics, uint64(seed))
	if err != nil {
		return nil, err
	}
	defer w.stop()
	if err := w.traffic(c.Traffic); err != nil {
		return nil, err
	}
	var rows []learningRow
	done := 0
	for _, n := range c.Records {
		for ; done < n; done++ {
			if err := w.record(done); err != nil {
				return nil, err
			}
		}
		if err := w.decide(); err != nil {
			return nil, err
		}
		for _, s := range w.systems() {
			r, err := w.measure(s)
			if err != nil {
				return nil, err
			}
			r.Track, r.Records, r.Seed = track, n, seed
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// story runs one of the tracks that tell a story instead of a curve.
func (c *learningCommand) story(d *dataset, bin, name string, run func(*world, io.Writer) error, out io.Writer) error {
	w, err := c.newWorld(d, bin, c.Topics, 1000)
	if err != nil {
		return err
	}
	defer w.stop()
	w.errors = 0 // the story is about the learner; the approver makes no mistake
	if err := w.traffic(c.Traffic); err != nil {
		return err
	}
	fmt.Fprintf(out, "\ntrack %s\n", name)
	return run(w, out)
}

// world is one seed's deployment: its topics, its people's expectations, the
// running program and the model behind it.
type world struct {
	*program
	d      *dataset
	rng    *rand.Rand
	named  bool
	errors float64
	model  *simulate.Model
	modelS func()

	topics  []string                        // with an expectation
	expect  map[string]simulate.Expectation // by topic
	label   map[string]string               // of every text, the truth
	inScope []labelled
	near    []labelled
	far     []labelled
	said    []saying // what people said so far
	decided int

	conditions *conditions
}

// saying is one record of feedback, for the baselines that paste.
type saying struct{ topic, query, comment, when string }

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

func (c *learningCommand) newWorld(d *dataset, bin string, topics int, seed uint64) (*world, error) {
	w := &world{
		d: d, rng: rand.New(rand.NewPCG(seed, 6)), named: c.Comments == "named", errors: c.ErrorShare,
		expect: map[string]simulate.Expectation{}, label: map[string]string{}, conditions: newConditions(),
	}
	for i, j := range w.rng.Perm(len(d.labels))[:topics] {
		e := demands(i)
		e.ID, e.Topics = d.labels[j], []string{d.labels[j]}
		w.topics, w.expect[d.labels[j]] = append(w.topics, d.labels[j]), e
	}
	for _, l := range append(append([]labelled{}, d.train...), d.test...) {
		w.label[l.text] = l.label
	}
	var others []labelled
	for _, l := range d.test {
		if _, ok := w.expect[l.label]; ok {
			w.inScope = append(w.inScope, l)
		} else {
			others = append(others, l)
		}
	}
	w.near = w.pick(others, c.Near)
	for _, g := range d.groups {
		for _, t := range g.texts {
			w.far = append(w.far, labelled{"", t})
		}
	}
	w.far = w.pick(w.far, c.Far)
	w.model = simulate.NewModel(simulate.Options{
		Seed: seed, OverApply: c.OverApply, Cap: c.Cap, Fits: func(condition, question string) bool { return w.conditions.fit(condition, w.label[question]) },
	})
	url, stop, err := simulate.Listen("127.0.0.1:0", w.model)
	if err != nil {
		return nil, err
	}
	w.modelS = stop
	if w.program, err = startProgram(bin, strings.TrimSuffix(url, "/v1")+"/v1"); err != nil {
		stop()
		return nil, err
	}
	w.direct = strings.TrimSuffix(url, "/v1") + "/v1"
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
func (w *world) comment(e simulate.Expectation, n int) (comment, when string) {
	ds := e.Demands()
	comment = ds[n%len(ds)]
	if w.named {
		topic := strings.NewReplacer("_", " ", "-", " ", ".", " ").Replace(e.ID)
		when = []string{"someone asks about " + topic, topic + " questions", "it is about " + topic}[n%3]
	}
	return comment, when
}

// record gives the i-th feedback: somebody asks a training question of a topic,
// in turn, and says what the answer misses.
func (w *world) record(i int) error {
	topic := w.topics[i%len(w.topics)]
	return w.complain(topic, w.expect[topic], i)
}

func (w *world) complain(topic string, e simulate.Expectation, n int) error {
	texts := w.d.byLabel[topic]
	query := texts[w.rng.IntN(len(texts))]
	a, err := w.askAs(fmt.Sprint("person-", n), query)
	if err != nil {
		return err
	}
	comment, when := w.comment(e, n)
	w.said = append(w.said, saying{topic, query, comment, when})
	return w.say(a, comment, when)
}

// measure asks every kept-back question of one system.
func (w *world) measure(s approach) (learningRow, error) {
	r := learningRow{System: s.name, Decisions: float64(w.decided), Rules: float64(w.conditions.rules())}
	var met, right, injected int
	for _, l := range w.inScope {
		a, err := s.ask(l.text)
		if err != nil {
			return r, err
		}
		met += count(w.expect[l.label].Met(a.text))
		right += count(simulate.Right(l.text, a.text))
	}
	r.Adherence = ratio(float64(met), float64(len(w.inScope)))
	spilled, total := 0, len(w.inScope)
	for _, g := range []struct {
		lines []labelled
		share *float64
	}{{w.near, &r.Near}, {w.far, &r.Far}} {
		injected = 0
		for _, l := range g.lines {
			a, err := s.ask(l.text)
			if err != nil {
				return r, err
			}
			injected += count(a.touched)
			right += count(simulate.Right(l.text, a.text))
			spilled += count(w.meetsAny(a.text))
		}
		total += len(g.lines)
		*g.share = ratio(float64(injected), float64(len(g.lines)))
	}
	r.Spill = ratio(float64(spilled), float64(len(w.near)+len(w.far)))
	r.Success = ratio(float64(right), float64(total))
	return r, nil
}

func (w *world) meetsAny(answer string) bool {
	for _, e := range w.expect {
		if e.Met(answer) {
			return true
		}
	}
	return false
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// printCurve prints the track's means over the seeds.
func printCurve(out io.Writer, track string, rows []learningRow) {
	fmt.Fprintf(out, "\ntrack %s (means of the seeds, %%)\n", track)
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "system\trecords\tadherence\ttask success\tnear injected\tfar injected\tspilled\trules\tdecisions\t")
	var order []string
	sums, n := map[string]learningRow{}, map[string]float64{}
	for _, r := range rows {
		if r.Track != track {
			continue
		}
		key := fmt.Sprint(r.Records, " ", r.System)
		if n[key] == 0 {
			order = append(order, key)
		}
		s := sums[key]
		s.System, s.Records = r.System, r.Records
		s.Adherence, s.Success, s.Near, s.Far = s.Adherence+r.Adherence, s.Success+r.Success, s.Near+r.Near, s.Far+r.Far
		s.Spill, s.Decisions, s.Rules = s.Spill+r.Spill, s.Decisions+r.Decisions, s.Rules+r.Rules
		sums[key] = s
		n[key]++
	}
	for _, key := range order {
		s, m := sums[key], n[key]
		fmt.Fprintf(t, "%s\t%d\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t\n", s.System, s.Records,
			100*s.Adherence/m, 100*s.Success/m, 100*s.Near/m, 100*s.Far/m, 100*s.Spill/m, s.Rules/m, s.Decisions/m)
	}
	_ = t.Flush()
}

// benchWait bounds every wait for the program.
const benchWait = 2 * time.Minute

var errNotInTime = errors.New("the program did not get there in time")

func limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), benchWait)
}
