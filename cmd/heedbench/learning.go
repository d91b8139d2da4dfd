package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// learningCommand runs the loop benchmark: feedback through the feedback API, the
// learner, a scripted approver who sees the admin API only, the gateway, and the
// simulated model, all as the running program.
//
// Task success is the share of all measured requests that are solved (world.solved):
// the model knows enough for 80 % of them (baseSkill), each rule that does not belong
// costs 2 points, an answer that is cut before its substance fails, and where a wish is
// for a piece of the company's knowledge, so does an answer without that piece. What
// that sum hides is shown beside it: the requests that the model solves by itself and
// no longer does with rules, apart for those that no rule is meant for.
type learningCommand struct {
	Set        string   `help:"Prefix of a set: PREFIX.train.tsv.gz and PREFIX.test.tsv.gz." required:"" placeholder:"PREFIX"`
	OOS        []string `help:"Out-of-scope files, for far false injections." placeholder:"FILE"`
	Domains    string   `help:"JSON of the topics by domain, for the domain-wide wishes of track mixed." placeholder:"FILE"`
	Heed       string   `help:"The heed program; default: built from ./cmd/heed." placeholder:"FILE"`
	Track      []string `help:"depth (few topics, several records each), breadth (a record a topic), mixed (wishes for all, a domain, a topic), crowd (people as they are), conflict, drift, poison, faults (a model that drafts and errs), speed, or all." default:"all" enum:"depth,breadth,mixed,crowd,conflict,drift,poison,faults,speed,all"`
	Topics     int      `help:"Topics with hidden expectations in track depth." default:"8"`
	Records    []int    `help:"Checkpoints, in feedback records." default:"0,1,2,4,8,16,32"`
	Traffic    int      `help:"Unlabelled requests of all topics that were logged before." default:"5000"`
	Comments   string   `help:"named (people say when it applies) or topicfree (they do not)." default:"named" enum:"named,topicfree"`
	ErrorShare float64  `help:"Share of the approver's decisions and ticks that are wrong." default:"0.1"`
	Ticks      string   `help:"Which examples on the card the approver ticks before approving: inside (those the rule would touch), all (also the neighbouring ones) or none." default:"inside" enum:"inside,all,none"`
	Seeds      int      `help:"Runs, each with other topics." default:"3"`
	OverApply  float64  `help:"Probability that the model applies a rule whose condition does not hold." default:"0.5"`
	Cap        int      `help:"Instructions that the model obeys at most (IFScale); 0 is no limit." default:"12"`
	Near       int      `help:"Neighbouring requests a checkpoint." default:"300"`
	Far        int      `help:"Unrelated requests a checkpoint." default:"300"`
	JSON       string   `help:"Write rows and musts as JSON." placeholder:"FILE"`
}

// learningRow is one system at one checkpoint of one seed.
type learningRow struct {
	Track     string  `json:"track"`
	System    string  `json:"system"`
	Records   int     `json:"records"`
	Seed      int     `json:"seed"`
	Adherence float64 `json:"adherence"` // of unseen requests in scope, the share whose expectation is met
	Success   float64 `json:"success"`   // task success over all requests, see world.solved
	Near      float64 `json:"near"`      // neighbouring requests that got a rule or comment that is not theirs
	Far       float64 `json:"far"`       // unrelated ones
	Spill     float64 `json:"spill"`     // requests out of scope whose answer follows an expectation nonetheless
	Decisions float64 `json:"decisions"` // of the approver so far
	Ticks     float64 `json:"ticks"`     // of the approver so far
	Mended    float64 `json:"mended"`    // measured requests in scope whose expectation is met
	Rules     float64 `json:"rules"`     // in force

	// How Success differs from that of no learning, request by request.
	Asked       float64 `json:"asked"`              // requests measured, and
	Outside     float64 `json:"asked_out_of_scope"` // of these, for which no rule is meant
	Gained      float64 `json:"gained"`             // requests solved that are not without learning
	LostInside  float64 `json:"lost_in_scope"`      // those that no longer are,
	LostOutside float64 `json:"lost_out_of_scope"`  // and those for which no rule was meant
}

// tracks in the order in which they run.
var tracks = []struct {
	name string
	run  func(*learningCommand, *bench) error
}{
	{"depth", (*learningCommand).depth},
	{"breadth", (*learningCommand).breadth},
	{"mixed", (*learningCommand).mixed},
	{"crowd", (*learningCommand).crowd},
	{"conflict", story((*world).conflict)},
	{"drift", story((*world).drift)},
	{"poison", story((*world).poison)},
	{"faults", (*learningCommand).faults},
	{"speed", (*learningCommand).speed},
}

// bench is one run of the command.
type bench struct {
	d     *dataset
	bin   string
	out   io.Writer
	rows  []learningRow
	musts []must
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
	b := &bench{d: d, bin: bin, out: out}
	for _, t := range tracks {
		if !slices.Contains(c.Track, "all") && !slices.Contains(c.Track, t.name) {
			continue
		}
		if err := t.run(c, b); err != nil {
			return fmt.Errorf("learning: track %s: %w", t.name, err)
		}
	}
	printLearned(out, b.musts)
	return c.writeJSON(b)
}

func (c *learningCommand) writeJSON(b *bench) error {
	if c.JSON == "" {
		return nil
	}
	return writeJSON(c.JSON, map[string]any{"rows": b.rows, "musts": b.musts})
}

