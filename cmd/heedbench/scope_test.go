package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"heed/rules/match"
)

// writeSet makes a small set of six topics in a temporary folder.
func writeSet(t *testing.T) (prefix, oos string) {
	t.Helper()
	dir := t.TempDir()
	topics := map[string][]string{"refund": {"refund my order", "money back for the shoes"}, "hours": {"when do you open", "opening hours of the shop"},
		"size": {"which size fits me", "size chart of the boots"}, "parcel": {"where is my parcel", "track the delivery"},
		"coupon": {"use my coupon code", "voucher does not work"}, "login": {"forgot my password", "cannot log in"}}
	var train, test strings.Builder
	for _, label := range []string{"refund", "hours", "size", "parcel", "coupon", "login"} {
		for i, tail := range []string{"", " please", " now", " today", " thanks", " again", " for me", " at once"} {
			for _, text := range topics[label] {
				to := &train
				if i%4 == 3 {
					to = &test
				}
				fmt.Fprintf(to, "%s\t%s%s\n", label, text, tail)
			}
		}
	}
	write := func(name, text string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("tiny.train.tsv.gz", train.String())
	write("tiny.test.tsv.gz", test.String())
	return filepath.Join(dir, "tiny"), write("oos.tsv.gz", "chat\thow are you\nchat\twrite a poem about the sea\n")
}

// TestScope_DecisionsCanBeScoredAgain recomputes recall and wrong hits from the
// decisions file, as a stranger would.
func TestScope_DecisionsCanBeScoredAgain(t *testing.T) {
	prefix, oos := writeSet(t)
	out := filepath.Join(t.TempDir(), "decisions.jsonl")
	results := filepath.Join(t.TempDir(), "results.json")
	var table bytes.Buffer
	args := []string{"scope", "--set", prefix, "--oos", oos, "--coverage", "0.5", "--n", "2", "--ticks", "0", "--seeds", "1", "--warm", "--decisions", out, "--json", results}
	if err := run(args, &table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"heed", "bm25", "inject everything", "paste every comment", "three nearest comments", "chat/100"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table.String())
		}
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	recall, wrong := rescore(t, b)
	var written struct{ Mean []result }
	b, err = os.ReadFile(results)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &written); err != nil {
		t.Fatal(err)
	}
	heed := written.Mean[0]
	if heed.System != "heed" || !near(heed.Recall, recall) || !near(heed.Wrong, wrong) {
		t.Errorf("results say %s recall %.4f wrong %.4f, the decisions %.4f and %.4f", heed.System, heed.Recall, heed.Wrong, recall, wrong)
	}
	if recall < 0.5 {
		t.Errorf("recall %.2f on requests nearly the same as the examples", recall)
	}
}

func near(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }

func rescore(t *testing.T, decisions []byte) (recall, wrong float64) {
	t.Helper()
	var rules []string
	var covered, recalled, neighbours, wrongs float64
	for n, l := range bytes.Split(bytes.TrimSpace(decisions), []byte("\n")) {
		var d struct {
			Set, Text, Label string
			Rules, Injected  []string
			P                []float64
		}
		if err := json.Unmarshal(l, &d); err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		if d.Set != "" {
			rules = d.Rules
			continue
		}
		if len(d.P) != len(d.Injected) || d.Text == "" {
			t.Fatalf("line %d: %s", n, l)
		}
		switch {
		case slices.Contains(rules, d.Label):
			covered++
			if slices.Contains(d.Injected, d.Label) {
				recalled++
			}
		case d.Label != "":
			neighbours++
			if len(d.Injected) > 0 {
				wrongs++
			}
		}
	}
	return recalled / covered, 100 * wrongs / neighbours
}

func TestScope_MissingSetSaysSo(t *testing.T) {
	err := run([]string{"scope", "--set", filepath.Join(t.TempDir(), "none")}, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "none.train.tsv.gz") {
		t.Errorf("error = %v, want one that names the file", err)
	}
}

// TestJudge_KnownDecisions counts by hand: two covered requests, one of them with
// a wrong rule beside the right one, one neighbour with a wrong rule, one without.
func TestJudge_KnownDecisions(t *testing.T) {
	hit := func(r int, p float32) match.Hit { return match.Hit{Rule: r, P: p} }
	ds := []decision{
		{label: "a", hits: []match.Hit{hit(0, 0.9)}},
		{label: "b", hits: []match.Hit{hit(1, 0.8), hit(0, 0.6)}},
		{label: "x", hits: []match.Hit{hit(0, 0.7)}},
		{label: "y", hits: []match.Hit{hit(0, 0.1)}},
		{group: "chat", hits: nil},
	}
	r := score(setting{}, system{threshold: 0.5}, ds, []string{"a", "b"}, []string{"", ""})
	if r.Recall != 1 || r.Wrong != 50 || r.WrongCovered != 50 || !near(r.TouchPrecision, 1.0/3) || r.Unrelated["chat"] != 0 {
		t.Errorf("got %+v", r)
	}
	if want := 2 * 2.0 / (2*2.0 + 1 + 0.5); !near(r.F1, want) {
		t.Errorf("F1 = %v, want %v", r.F1, want)
	}
}

// TestDraw_TopicsBySeedAndHalf: every seed has rules on other topics, and the
// halves share none.
func TestDraw_TopicsBySeedAndHalf(t *testing.T) {
	d := &dataset{byLabel: map[string][]string{}}
	for i := range 40 {
		l := fmt.Sprintf("topic%02d", i)
		d.labels = append(d.labels, l)
		d.byLabel[l] = []string{"a " + l, "b " + l}
	}
	draws := map[string]bool{}
	in := map[string]map[string]bool{"first": {}, "second": {}}
	for seed := range uint64(10) {
		for half, seen := range in {
			rules := d.draw(setting{N: 1, Coverage: 0.25, Topics: half, Seed: 100 + seed}, 0).rules
			if len(rules) != 10 {
				t.Fatalf("%d rules, want a quarter of all 40 topics", len(rules))
			}
			for _, r := range rules {
				seen[r] = true
			}
		}
		draws[strings.Join(d.draw(setting{N: 1, Coverage: 0.25, Topics: "all", Seed: 100 + seed}, 0).rules, " ")] = true
	}
	if len(draws) != 10 {
		t.Errorf("10 seeds gave %d different draws of topics", len(draws))
	}
	for l := range in["first"] {
		if in["second"][l] {
			t.Errorf("topic %s is in both halves", l)
		}
	}
}

func TestWrongAt_KnownDecisions(t *testing.T) {
	var ds []decision
	for i := range 4 { // right at .9, .8, .7, .6; wrong of neighbours at .75 and .65
		ds = append(ds, decision{label: "a", hits: []match.Hit{{Rule: 0, P: 0.9 - 0.1*float32(i)}}})
	}
	ds = append(ds, decision{label: "x", hits: []match.Hit{{Rule: 0, P: 0.75}}}, decision{label: "x", hits: []match.Hit{{Rule: 0, P: 0.65}}})
	if got := wrongAt(ds, []string{"a"}, []string{""}); got != 50 {
		t.Errorf("wrong at recall .75 = %v of 100, want 50: three of four right ones score .7 and more", got)
	}
}
