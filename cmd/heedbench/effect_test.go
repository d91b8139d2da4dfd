package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A few runs find the great differences; the published table has a thousand.
func TestEffectCommand_Run(t *testing.T) {
	path := filepath.Join(t.TempDir(), "effect.json")
	var out bytes.Buffer
	if err := run([]string{"effect", "--runs", "15", "--looks", "250", "--with", "0.5", "--with", "0.9", "--no-price", "--json", path}, &out); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Results []effectResult }
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Results) != 2*len(simulatedRules) {
		t.Fatalf("got %d results, want one of each rule and split", len(got.Results))
	}
	for _, r := range got.Results {
		exposed := 60.0
		if r.Share > 0.5 { // the veto waits for 10 units without the rule, of which there is one in ten
			exposed = 130
		}
		switch {
		case r.With == r.Without && (r.Helps+r.Harms > 0.14 || r.Covered < 0.86):
			t.Errorf("%s is called: %+v", r.Name, r)
		case r.With > r.Without && (r.Helps < 0.5 || r.Harms > 0.05):
			t.Errorf("%s is not recognised: %+v", r.Name, r)
		case r.Name == "harmful, mirrored" && (r.Paused < 0.8 || r.Helps > 0):
			t.Errorf("%s is not paused: %+v", r.Name, r)
		case r.With-r.Without < -0.35 && (r.Paused < 0.9 || r.Helps > 0.05 || r.Exposed > exposed):
			t.Errorf("%s is not paused: %+v", r.Name, r)
		}
	}
	if !strings.Contains(out.String(), "harmful, drastic (90 → 40 %), 50 % get it: paused within 200 in 100.0 %, want 95") {
		t.Errorf("the musts are not printed:\n%s", &out)
	}
}

// What came to everybody is put down to the rule much less often than it would be
// without asking the units that go without it.
func TestEffectCommand_Measure_EverybodyChanged(t *testing.T) {
	c := effectCommand{Runs: 20, Looks: 400, Each: 1, Seed: 6}
	for i, most := range map[int]float64{0: 0.8, 2: 0.4} { // at once, by -20 and +20
		r, err := c.measure(otherChanges[i], 0.9, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if wrongly := r.Helps + r.Harms; wrongly > most || r.BarePraise+r.BareHarm < 0.95 {
			t.Errorf("%s: called in %v, want at most %v: %+v", r.Name, wrongly, most, r)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []int
		want int
	}{{[]int{5, 0, 3}, 5}, {[]int{0, 0, 3}, 0}, {[]int{1, 0}, 0}, {[]int{9, 1, 4}, 4}} {
		if got := median(c.in); got != c.want {
			t.Errorf("median of %v is %d, want %d", c.in, got, c.want)
		}
	}
}
