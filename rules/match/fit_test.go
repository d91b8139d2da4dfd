package match

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// topics are what people ask a small bank; each line is one topic.
var topics = map[string][]string{
	"freeze": {"freeze my account", "put a block on my account", "lock the account", "can you block my bank account", "stop all activity on my account"},
	"limit":  {"raise my card limit", "increase the limit of my card", "higher credit limit please", "what is my card limit", "can my limit be increased"},
	"pin":    {"change my pin", "i forgot my card pin", "new pin for my card", "reset the pin of my card", "how do i set another pin"},
	"lost":   {"i lost my card", "my card was stolen", "card is gone", "report a stolen card", "cannot find my card"},
}

// bankTraffic varies each topic's requests.
func bankTraffic() (traffic []Logged, label []string) {
	for _, topic := range []string{"freeze", "limit", "pin", "lost"} {
		for i, q := range topics[topic] {
			for j, tail := range []string{"", " please", " today", " as soon as possible", " thanks", " for me", " from abroad", " online", " by phone"} {
				for _, head := range []string{"", "hi ", "i want to ask: ", "hello, "} {
					text := head + q + tail
					traffic = append(traffic, Logged{Step: "s", Text: text, Query: text})
					label = append(label, topic)
				}
				_, _ = i, j
			}
		}
	}
	return traffic, label
}

func bankScopes() []Scope {
	return []Scope{
		{ID: "r_freeze", Examples: topics["freeze"][:3]},
		{ID: "r_pin", Examples: topics["pin"][:3]},
	}
}

// wrongHits counts the traffic of topics without a rule that gets one.
func wrongHits(t testing.TB, scopes []Scope, s *Stats) (wrong, right int) {
	t.Helper()
	ix := compile(t, scopes, s)
	traffic, label := bankTraffic()
	var buf Buffer
	for i, l := range traffic {
		for _, h := range ix.Match(l.Query, nil, &buf) {
			if scopes[h.Rule].ID == "r_"+label[i] {
				right++
			} else {
				wrong++
			}
		}
	}
	return wrong, right
}

func TestFit_ClustersOfOtherTrafficCompete(t *testing.T) {
	traffic, _ := bankTraffic()
	without := Fit(bankScopes(), traffic, FitOptions{Rivals: -1})
	with := Fit(bankScopes(), traffic, FitOptions{Rivals: 12})
	wrong0, right0 := wrongHits(t, bankScopes(), without)
	wrong1, right1 := wrongHits(t, bankScopes(), with)
	if wrong1 > wrong0 || wrong0 == 0 {
		t.Errorf("wrong hits: %d without rivals, %d with: want some and then fewer", wrong0, wrong1)
	}
	if 10*right1 < 7*right0 {
		t.Errorf("right hits: %d without rivals, %d with: lost too many", right0, right1)
	}
}

func TestCompile_CounterexamplesCompete(t *testing.T) {
	scopes := bankScopes()
	query := "can you unblock the account"
	if got := ruleIDs(compile(t, scopes, nil), scopes, query); !slices.Equal(got, []string{"r_freeze"}) {
		t.Fatalf("hits = %v to begin with, want the rule", got)
	}
	scopes[0].Counterexamples = []string{"unblock my account", "please unblock the account"}
	if got := ruleIDs(compile(t, scopes, nil), scopes, query); len(got) != 0 {
		t.Errorf("hits = %v after the request was marked as not applying, want none", got)
	}
	if got := ruleIDs(compile(t, scopes, nil), scopes, "lock my account"); !slices.Equal(got, []string{"r_freeze"}) {
		t.Errorf("hits = %v of a request like the examples, want the rule still", got)
	}
}

func TestFit_SameInSameOut(t *testing.T) {
	traffic, _ := bankTraffic()
	a, _ := Fit(bankScopes(), traffic, FitOptions{}).MarshalBinary()
	b, _ := Fit(bankScopes(), traffic, FitOptions{}).MarshalBinary()
	if !bytes.Equal(a, b) {
		t.Error("two fits of the same traffic differ")
	}
}

