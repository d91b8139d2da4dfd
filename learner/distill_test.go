package learner

import (
	"strings"
	"testing"

	"heed/rules"
	"heed/rules/check"
	"heed/store"
)

func TestTopic(t *testing.T) {
	var traffic []string
	for _, s := range strings.Fields("order parcel invoice voucher account password delivery address size colour") {
		for _, v := range []string{"where is my ", "how do i change the ", "help me with the ", "i have a question about the ", "what about my ", "cancel the "} {
			traffic = append(traffic, v+s)
		}
	}
	known := Count(traffic)
	for _, c := range []struct {
		queries []string
		want    string
	}{
		{[]string{"how do i change the delivery address"}, "the request is about change, delivery, address"},
		{[]string{"where is my parcel 4711-0815", "where is the parcel for jane.doe@mail.example"}, "the request is about parcel, jane, doe, mail"},
		{[]string{"why", "how so"}, ""},
		{nil, ""},
	} {
		if got := Topic(c.queries, known); got != c.want {
			t.Errorf("Topic(%q) = %q, want %q", c.queries, got, c.want)
		}
	}
}

// What is injected into other people's requests never quotes the judged one.
func TestDistill_NeverQuotesTheRequest(t *testing.T) {
	query := "my daughter anna was born on the third of may and needs a passport before june"
	link := &store.Link{Query: query, Step: "s1"}
	for _, when := range []string{"", query, "somebody writes " + query} {
		f := &store.Feedback{ID: "f", App: "shop", Comment: "mention the express service", When: when}
		r := Distill(f, Diagnose(Case{Feedback: f}), link, AppPolicy{}, Frequencies{})
		if r == nil || r.Scope.AppliesWhen == "" || quotes(r.Scope.AppliesWhen, query, quoteWords) || len(words(r.Scope.AppliesWhen)) > 10 {
			t.Errorf("condition for %q: %+v", when, r)
		}
	}
}

func TestDistill_Scopes(t *testing.T) {
	link := &store.Link{Query: "how do i return my shoes", Step: "s1"}
	said := func(change func(f *store.Feedback)) *rules.Rule {
		f := &store.Feedback{ID: "f", App: "shop", User: "u1", Comment: "Mention the fee"}
		change(f)
		return Distill(f, Diagnose(Case{Feedback: f}), link, AppPolicy{Holdout: 0.1}, Frequencies{})
	}
	if r := said(func(f *store.Feedback) { f.When = "every answer" }); !r.Scope.Always || r.Scope.AppliesWhen != "" {
		t.Errorf("always: %+v", r.Scope)
	}
	if r := said(func(f *store.Feedback) { f.Comment = "Call me Bob." }); r == nil || r.Scope.Hard.User != "u1" {
		t.Errorf("one person's name: %+v", r)
	}
	if r := said(func(f *store.Feedback) { f.Comment, f.User = "Call me Bob.", "" }); r != nil {
		t.Errorf("the name of nobody known became a rule for all: %+v", r)
	}
	if r := said(func(f *store.Feedback) { f.Comment = "Keep it under 30 words for me." }); r.Scope.Hard.User != "u1" {
		t.Errorf("one person's taste became a rule for all: %+v", r.Scope.Hard)
	}
	if r := said(func(f *store.Feedback) { f.Comment = "Keep it short for me. Thank you!" }); r.Scope.Hard.User != "u1" {
		t.Errorf("one person's taste became a rule for all: %+v", r.Scope.Hard)
	}
	if r := said(func(f *store.Feedback) { f.Comment = "For me, always mention the fee" }); r.Scope.Hard.User != "u1" {
		t.Errorf("one person's taste: %+v", r.Scope)
	}
	if r := said(func(f *store.Feedback) { f.Comment = "When somebody asks about parcels, mention the fee" }); r.Scope.AppliesWhen != "somebody asks about parcels" || r.Action != "Mention the fee." {
		t.Errorf("condition in the comment: %+v", r)
	}
	if r := said(func(f *store.Feedback) { f.When = "refund questions." }); r.Scope.AppliesWhen != "someone asks refund questions" {
		t.Errorf("a noun as condition: %q", r.Scope.AppliesWhen)
	}
	r := said(func(*store.Feedback) {})
	r.ID = rules.NewID()
	if err := r.Validate(); err != nil {
		t.Errorf("rule is not valid: %v", err)
	}
}

