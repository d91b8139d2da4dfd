package rules

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"heed/rules/check"
	"heed/rules/match"
)

var testNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// newRule is a valid active rule that tests change.
func newRule(action, when string, examples ...string) *Rule {
	return &Rule{
		ID: NewID(), Version: 1, App: "shop", State: Active, Action: action, Origin: "admin",
		Scope: Scope{AppliesWhen: when, Examples: examples},
	}
}

func newSet(t testing.TB, rs ...*Rule) *Set {
	t.Helper()
	var ops []Operation
	for _, r := range rs {
		ops = append(ops, Operation{Kind: Add, Rule: r})
	}
	set, err := Apply(&Set{App: "shop"}, ops)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func compile(t testing.TB, set *Set) *Compiled {
	t.Helper()
	c, err := Compile(set, Head{Epoch: 1, Hash: set.Hash()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func facts(queries ...string) *Facts {
	return &Facts{App: "shop", Step: "answer", Alias: "support", Queries: queries, Unit: "u1", Now: testNow}
}

func TestRule_Validate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Rule)
		want   string
	}{
		{"valid", func(*Rule) {}, ""},
		{"id", func(r *Rule) { r.ID = "7" }, "want r_ and 26"},
		{"no action", func(r *Rule) { r.Action = " " }, "action is empty"},
		{"long action", func(r *Rule) { r.Action = strings.Repeat("ä", 301) }, "301 characters"},
		{"two lines", func(r *Rule) { r.Action = "a\nb" }, "one line"},
		{"no scope", func(r *Rule) { r.Scope = Scope{} }, "scope is empty"},
		{"always needs no scope", func(r *Rule) { r.Scope = Scope{Always: true} }, ""},
		{"holdout", func(r *Rule) { r.Holdout = 0.6 }, "between 0 and 0.5"},
		{"holdout NaN", func(r *Rule) { r.Holdout = math.NaN() }, "between 0 and 0.5"},
		{"canary without ramp", func(r *Rule) { r.State = Canary }, "ramp"},
		{"validity", func(r *Rule) { r.ValidFrom = testNow; r.ValidTo = testNow }, "valid_to"},
		{"check", func(r *Rule) { r.Checks = []check.Spec{{Kind: "dance"}} }, "check 1"},
	} {
		r := newRule("Mention the returns page.", "returns")
		tt.change(r)
		err := r.Validate()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestSet_HashNamesContent(t *testing.T) {
	a, b := newRule("A.", "a"), newRule("B.", "b")
	b.Scope.Hard.Tags = map[string]string{"x": "1", "y": "2", "z": "3"}
	one, other := newSet(t, a, b), newSet(t, b, a)
	if one.Hash() != other.Hash() {
		t.Error("the order in which rules were added changed the hash")
	}
	if len(one.Hash()) != 32 {
		t.Errorf("hash %q: want 32 hex digits", one.Hash())
	}
	back, err := ParseSet(one.JSON())
	if err != nil || back.Hash() != one.Hash() {
		t.Errorf("after a round trip: hash %s, error %v, want %s", back.Hash(), err, one.Hash())
	}
	c := *a
	c.Action = "A!"
	if newSet(t, &c, b).Hash() == one.Hash() {
		t.Error("another action, the same hash")
	}
	if _, err := ParseSet([]byte(`{"app":"shop","rules":[],"routing":[],"surprise":1}`)); err == nil {
		t.Error("a set with an unknown field was read")
	}
}

func TestApply(t *testing.T) {
	a, b, c := newRule("A.", "a"), newRule("B.", "b"), newRule("C.", "c")
	set := newSet(t, a, b)
	before := set.Hash()
	a2 := a.Clone()
	a2.Version, a2.Action = 2, "A2."
	for _, tt := range []struct {
		name string
		op   Operation
		want string // actions in force afterwards, or the error
	}{
		{"add", Operation{Kind: Add, Rule: c}, "A. B. C."},
		{"add again", Operation{Kind: Add, Rule: a}, "already in force"},
		{"revise", Operation{Kind: Revise, Rule: a2}, "A2. B."},
		{"revise with an old version", Operation{Kind: Revise, Rule: a}, "not after"},
		{"revise what is not there", Operation{Kind: Revise, Rule: c}, "not in force"},
		{"merge", Operation{Kind: Merge, Rule: c, IDs: []string{a.ID, b.ID}}, "C."},
		{"supersede", Operation{Kind: Supersede, Rule: c, IDs: []string{a.ID}}, "B. C."},
		{"retire", Operation{Kind: Retire, IDs: []string{a.ID}}, "B."},
		{"retire nothing", Operation{Kind: Retire}, "no rule ids"},
		{"retire a paused one", Operation{Kind: Retire, Rule: c}, "A. B."},
		{"retire as paused what is in force", Operation{Kind: Retire, IDs: []string{a.ID}, Rule: a}, "already in force"},
		{"unknown", Operation{Kind: "rewrite"}, "unknown kind"},
		{"route", Operation{Kind: Route, Policy: &Policy{Alias: "support", Shares: []Share{{"main", "m", 0}}}}, "all weights are 0"},
		{"no rule", Operation{Kind: Add}, "no rule given"},
	} {
		next, err := Apply(set, []Operation{tt.op})
		got := fmt.Sprint(err)
		if err == nil {
			var actions []string
			for _, r := range next.Rules {
				actions = append(actions, r.Action)
			}
			slices.Sort(actions)
			got = strings.Join(actions, " ")
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if set.Hash() != before {
		t.Error("Apply changed the set it was given")
	}
}

func TestChanged_SaysWhereRulesWent(t *testing.T) {
	a, b, c, d := newRule("A.", "a"), newRule("B.", "b"), newRule("C.", "c"), newRule("D.", "d")
	prev := newSet(t, a, b, c)
	e := newRule("E.", "e")
	e.State = Paused
	ops := []Operation{{Kind: Retire, IDs: []string{a.ID}}, {Kind: Supersede, IDs: []string{b.ID}, Rule: d}, {Kind: Retire, Rule: e}}
	next, err := Apply(prev, ops)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]State{}
	for _, r := range Changed(prev, next, ops) {
		got[r.Action] = r.State
	}
	want := map[string]State{"A.": Retired, "B.": Superseded, "D.": Active, "E.": Retired}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, r := range Changed(next, &Set{App: "shop"}, nil) { // a roll-back
		if r.State != Paused {
			t.Errorf("after a roll-back rule %s is %s, want paused", r.Action, r.State)
		}
	}
}

func TestDecide_HardFilters(t *testing.T) {
	base := func() *Rule { r := newRule("Do it.", ""); r.Scope = Scope{Always: true}; return r }
	for _, tt := range []struct {
		name   string
		change func(*Rule)
		facts  func(*Facts)
		want   int
	}{
		{"always", func(*Rule) {}, func(*Facts) {}, 1},
		{"step", func(r *Rule) { r.Scope.Hard.Steps = []string{"title"} }, func(*Facts) {}, 0},
		{"own step", func(r *Rule) { r.Scope.Hard.Steps = []string{"title", "answer"} }, func(*Facts) {}, 1},
		{"alias", func(r *Rule) { r.Scope.Hard.Alias = "other" }, func(*Facts) {}, 0},
		{"user", func(r *Rule) { r.Scope.Hard.User = "u" }, func(*Facts) {}, 0},
		{"own user", func(r *Rule) { r.Scope.Hard.User = "u" }, func(f *Facts) { f.User = "u" }, 1},
		{"tag", func(r *Rule) { r.Scope.Hard.Tags = map[string]string{"k": "v"} }, func(f *Facts) { f.Tags = map[string]string{"k": "w"} }, 0},
		{"own tag", func(r *Rule) { r.Scope.Hard.Tags = map[string]string{"k": "v"} }, func(f *Facts) { f.Tags = map[string]string{"k": "v"} }, 1},
		{"partition", func(r *Rule) { r.Scope.Hard.Partition = "eu" }, func(f *Facts) { f.Partition = "us" }, 0},
		{"not yet", func(r *Rule) { r.ValidFrom = testNow.Add(1) }, func(*Facts) {}, 0},
		{"over", func(r *Rule) { r.ValidTo = testNow }, func(*Facts) {}, 0},
		{"off", func(*Rule) {}, func(f *Facts) { f.Off = true }, 0},
		{"strict takes no rule of every step", func(*Rule) {}, func(f *Facts) { f.Strict = true }, 0},
		{"strict takes the step's own", func(r *Rule) { r.Scope.Hard.Steps = []string{"answer"} }, func(f *Facts) { f.Strict = true }, 1},
		{"strict takes none that changes format", func(r *Rule) {
			r.Scope.Hard.Steps = []string{"answer"}
			r.Checks = []check.Spec{{Kind: check.KindFormat, Args: []string{"bullets"}}}
		}, func(f *Facts) { f.Strict = true }, 0},
	} {
		r := base()
		tt.change(r)
		f := facts("where is my parcel")
		tt.facts(f)
		d := compile(t, newSet(t, r)).Decide(f, new(Buffer))
		if len(d.Rules) != tt.want {
			t.Errorf("%s: got %d rules, want %d", tt.name, len(d.Rules), tt.want)
		}
	}
}

func TestDecide_HoldoutIsForLifeAndHasItsShare(t *testing.T) {
	r := newRule("Do it.", "")
	r.Scope = Scope{Always: true}
	r.Holdout = 0.1
	canary := r.Clone()
	canary.Version, canary.State, canary.Ramp = 2, Canary, 0.25
	full, part := compile(t, newSet(t, r)), compile(t, newSet(t, canary))
	var withheld, ramped int
	const n = 20000
	for i := range n {
		f := facts("hello")
		f.Unit = fmt.Sprint("unit-", i)
		a, b := full.Decide(f, new(Buffer)).Rules[0], part.Decide(f, new(Buffer)).Rules[0]
		if a.Withheld {
			withheld++
			if !b.Withheld {
				t.Fatal("a unit of the holdout got the rule during the ramp")
			}
		}
		if !b.Withheld {
			ramped++
		}
		if want := map[bool]float64{true: 0.1, false: 0.9}[a.Withheld]; math.Abs(a.Propensity-want) > 1e-9 {
			t.Fatalf("propensity %v, want %v", a.Propensity, want)
		}
	}
	within(t, "holdout", float64(withheld)/n, 0.1, 0.01)
	within(t, "canary at 25 %", float64(ramped)/n, 0.225, 0.012)
}

func within(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance {
		t.Errorf("%s: got %.4f, want %.4f ± %v", what, got, want, tolerance)
	}
}

func TestDecide_LimitsAndOrder(t *testing.T) {
	var rs []*Rule
	for i := range 20 {
		r := newRule(fmt.Sprintf("Do thing %02d.", i), "")
		r.Scope = Scope{Always: true}
		r.Priority = 20 - i
		rs = append(rs, r)
	}
	c := compile(t, newSet(t, rs...))
	d := c.Decide(facts("x"), new(Buffer))
	if len(d.Rules) != MaxInjectedRules {
		t.Fatalf("got %d rules, want %d", len(d.Rules), MaxInjectedRules)
	}
	last := -1 << 31
	for _, rd := range d.Rules {
		if p := c.Set().Rule(rd.ID).Priority; p < last {
			t.Error("rules are not in order of priority")
		} else {
			last = p
		}
	}
	for _, r := range rs {
		r.Action = strings.Repeat("words ", 50)
	}
	c = compile(t, newSet(t, rs...))
	d = c.Decide(facts("x"), new(Buffer))
	tokens := 0
	for _, rd := range d.Rules {
		tokens += Tokens(c.Set().Rule(rd.ID))
	}
	if tokens > MaxInjectedTokens || len(d.Rules) == 0 {
		t.Errorf("got %d tokens in %d rules, want at most %d", tokens, len(d.Rules), MaxInjectedTokens)
	}
}

func TestDecide_UnitesPersonTurns(t *testing.T) {
	r := newRule("Mention the 30 day limit.", "returns", "how do I return shoes", "can I send an item back for a refund", "return a jacket that does not fit")
	c := compile(t, newSet(t, r))
	later := c.Decide(facts("how can I return these shoes", "what is the weather like in Paris"), new(Buffer))
	other := c.Decide(facts("what is the weather like in Paris"), new(Buffer))
	if len(later.Rules) != 1 || len(other.Rules) != 0 {
		t.Errorf("got %d rules with the earlier turn and %d without, want 1 and 0", len(later.Rules), len(other.Rules))
	}
	if !c.Decide(facts("", ""), new(Buffer)).Abstained {
		t.Error("no query in any turn, but it did not abstain")
	}
}

// memo counts its hits and stores copies, as the contract of Memo asks.
type memo struct {
	m    map[string][]match.Hit
	hits int
}

func (m *memo) Get(key uint64, q string) ([]match.Hit, bool) {
	h, ok := m.m[fmt.Sprint(key, q)]
	if ok {
		m.hits++
	}
	return h, ok
}
func (m *memo) Put(key uint64, q string, h []match.Hit) { m.m[fmt.Sprint(key, q)] = slices.Clone(h) }

func TestDecide_MemoGivesTheSame(t *testing.T) {
	r := newRule("Mention the limit.", "returns", "how do I return shoes", "send an item back")
	r.Scope.Hard.Tags = map[string]string{"k": "v"}
	c := compile(t, newSet(t, r))
	m := &memo{m: map[string][]match.Hit{}}
	with, without := &Buffer{Memo: m}, new(Buffer)
	for _, tags := range []map[string]string{{"k": "v"}, {"k": "w"}, nil, {"k": "v"}} {
		f := facts("how do I return shoes", "where is it")
		f.Tags = tags
		a, _ := json.Marshal(c.Decide(f, with))
		b, _ := json.Marshal(c.Decide(f, without))
		if string(a) != string(b) {
			t.Errorf("tags %v: with memo %s, without %s", tags, a, b)
		}
	}
	if m.hits != 2 {
		t.Errorf("%d turns came from the memo, want 2", m.hits)
	}
}

func TestRender(t *testing.T) {
	a, b := newRule("Mention the returns page.", "when someone asks about returns."), newRule("Answer in German.", "")
	a.Priority, b.Scope = 1, Scope{Always: true}
	b.Priority = 2
	c := compile(t, newSet(t, a, b))
	d := Decision{Rules: []RuleDecision{{ID: a.ID}, {ID: b.ID}}}
	got := c.Render(&d)
	want := blockStart + "- When someone asks about returns: Mention the returns page.\n- Always: Answer in German.\n" + blockEnd
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	d.Rules[0].Withheld, d.Rules[1].Withheld = true, true
	if got := c.Render(&d); got != "" {
		t.Errorf("all withheld: got %q, want nothing", got)
	}
	d = Decision{Rules: []RuleDecision{{ID: a.ID}}, Observed: true}
	if got := c.Render(&d); got != "" {
		t.Errorf("observed: got %q, want nothing", got)
	}
}

func TestChoose_StickyAndProportional(t *testing.T) {
	before := []Share{{"a", "m", 1}, {"b", "m", 1}, {"c", "m", 0}}
	after := []Share{{"a", "m", 3}, {"b", "m", 1}, {"c", "m", 0}}
	var atA, moved int
	const n = 20000
	for i := range n {
		unit := fmt.Sprint("u", i)
		x, p := Choose(before, "support", unit)
		y, q := Choose(after, "support", unit)
		if again, _ := Choose(before, "support", unit); again != x {
			t.Fatal("the same unit got another target")
		}
		if p != 0.5 || (q != 0.75 && q != 0.25) {
			t.Fatalf("propensities %v, %v", p, q)
		}
		if y == 0 {
			atA++
		}
		if x != y {
			moved++
		}
		if x == 0 && y != 0 {
			t.Fatal("a unit left the target whose share grew")
		}
	}
	within(t, "share of a", float64(atA)/n, 0.75, 0.012)
	within(t, "moved", float64(moved)/n, 0.25, 0.012)
	if i, _ := Choose([]Share{{"a", "m", 0}}, "x", "u"); i != -1 {
		t.Error("a target without weight was chosen")
	}
}