func TestFit_OlderStatsServeNewAndRetiredRules(t *testing.T) {
	traffic, _ := bankTraffic()
	s := Fit(bankScopes(), traffic, FitOptions{})
	scopes := []Scope{bankScopes()[1], {ID: "r_new", Examples: []string{"exchange euros for dollars", "buy foreign currency", "how many yen do i get"}}}
	if got := ruleIDs(compile(t, scopes, s), scopes, "can i buy some foreign currency"); !slices.Equal(got, []string{"r_new"}) {
		t.Errorf("hits = %v, want the rule that the statistics do not know", got)
	}
	if got := ruleIDs(compile(t, scopes, s), scopes, "where is my new pin"); !slices.Equal(got, []string{"r_pin"}) {
		t.Errorf("hits = %v, want the rule that they know", got)
	}
}

// A rule approved after the last fit has its own topic among the rivals.
func TestCompile_NewRuleDoesNotCompeteWithItsOwnTopic(t *testing.T) {
	traffic, label := bankTraffic()
	s := Fit(bankScopes()[:1], traffic, FitOptions{})
	scopes := bankScopes()
	ix := compile(t, scopes, s)
	var buf Buffer
	hit, of := 0, 0
	for i, l := range traffic {
		if label[i] != "pin" {
			continue
		}
		of++
		for _, h := range ix.Match(l.Query, nil, &buf) {
			if scopes[h.Rule].ID == "r_pin" {
				hit++
			}
		}
	}
	if 2*hit < of {
		t.Errorf("the new rule hits %d of %d requests of its topic, want half at least", hit, of)
	}
}

func TestIndex_WithThreshold_HoldsForRareLanguages(t *testing.T) {
	scopes := []Scope{{ID: "r", Examples: []string{"kde je moje zásilka", "sledovat zásilku"}}}
	ix := compile(t, scopes, Count(nil, []string{"dobrý den", "kde je obchod", "sledovat seriál"}))
	for _, least := range []float32{0.05, 0.2} {
		low := ix.WithThreshold(least)
		if got := low.least(0); got != least {
			t.Errorf("least = %v of a language hardly seen, want the caller's %v", got, least)
		}
	}
	if got := ix.least(0); got < strictThreshold {
		t.Errorf("least = %v by default, want %v at least", got, strictThreshold)
	}
}

func TestFit_LittleTrafficIsTrustedLittle(t *testing.T) {
	traffic, _ := bankTraffic()
	last := float32(-1)
	for _, n := range []int{0, 8, 60, len(traffic)} {
		trust := Fit(bankScopes(), traffic[:n], FitOptions{}).trust()
		if trust < last || trust > 1 || n == 0 && trust != 0 {
			t.Errorf("trust = %v with %d requests, %v with fewer: want it to grow from 0 to at most 1", trust, n, last)
		}
		last = trust
	}
}

func TestFit_NoTraffic(t *testing.T) {
	s := Fit(bankScopes(), nil, FitOptions{})
	if got := ruleIDs(compile(t, bankScopes(), s), bankScopes(), "lock my account"); !slices.Equal(got, []string{"r_freeze"}) {
		t.Errorf("hits = %v without traffic, want as cold", got)
	}
}