func TestSame(t *testing.T) {
	rule := func(action, when string, examples ...string) *rules.Rule {
		r := &rules.Rule{ID: rules.NewID(), Action: action, Checks: check.Compile(action)}
		r.Scope.AppliesWhen, r.Scope.Examples, r.Scope.Hard.Steps = when, examples, []string{"s1"}
		if when == "" {
			r.Scope.AppliesWhen = Topic(examples, Frequencies{})
		}
		return r
	}
	otherStep := rule("Mention the hotline.", "", "how do i return my shoes")
	otherStep.Scope.Hard.Steps = []string{"s2"}
	base := rule("Mention the hotline.", "", "how do i return my shoes")
	for _, c := range []struct {
		name string
		a, b *rules.Rule
		want bool
	}{
		{"same words, same request", base, rule("Always mention the hotline.", "", "how do i return my shoes"), true},
		{"specific, nobody named a condition", base, rule("Mention the hotline.", "", "is my battery covered"), true},
		{"conditions that differ", rule("Mention the hotline.", "somebody asks about returns", "how do i return it"), rule("Mention the hotline.", "somebody asks about batteries", "is my battery covered"), false},
		{"conditions of plain words", rule("Mention the hotline.", "someone asks who are you"), rule("Mention the hotline.", "who are you questions"), true},
		{"another step", base, otherStep, false},
		{"the opposite", base, rule("Never mention the hotline.", "", "how do i return my shoes"), false},
		{"another thing", base, rule("Mention the blog.", "", "how do i return my shoes"), false},
		{"other numbers", rule("Mention the 30 day window.", "", "a b c return"), rule("Mention the 60 day window.", "", "a b c return"), false},
		{"general, another topic", rule("Keep the answer short.", "", "how do i return my shoes"), rule("Keep the answer short.", "", "which sizes does the parka come in"), false},
	} {
		if got := len(Same(c.a, []*rules.Rule{nil, c.b}, nil)) == 1; got != c.want {
			t.Errorf("%s: same %v, want %v", c.name, got, c.want)
		}
	}
}

func TestFitScopes_LeavesOutWhatTakesRequests(t *testing.T) {
	p := func(change func(*store.Proposal)) *store.Proposal {
		out := &store.Proposal{Ops: []rules.Operation{{Kind: rules.Add, Rule: &rules.Rule{ID: rules.NewID(), Scope: rules.Scope{Examples: []string{"x"}}}}}}
		change(out)
		return out
	}
	good := p(func(*store.Proposal) {})
	set := &rules.Set{App: "shop"}
	scopes, first := fitScopes(set, []*store.Proposal{good,
		p(func(p *store.Proposal) { p.Problems = []check.Problem{{Code: "role"}} }),
		p(func(p *store.Proposal) { p.Conflicts = []store.Conflict{{Rule: "r"}} }),
		{Ops: []rules.Operation{{Kind: rules.Retire, IDs: []string{"r"}}}}})
	if len(scopes) != 1 || scopes[0].ID != good.Rule().ID {
		t.Errorf("scopes %+v, want the good proposal's", scopes)
	}
	good.Ops[0].Rule.Scope.Examples = append(good.Ops[0].Rule.Scope.Examples, "y")
	if _, second := fitScopes(set, []*store.Proposal{good}); first == second {
		t.Error("another example does not change the name")
	}
}

func TestConflicting_BeginAndEndGoTogether(t *testing.T) {
	rule := func(action string) *rules.Rule {
		r := &rules.Rule{ID: rules.NewID(), App: "shop", Action: action, Checks: check.Compile(action)}
		r.Scope.Examples = []string{"how do i return my shoes"}
		return r
	}
	set := &rules.Set{App: "shop", Rules: []rules.Rule{*rule(`Always open with "Hello there".`)}}
	if got := Conflicting(rule(`Always close with "The shop team".`), set, nil, "", nil); len(got) != 0 {
		t.Errorf("conflicts %+v between a beginning and an end", got)
	}
	if got := Conflicting(rule(`Begin with "Good day".`), set, nil, "", nil); len(got) != 1 || got[0].Advice != "supersede" {
		t.Errorf("conflicts %+v between two beginnings, want one", got)
	}
}
