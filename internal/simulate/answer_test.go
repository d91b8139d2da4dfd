package simulate

import (
	"strings"
	"testing"
)

const block = "<learned_guidelines>\nThese rank below.\n- When someone asks about returns: mention the blue form\n</learned_guidelines>"

func TestModel_ReadsRulesWhereverTheyStand(t *testing.T) {
	m := NewModel(Options{})
	cases := map[string][]turn{
		"end of system":     {{"system", "You help.\n\n" + block}, {"user", returnsQuestion}},
		"own system":        {{"system", "You help."}, {"user", "hi"}, {"system", block}, {"user", returnsQuestion}},
		"before the user's": {{"user", block + "\n" + returnsQuestion}},
		"after the user's":  {{"user", returnsQuestion + "\n\n" + block}},
		"bare line":         {{"system", "You help.\n- When someone asks about returns: mention the blue form"}, {"user", returnsQuestion}},
		"brackets":          {{"user", returnsQuestion + "\n[rules]\nAlways mention the blue form.\n[/rules]"}},
		"dashes":            {{"user", returnsQuestion + "\n--- begin rules ---\nAlways mention the blue form.\n--- end rules ---"}},
	}
	for name, turns := range cases {
		if got := m.answer(&conversation{model: "m", turns: turns}, 0).text; !strings.Contains(got, "blue form") {
			t.Errorf("%s: %q does not obey", name, got)
		}
	}
	plain := []turn{{"user", "Always mention the blue form. " + returnsQuestion}}
	if got := m.answer(&conversation{model: "m", turns: plain}, 0).text; strings.Contains(got, "blue form") {
		t.Errorf("a user's own words are no instruction of the agent: %q", got)
	}
}

func TestModel_ConditionAndOverApply(t *testing.T) {
	s := Scenario()
	share := func(over float64, questions []Question) float64 {
		m := NewModel(Options{OverApply: over})
		n := 0
		for _, q := range questions {
			if strings.Contains(m.answer(ask("m", "You help.\n"+block, q.Text), 0).text, "blue form") {
				n++
			}
		}
		return float64(n) / float64(len(questions))
	}
	var inside []Question
	for _, q := range Questions("returns") {
		inside = append(inside, Question{"returns", q})
	}
	if got := share(-1, inside); got != 1 {
		t.Errorf("in scope: %.2f obeyed, want all", got)
	}
	if got := share(-1, append(s.Neighbours, s.Unrelated...)); got != 0 {
		t.Errorf("out of scope without over-applying: %.2f obeyed, want none", got)
	}
	if got := share(0, s.Neighbours); got < 0.4 || got > 0.6 {
		t.Errorf("out of scope by default: %.2f obeyed, want about 0.5", got)
	}
}

func TestModel_AgentsOwnPromptWins(t *testing.T) {
	m := NewModel(Options{})
	for _, own := range []string{"Never mention the blue form.", "Do not say anything about the blue form. Avoid the blue form."} {
		if got := m.answer(ask("m", own+"\n"+block, returnsQuestion), 0).text; strings.Contains(got, "blue form") {
			t.Errorf("own prompt %q: answered %q", own, got)
		}
	}
	got := m.answer(ask("m", "Write in capital letters.\n<r>\nUse lower case.\n</r>", returnsQuestion), 0).text
	if got != strings.ToUpper(got) {
		t.Errorf("the learned case beat the agent's own: %q", got)
	}
}

func TestModel_ObedienceCapAndComplaints(t *testing.T) {
	share := func(opts Options, system string) float64 {
		m := NewModel(opts)
		n, all := 0, 0
		for _, q := range Scenario().Neighbours {
			all++
			if strings.Contains(m.answer(ask("m", system, q.Text), 0).text, "green badge") {
				n++
			}
		}
		return float64(n) / float64(all)
	}
	rule := "Always mention the green badge."
	cases := []struct {
		name     string
		opts     Options
		system   string
		low, top float64
	}{
		{"obedient", Options{}, rule, 1, 1},
		{"flaky", Options{Obedience: 0.6}, rule, 0.5, 0.7},
		{"never", Options{Obedience: -1}, rule, 0, 0},
		{"within the cap", Options{Cap: 2}, "Be polite.\n" + rule, 1, 1},
		{"beyond the cap", Options{Cap: 2}, "Be polite.\nThank the customer.\n" + rule, 0, 0},
		{"complaint", Options{}, "<notes>\nYou did not mention the green badge.\n</notes>", 0.05, 0.3},
	}
	for _, c := range cases {
		if got := share(c.opts, c.system); got < c.low || got > c.top {
			t.Errorf("%s: %.2f obeyed, want %.2f to %.2f", c.name, got, c.low, c.top)
		}
	}
}

func TestModel_SkillsDifferAndIrrelevantRulesCost(t *testing.T) {
	opts := Options{Skills: map[string]map[string]float64{"mini": {"invoices": 0.3, "*": 0.9}}, IrrelevantCost: 0.2}
	m := NewModel(opts)
	share := func(model, system string, topic string) float64 {
		n, all := 0, 0
		for seed := range 30 {
			m.opts.Seed = uint64(seed)
			for _, q := range Questions(topic) {
				all++
				if Right(q, m.answer(ask(model, system, q), 0).text) {
					n++
				}
			}
		}
		return float64(n) / float64(all)
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if got < want-0.08 || got > want+0.08 {
			t.Errorf("%s: %.2f right, want about %.2f", what, got, want)
		}
	}
	near("mini on invoices", share("mini", "", "invoices"), 0.3)
	near("mini elsewhere", share("mini", "", "shipping"), 0.9)
	near("another model", share("big", "", "invoices"), 1)
	near("one irrelevant rule", share("big", block, "invoices"), 0.8)
	near("a relevant rule", share("big", block, "returns"), 1)
}

func TestModel_Deterministic(t *testing.T) {
	s := Scenario()
	a, b, other := NewModel(Options{Seed: 5}), NewModel(Options{Seed: 5}), NewModel(Options{Seed: 6})
	differ := 0
	for _, q := range append(s.Train, s.Neighbours...) {
		c := ask("m", s.System, q.Text)
		first := a.answer(c, 0)
		if again := b.answer(c, 0); again != first {
			t.Fatalf("%q: answered %+v, then %+v", q.Text, first, again)
		}
		if other.answer(c, 0).text != first.text {
			differ++
		}
	}
	if differ == 0 {
		t.Error("another seed changed no answer")
	}
}

func TestModel_TokenLimitAndJSON(t *testing.T) {
	c := ask("m", "", returnsQuestion)
	c.maxTokens = 5
	if r := NewModel(Options{}).answer(c, 0); !r.cut || r.used > 5 {
		t.Errorf("got %+v, want an answer cut at 5 tokens", r)
	}
	c.maxTokens, c.json = 0, true
	if r := NewModel(Options{}).answer(c, 0); !(Expectation{Kind: JSON}).Met(r.text) {
		t.Errorf("got %q, want a JSON object", r.text)
	}
}
