package match

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// shop is a small app: three rules, each from a few requests.
var shop = []Scope{
	{ID: "r_refund", AppliesWhen: "questions about refunds", Examples: []string{
		"how do i get a refund for my order", "i want my money back", "can you refund the shoes i returned", "when is my refund paid out"}},
	{ID: "r_hours", AppliesWhen: "opening hours of the shops", Examples: []string{
		"when do you open on sunday", "what are your opening hours", "is the shop in graz open today", "until when are you open"}},
	{ID: "r_size", Comment: "Say which sizes run small.", Examples: []string{
		"which shoe size do i need", "do these boots run small", "is the size chart in european sizes", "what size is a medium"}},
}

func compile(t testing.TB, scopes []Scope, stats *Stats) *Index {
	t.Helper()
	ix, err := Compile(scopes, stats)
	if err != nil {
		t.Fatal(err)
	}
	return ix
}

// ruleIDs returns the ids of the rules that a query hits, best first.
func ruleIDs(ix *Index, scopes []Scope, query string) []string {
	var buf Buffer
	var ids []string
	for _, h := range ix.Match(query, nil, &buf) {
		ids = append(ids, scopes[h.Rule].ID)
	}
	return ids
}

func TestIndex_Match_UnseenRequests(t *testing.T) {
	ix := compile(t, shop, nil)
	check := func(query string, want ...string) {
		t.Helper()
		if got := ruleIDs(ix, shop, query); !slices.Equal(got, want) {
			t.Errorf("Match(%q) = %v, want %v", query, got, want)
		}
	}
	check("please refund my order", "r_refund")
	check("Could I get a REFUND?", "r_refund")
	check("what time do you open on sundays", "r_hours")
	check("which size of boots should i order", "r_size")
	check("write a python function that sorts a list")
	check("who was the first president of france")
	check("hello there")
	check("")
	check("?!")
}

func TestCompile_ScopeWithoutAnything_NeverHits(t *testing.T) {
	scopes := []Scope{{ID: "r_empty"}, shop[0]}
	if got := ruleIDs(compile(t, scopes, nil), scopes, "how do i get a refund"); !slices.Equal(got, []string{"r_refund"}) {
		t.Errorf("hits = %v, want r_refund only", got)
	}
	if got := ruleIDs(compile(t, scopes[:1], nil), scopes, "how do i get a refund"); got != nil {
		t.Errorf("hits = %v of a scope without examples and words, want none", got)
	}
}

func TestIndex_Match_IneligibleNeitherHitsNorCompetes(t *testing.T) {
	twin := shop[0]
	twin.ID = "r_twin"
	twin.Examples = []string{"how do i get a refund for the order", "i want back my money", "can you refund these shoes i returned", "when is the refund paid out"}
	scopes := append(slices.Clone(shop), twin)
	ix := compile(t, scopes, nil)
	var buf Buffer
	query := "can i get a refund for my order"
	both := slices.Clone(ix.Match(query, nil, &buf))
	one := ix.Match(query, func(rule int) bool { return rule != 3 }, &buf)
	if len(one) != 1 || one[0].Rule != 0 {
		t.Fatalf("hits without the twin = %v, want rule 0 alone", one)
	}
	for _, h := range both {
		if h.Rule == 0 && h.P >= one[0].P {
			t.Errorf("P = %v beside its twin, want less than %v alone", h.P, one[0].P)
		}
	}
}

func TestIndex_Match_SharedSourceDoesNotCompete(t *testing.T) {
	a, b := shop[0], shop[0]
	a.Sources, b.Sources, b.ID = []string{"f1"}, []string{"f1"}, "r_other"
	scopes := []Scope{a, b, shop[1]}
	if got := ruleIDs(compile(t, scopes, nil), scopes, "how do i get a refund for my order"); len(got) != 2 {
		t.Errorf("hits = %v, want both rules of one feedback", got)
	}
}

func TestIndex_Match_DoesNotAllocate(t *testing.T) {
	ix := compile(t, shop, nil)
	var buf Buffer
	ix.Match("can i get a refund for my order", nil, &buf)
	if n := testing.AllocsPerRun(100, func() { ix.Match("can i get a refund for my order", nil, &buf) }); n != 0 {
		t.Errorf("Match allocates %v times, want 0", n)
	}
}