func (c *learningCommand) depth(b *bench) error {
	err := c.curves(b, "depth", func(seed uint64) ([]wish, feeder) { return topicWishes(b.d, c.Topics, seed), (*world).record })
	b.depthMusts()
	return err
}

// breadth has a topic for every record.
func (c *learningCommand) breadth(b *bench) error {
	n := min(slices.Max(c.Records), len(b.d.labels)/2)
	return c.curves(b, "breadth", func(seed uint64) ([]wish, feeder) { return topicWishes(b.d, n, seed), (*world).record })
}

// mixed has wishes for every request, for a domain and for a topic.
func (c *learningCommand) mixed(b *bench) error {
	domains, err := readDomains(c.Domains)
	if err != nil {
		return err
	}
	return c.curves(b, "mixed", func(seed uint64) ([]wish, feeder) { return mixedWishes(b.d, domains, seed), (*world).record })
}

// crowd has people who seldom say something, late, often wrong or without words.
func (c *learningCommand) crowd(b *bench) error {
	return c.curves(b, "crowd", func(seed uint64) ([]wish, feeder) { return topicWishes(b.d, c.Topics, seed), (*world).murmur })
}

// curves runs all seeds of a track and prints their means.
func (c *learningCommand) curves(b *bench, track string, setup func(seed uint64) ([]wish, feeder)) error {
	for seed := range c.Seeds {
		wishes, feed := setup(uint64(seed))
		rows, err := c.curve(b, track, wishes, feed, seed)
		if err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
		b.rows = append(b.rows, rows...)
	}
	printCurve(b.out, track, b.rows)
	return nil
}

// feeder gives the i-th record of feedback.
type feeder func(w *world, i int) error

// curve runs one seed of a track over all checkpoints, for Heed and for every
// baseline.
func (c *learningCommand) curve(b *bench, track string, wishes []wish, feed feeder, seed int) ([]learningRow, error) {
	w, err := c.newWorld(b, wishes, uint64(seed), "")
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
			if err := feed(w, done); err != nil {
				return nil, err
			}
		}
		if err := w.decide(); err != nil {
			return nil, err
		}
		systems := w.systems()
		if track != "depth" && n != c.Records[0] && n != c.Records[len(c.Records)-1] {
			systems = systems[:1] // what people do without Heed is shown at both ends
		}
		for _, s := range systems {
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

// story runs a track that tells a story instead of a curve, with an approver who
// makes no mistake: it is about the learner.
func story(run func(*world, *bench) error) func(*learningCommand, *bench) error {
	return func(c *learningCommand, b *bench) error {
		for seed := range c.Seeds {
			if err := c.tell(b, run, uint64(1000+seed)); err != nil {
				return fmt.Errorf("seed %d: %w", seed, err)
			}
		}
		return nil
	}
}

func (c *learningCommand) tell(b *bench, run func(*world, *bench) error, seed uint64) error {
	w, err := c.newWorld(b, topicWishes(b.d, c.Topics, seed), seed, "")
	if err != nil {
		return err
	}
	defer w.stop()
	w.errors = 0
	if err := w.traffic(c.Traffic); err != nil {
		return err
	}
	return run(w, b)
}

// printCurve prints the track's means over the seeds.
func printCurve(out io.Writer, track string, rows []learningRow) {
	fmt.Fprintf(out, "\ntrack %s (means of the seeds, %%)\n", track)
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "system\trecords\tadherence\ttask success\trequests gained\tlost in scope\tlost outside\tthese in points\tnear injected\tfar injected\tspilled\trules\tdecisions\tticks\tdecisions a mended request\t")
	for _, m := range means(rows, track) {
		each := "-"
		if m.System == heedSystem && m.Mended > 0 {
			each = fmt.Sprintf("%.2f", m.Decisions/m.Mended)
		}
		fmt.Fprintf(t, "%s\t%d\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.2f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%s\t\n", m.System, m.Records,
			100*m.Adherence, 100*m.Success, m.Gained, m.LostInside, m.LostOutside, 100*ratio(m.LostOutside, m.Asked), 100*m.Near, 100*m.Far, 100*m.Spill, m.Rules, m.Decisions, m.Ticks, each)
	}
	_ = t.Flush()
}

// means are the rows of a track, averaged over the seeds, in their order.
func means(rows []learningRow, track string) []learningRow {
	var out []learningRow
	n := map[int]float64{}
	for _, r := range rows {
		if r.Track != track {
			continue
		}
		i := slices.IndexFunc(out, func(m learningRow) bool { return m.System == r.System && m.Records == r.Records })
		if i < 0 {
			i = len(out)
			out = append(out, learningRow{Track: track, System: r.System, Records: r.Records})
		}
		to, from := out[i].figures(), r.figures()
		for j := range to {
			*to[j] += *from[j]
		}
		n[i]++
	}
	for i := range out {
		for _, f := range out[i].figures() {
			*f /= n[i]
		}
	}
	return out
}

func (r *learningRow) figures() []*float64 {
	return []*float64{&r.Adherence, &r.Success, &r.Near, &r.Far, &r.Spill, &r.Decisions, &r.Ticks, &r.Mended, &r.Rules,
		&r.Asked, &r.Outside, &r.Gained, &r.LostInside, &r.LostOutside}
}

// benchWait bounds every wait for the program.
const benchWait = 2 * time.Minute

var errNotInTime = errors.New("the program did not get there in time")

func limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), benchWait)
}
