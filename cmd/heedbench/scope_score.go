package main

import (
	"slices"

	"heed/rules/match"
)

// decision is what a system chose for one test request.
type decision struct {
	text, label string // label "" where no topic of the set is meant
	group       string // of an out-of-scope request
	hits        []match.Hit
}

// decide runs a system over the test requests and the out-of-scope groups.
func (d *dataset) decide(s system) []decision {
	var out []decision
	for _, t := range d.test {
		out = append(out, decision{text: t.text, label: t.label, hits: slices.Clone(s.choose(t.text))})
	}
	for _, g := range d.groups {
		for _, t := range g.texts {
			out = append(out, decision{text: t, group: g.name, hits: slices.Clone(s.choose(t))})
		}
	}
	return out
}

// result is what a setting's decisions come to. Shares are in [0, 1]; Wrong counts
// requests with at least one wrong rule per 100.
type result struct {
	setting
	System         string             `json:"system"`
	Seeds          int                `json:"seeds,omitempty"` // of a mean
	Threshold      float32            `json:"threshold"`
	TouchPrecision float64            `json:"touch_precision"`
	Touched        float64            `json:"touched"` // share of in-domain requests that got any rule
	Recall         float64            `json:"recall"`
	Wrong          float64            `json:"wrong_per_100_neighbouring"`
	WrongCovered   float64            `json:"wrong_per_100_covered"`
	WrongAt        float64            `json:"wrong_at_recall_75"` // per 100 neighbouring, at the threshold of that recall: a diagnosis
	Unrelated      map[string]float64 `json:"wrong_per_100_unrelated"`
	Precision      float64            `json:"precision"`
	F1             float64            `json:"f1"`
	BestF1         float64            `json:"best_threshold_f1"`
	Injected       float64            `json:"injected_per_request"`    // rules per in-domain request
	CommentTokens  float64            `json:"tokens_per_request"`      // bytes/4 of injected comments, in-domain
	RecallSpread   float64            `json:"recall_spread,omitempty"` // standard deviation over the seeds
	WrongSpread    float64            `json:"wrong_spread,omitempty"`
	Kept           float64            `json:"followup_kept,omitempty"`
	Dropped        float64            `json:"topic_change_dropped,omitempty"`
}

// followupsOnly reports a result of two-turn conversations.
func (r result) followupsOnly() bool { return r.Kept > 0 || r.Dropped > 0 }

// tally counts one threshold's outcomes.
type tally struct {
	covered, recalled, coveredWrong float64
	touched, touchedRight           float64
	injected, tokens                float64
	out                             map[string]*outcome // neighbours and unrelated groups
	wrongIn                         float64             // wrong rules on covered requests
}

type outcome struct{ requests, wrong, rules float64 }

// judge scores decisions at a threshold.
func judge(ds []decision, rules []string, comments []string, threshold float32) *tally {
	t := &tally{out: map[string]*outcome{}}
	for i := range ds {
		t.add(&ds[i], rules, comments, threshold)
	}
	return t
}

func (t *tally) add(d *decision, rules, comments []string, threshold float32) {
	right, wrong := 0, 0
	for _, h := range d.hits {
		switch {
		case h.P < threshold:
			continue
		case rules[h.Rule] == d.label:
			right++
		default:
			wrong++
		}
		if d.group == "" {
			t.tokens += float64(len(comments[h.Rule])+3) / 4
		}
	}
	if d.group == "" {
		t.injected += float64(right + wrong)
		if right+wrong > 0 {
			t.touched++
			if wrong == 0 {
				t.touchedRight++
			}
		}
	}
	if _, has := slices.BinarySearch(rules, d.label); has && d.group == "" {
		t.covered++
		t.recalled += float64(right)
		t.wrongIn += float64(wrong)
		t.coveredWrong += one(wrong > 0)
		return
	}
	name := d.group
	if name == "" {
		name = neighbouring
	}
	o := t.out[name]
	if o == nil {
		o = &outcome{}
		t.out[name] = o
	}
	o.requests++
	o.wrong += one(wrong > 0)
	o.rules += float64(wrong)
}

const neighbouring = "neighbouring"

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// f1 is the micro-F1 on a stream of which half the weight is out of scope, each
// kind of it weighing the same (reference study, section 3).
func (t *tally) f1() (f1, precision float64) {
	var wrongOut float64
	for _, o := range t.out {
		wrongOut += o.rules / o.requests * t.covered / float64(len(t.out))
	}
	tp, fp, fn := t.recalled, t.wrongIn+wrongOut, t.covered-t.recalled
	return ratio(2*tp, 2*tp+fp+fn), ratio(tp, tp+fp)
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// score sums up a system's decisions in one setting.
func score(s setting, sys system, ds []decision, rules, comments []string) result {
	t := judge(ds, rules, comments, sys.threshold)
	r := result{setting: s, System: sys.name, Threshold: sys.threshold, Unrelated: map[string]float64{}}
	inDomain := t.covered
	for name, o := range t.out {
		if name == neighbouring {
			inDomain += o.requests
			r.Wrong = 100 * ratio(o.wrong, o.requests)
			continue
		}
		r.Unrelated[name] = 100 * ratio(o.wrong, o.requests)
	}
	r.TouchPrecision = ratio(t.touchedRight, t.touched)
	r.Touched = ratio(t.touched, inDomain)
	r.Recall = ratio(t.recalled, t.covered)
	r.WrongCovered = 100 * ratio(t.coveredWrong, t.covered)
	r.WrongAt = wrongAt(ds, rules, comments)
	r.F1, r.Precision = t.f1()
	r.BestF1 = bestF1(ds, rules, comments)
	r.Injected = ratio(t.injected, inDomain)
	r.CommentTokens = ratio(t.tokens, inDomain)
	return r
}

// bestF1 is the F1 at the threshold that suits this very test best: a diagnosis.
func bestF1(ds []decision, rules, comments []string) float64 {
	var scores []float32
	for i := range ds {
		for _, h := range ds[i].hits {
			scores = append(scores, h.P)
		}
	}
	slices.Sort(scores)
	best := 0.0
	for k := range 40 {
		if len(scores) == 0 {
			break
		}
		f1, _ := judge(ds, rules, comments, scores[k*len(scores)/40]).f1()
		best = max(best, f1)
	}
	return best
}

// wrongAt is how many neighbouring requests of 100 get a wrong rule at the threshold
// that finds 75 % of the covered ones; 100 where none does.
func wrongAt(ds []decision, rules, comments []string) float64 {
	var right []float32
	covered := 0
	for i := range ds {
		r, has := slices.BinarySearch(rules, ds[i].label)
		if !has || ds[i].group != "" {
			continue
		}
		covered++
		if at := slices.IndexFunc(ds[i].hits, func(h match.Hit) bool { return h.Rule == r }); at >= 0 {
			right = append(right, ds[i].hits[at].P)
		}
	}
	slices.Sort(right)
	need := (3*covered + 3) / 4
	if need == 0 || len(right) < need {
		return 100
	}
	o := judge(ds, rules, comments, right[len(right)-need]).out[neighbouring]
	if o == nil {
		return 0
	}
	return 100 * ratio(o.wrong, o.requests)
}
