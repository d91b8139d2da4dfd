package main

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"heed/internal/simulate"
	"heed/rules/check"
)

func someTopics(n int) *dataset {
	d := &dataset{byLabel: map[string][]string{}}
	for i := range n {
		label := "topic_" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		d.labels = append(d.labels, label)
		d.byLabel[label] = []string{"about " + label}
	}
	return d
}

// Track mixed has wishes of all three widths, which do not exclude each other.
func TestMixedWishes(t *testing.T) {
	d := someTopics(40)
	domains := map[string][]string{}
	for i := range 5 {
		domains["domain "+string(rune('a'+i))] = d.labels[8*i : 8*i+8]
	}
	wishes := mixedWishes(d, domains, 1)
	widths, texts := map[int]int{}, map[string]bool{}
	for _, e := range wishes {
		widths[len(e.Topics)]++
		texts[e.Text] = true
		if e.Kind != simulate.Mention {
			t.Errorf("wish %q is a %s: of two of those an answer can meet one", e.Text, e.Kind)
		}
	}
	if widths[0] != 2 || widths[8] != 4 || widths[1] != 10 || len(texts) != len(wishes) {
		t.Errorf("widths %v, %d texts of %d wishes", widths, len(texts), len(wishes))
	}
}

// Every wording of a change that track drift uses says what is new and what is old.
func TestChanges_AreReadable(t *testing.T) {
	for _, wording := range changes {
		said := simulate.Reworded(wording, "the ember desk", "the amber desk")
		c, ok := check.Replacement(said)
		if !ok || !strings.Contains(strings.ToLower(c.New+c.Now), "ember") || !strings.Contains(strings.ToLower(c.Old), "amber") {
			t.Errorf("%q reads as %+v (%v)", said, c, ok)
		}
	}
}

// Complaints of track faults hold no instruction: only a model can read them.
func TestHints_HoldNoInstruction(t *testing.T) {
	for _, h := range hints {
		if a, ok := check.Instruction(strings.ReplaceAll(h, "%s", "the amber desk")); ok {
			t.Errorf("%q instructs: %q", h, a)
		}
	}
}

// The scripted model errs as often as issue 6 says.
func TestDrafter_Faults(t *testing.T) {
	d := &drafter{rng: rand.New(rand.NewPCG(1, 1))}
	n := map[string]int{}
	for range 40 {
		n[d.fault()]++
	}
	for kind, want := range map[string]int{"too broad": 6, "too narrow": 6, "malformed": 2, "invented": 2, "duplicate": 2, "right": 22} {
		if n[kind] != want {
			t.Errorf("%s: %d of 40 answers, want %d", kind, n[kind], want)
		}
	}
}

// Musts are judged by the means of the seeds, each beside what is asked for and what
// every seed came to.
func TestDepthMusts(t *testing.T) {
	b := &bench{}
	for seed, adherence := range []float64{0.60, 0.80} {
		b.rows = append(b.rows,
			learningRow{Track: "depth", System: heedSystem, Records: 8, Seed: seed, Adherence: adherence, Near: 0.09, Far: 0.01, Success: 0.79 + 0.02*float64(seed)},
			learningRow{Track: "depth", System: "no learning", Records: 8, Seed: seed, Success: 0.80})
	}
	b.depthMusts()
	var out bytes.Buffer
	printLearned(&out, b.musts)
	got := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{"adherence at 8 records, % 70 >= 68 holds 60 80 (1 of 2)", "near false injections at 8 records, % 9 <= 8 MISSED 9 9 (0 of 2)",
		"task success below no learning, points 0 <= 0 holds 1 -1 (1 of 2)"} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q in\n%s", want, out.String())
		}
	}
}

// A piece of the company's knowledge decides whether a request that calls for it is
// solved; how the answer ends does not, nor does any piece help an answer that gave up
// or was cut before its substance.
func TestWorld_Solved(t *testing.T) {
	const query, general = "how do i freeze it", "It depends a little on what you are after. A good start is to look at a few examples."
	w := &world{wishes: []wish{topicWish(demands(0), "freeze"), topicWish(demands(1), "freeze"), mixedWishes(someTopics(12), nil, 1)[0]}}
	for _, c := range []struct {
		label, answer string
		want          bool
	}{
		{"freeze", general, false},
		{"freeze", general + " Please also note: the amber desk.", true},
		{"freeze", "I have no information about that. Please also note: the amber desk.", false},
		{"freeze", "It depends a little on what. Please also note: the amber desk.", false},
		{"other", general, true},
		{"other", general + " Please also note: the amber desk. the birch team", true},
	} {
		if got := w.solved(labelled{c.label, query}, c.answer); got != c.want {
			t.Errorf("%s, %q: solved %v, want %v", c.label, c.answer, got, c.want)
		}
	}
}

// What is injected beside the topic counts as wrong, what a wish covers does not.
func TestWorld_Wrong(t *testing.T) {
	e := topicWish(demands(0), "returns")
	w := &world{meant: map[string]*wish{"r_1": &e, "r_2": nil}}
	for _, c := range []struct {
		rules []string
		label string
		want  bool
	}{{nil, "returns", false}, {[]string{"r_1"}, "returns", false}, {[]string{"r_1"}, "fees", true}, {[]string{"r_2"}, "returns", true}, {[]string{"r_3"}, "returns", true}} {
		if got := w.wrong(&reply{rules: c.rules}, c.label); got != c.want {
			t.Errorf("rules %v on %q: wrong %v, want %v", c.rules, c.label, got, c.want)
		}
	}
}