// TestIndex_Match_UnseenWordsDoNotAllocate gives each match 1,500 bytes of words
// that no match before it had.
func TestIndex_Match_UnseenWordsDoNotAllocate(t *testing.T) {
	traffic, _ := bankTraffic()
	for name, s := range map[string]*Stats{"cold": nil, "warm": Fit(bankScopes(), traffic, FitOptions{})} {
		ix := compile(t, bankScopes(), s)
		draw := rand.New(rand.NewPCG(1, 2))
		text := func() string {
			b := []byte("please freeze my account")
			for len(b) < maxTextBytes {
				b = append(b, ' ')
				for range 3 + draw.IntN(12) {
					b = append(b, "aeioubdfglmnprstvwxy"[draw.IntN(20)])
				}
				b = append(b, []string{"", "s", "ing", "ational", "ness", "ed"}[draw.IntN(6)]...)
			}
			return string(b[:maxTextBytes])
		}
		var texts []string
		for range 400 {
			texts = append(texts, text())
		}
		var buf Buffer
		i := 0
		next := func() {
			ix.Match(texts[i], nil, &buf)
			i++
		}
		for range 100 { // to size the buffer
			next()
		}
		if n := testing.AllocsPerRun(200, next); n != 0 {
			t.Errorf("%s: Match allocates %v times for unseen words, want 0", name, n)
		}
	}
}

func TestStats_MarshalBinary_RoundTrip(t *testing.T) {
	var traffic []Logged
	for _, q := range []string{"refund please", "open on monday?", "do you sell socks", "are socks warm", "wool socks in blue"} {
		traffic = append(traffic, Logged{Step: "s", Text: q, Query: q})
	}
	s := Fit(shop, traffic, FitOptions{})
	b, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	got, err := UnmarshalStats(b)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := got.MarshalBinary()
	if !slices.Equal(b, again) {
		t.Errorf("a second round trip changes the %d bytes", len(b))
	}
	if want, got := ruleIDs(compile(t, shop, s), shop, "refund my order"), ruleIDs(compile(t, shop, got), shop, "refund my order"); !slices.Equal(want, got) {
		t.Errorf("hits = %v after the round trip, want %v", got, want)
	}
	for i := 0; i < len(b); i += 97 {
		if _, err := UnmarshalStats(b[:i]); err == nil {
			t.Fatalf("accepted the first %d of %d bytes", i, len(b))
		}
	}
}

// Few rules are looser, but not those that people took many requests from; that makes
// no rule stricter than 30 rules side by side are.
func TestRejectWeight(t *testing.T) {
	for _, c := range []struct {
		against, rules int
		trust, want    float32
	}{{0, 1, 1, 0.1}, {0, 6, 1, 0.1}, {0, 15, 1, 0.25}, {2, 6, 1, 0.1}, {6, 6, 1, 0.2}, {20, 6, 1, 0.5}, {20, 45, 1, 0.75}, {0, 90, 1, 1}, {0, 10, 0, 0.5}} {
		if got := rejectWeight(c.against, c.rules, c.trust); got != c.want {
			t.Errorf("%d counterexamples, %d rules, trust %g: weight %g, want %g", c.against, c.rules, c.trust, got, c.want)
		}
	}
}

// Requests that are marked as none of a rule's own count for that rule, and no other.
func TestCompile_CounterexamplesMakeTheirRuleStricter(t *testing.T) {
	marked := shop[0]
	for i := range 20 {
		marked.Counterexamples = append(marked.Counterexamples, shop[1].Examples[i%4]+" "+string(rune('a'+i)))
	}
	least := func(first Scope) (refund, size float32) {
		ix := compile(t, []Scope{first, shop[2]}, nil)
		for _, c := range ix.classes[:2] {
			if c.rule == 0 {
				refund = c.reject
			} else {
				size = c.reject
			}
		}
		return refund, size
	}
	before, other := least(shop[0])
	after, same := least(marked)
	if after <= before || same != other {
		t.Errorf("weight of no rule against the marked rule %g, before %g; against the other %g, before %g", after, before, same, other)
	}
}