func TestIndex_Match_Properties(t *testing.T) {
	traffic, _ := bankTraffic()
	scopes := append(bankScopes(), shop...)
	scopes[2].Partition, scopes[3].Partition = "shop", "shop"
	for name, s := range map[string]*Stats{"cold": nil, "warm": Fit(scopes, traffic, FitOptions{})} {
		ix := compile(t, scopes, s)
		var buf, fresh Buffer
		for _, l := range traffic {
			hits := slices.Clone(ix.Match(l.Query, nil, &buf))
			if len(hits) > MaxHits {
				t.Fatalf("%s: %d hits of %q", name, len(hits), l.Query)
			}
			for i, h := range hits {
				if h.P < ix.Threshold() || h.P > 1 || i > 0 && h.P > hits[i-1].P {
					t.Errorf("%s: hits %v of %q: want P from %v up to 1, descending", name, hits, l.Query, ix.Threshold())
				}
			}
			fresh = Buffer{}
			if again := ix.Match(l.Query, nil, &fresh); !slices.Equal(hits, again) {
				t.Errorf("%s: %q gives %v with a used buffer and %v with a new one", name, l.Query, hits, again)
			}
			for _, h := range ix.Match(l.Query, func(r int) bool { return r%2 == 0 }, &buf) {
				if h.Rule%2 != 0 {
					t.Errorf("%s: an ineligible rule hit %q", name, l.Query)
				}
			}
			if got := ix.Match(l.Query, func(int) bool { return false }, &buf); len(got) != 0 {
				t.Errorf("%s: %q hit %v though no rule is eligible", name, l.Query, got)
			}
		}
	}
}

func TestIndex_WithThreshold(t *testing.T) {
	ix := compile(t, shop, nil)
	var buf Buffer
	loose, strict := len(ix.WithThreshold(0.01).Match("order", nil, &buf)), len(ix.WithThreshold(0.99).Match("order", nil, &buf))
	if loose <= strict {
		t.Errorf("%d hits at 0.01 and %d at 0.99, want fewer", loose, strict)
	}
	if got := ix.WithThreshold(7).Threshold(); got != ix.Threshold() {
		t.Errorf("threshold %v from one out of range", got)
	}
}

func TestCompile_TooManyScopes(t *testing.T) {
	_, err := Compile(make([]Scope, MaxScopes+1), nil)
	if err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("error = %v, want one that names the limit", err)
	}
}

func TestCompile_TenThousandScopes(t *testing.T) {
	var scopes []Scope
	for i := range 10_000 {
		scopes = append(scopes, Scope{ID: fmt.Sprint(i), Examples: []string{fmt.Sprintf("where is parcel zx%dqv now", i), fmt.Sprintf("track zx%dqv", i)}})
	}
	ix := compile(t, scopes, nil)
	if got := ruleIDs(ix, scopes, "is parcel zx4711qv here"); len(got) == 0 || got[0] != "4711" {
		t.Errorf("hits = %v, want rule 4711", got)
	}
}

func FuzzMatch(f *testing.F) {
	traffic, _ := bankTraffic()
	warm, err := Compile(bankScopes(), Fit(bankScopes(), traffic, FitOptions{}))
	if err != nil {
		f.Fatal(err)
	}
	few := Count(nil, topics["pin"]) // small, so that compiling is quick
	for _, seed := range []string{"", "lock my account", "\xff\xfe\x00", strings.Repeat("a b ", 900), "口座を凍結して", "ｆｒｅｅｚｅ", "'’'", "İstanbul ﬁne", strings.Repeat("字", 600)} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, query, example string) {
		var buf Buffer
		warm.Match(query, nil, &buf)
		scopes := []Scope{{ID: "a", Examples: []string{example}, AppliesWhen: query, Counterexamples: []string{query}}, shop[0]}
		for _, h := range compile(t, scopes, few).Match(query, nil, &buf) {
			if !(h.P > 0 && h.P <= 1) || h.Rule < 0 || h.Rule > 1 {
				t.Errorf("hit %+v", h)
			}
		}
	})
}

func FuzzUnmarshalStats(f *testing.F) {
	traffic, _ := bankTraffic()
	small, _ := Fit(bankScopes(), traffic[:40], FitOptions{Background: Count(nil, []string{"hello"}), Rivals: 3}).MarshalBinary()
	f.Add(small)
	f.Add([]byte(blobMagic))
	f.Add([]byte{})
	f.Add(small[:len(small)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := UnmarshalStats(b)
		if err != nil {
			return
		}
		var buf Buffer
		compile(t, bankScopes(), s).Match("lock my account", nil, &buf)
		Extract("s", []string{"lock my account"}, s)
	})
}
