package store_test

import (
	"fmt"
	"slices"
	"testing"

	"heed/rules"
	"heed/store"
)

func logged(queries ...string) []*store.Exchange {
	var out []*store.Exchange
	for i, q := range queries {
		out = append(out, &store.Exchange{ID: fmt.Sprint(i), Query: q, Facts: rules.Facts{App: "shop", Queries: []string{q}}})
	}
	return out
}

func shownInside(t *testing.T, set *rules.Set, op rules.Operation, xs []*store.Exchange) (store.Touch, []string) {
	t.Helper()
	got, err := store.TouchIn(set, []rules.Operation{op}, nil, xs)
	if err != nil {
		t.Fatal(err)
	}
	var queries []string
	for _, s := range got.Inside {
		queries = append(queries, s.Query)
	}
	return got, queries
}

// The card shows the least sure of the requests inside, too: they are where a tick
// teaches something.
func TestTouchIn_Spread(t *testing.T) {
	var queries []string
	for i := range 30 {
		queries = append(queries, fmt.Sprint("how do I get a refund for order ", i))
	}
	queries = append(queries, "refund")
	r := &rules.Rule{ID: "r_a", Version: 1, App: "shop", State: rules.Active, Action: "Be kind.", Scope: rules.Scope{AppliesWhen: "refunds", Examples: queries[:1]}}
	all, err := store.TouchIn(&rules.Set{App: "shop"}, []rules.Operation{{Kind: rules.Add, Rule: r}}, nil, logged(queries...))
	if err != nil {
		t.Fatal(err)
	}
	least := all.Inside[len(all.Inside)-1]
	for i, x := range logged(queries...) {
		one, _ := shownInside(t, &rules.Set{App: "shop"}, rules.Operation{Kind: rules.Add, Rule: r}, []*store.Exchange{x})
		if one.In == 1 && one.Inside[0].P < least.P {
			t.Errorf("request %d (%q, %.3f) is less sure than all that are shown (%q, %.3f)", i, x.Query, one.Inside[0].P, least.Query, least.P)
		}
	}
	if all.In < 20 || len(all.Inside) != 10 || !slices.IsSortedFunc(all.Inside, func(a, b store.Sample) int { return int(1e6 * (b.P - a.P)) }) {
		t.Errorf("%d in scope, shown %+v", all.In, all.Inside)
	}
}

// A proposal to revise a rule shows first what it would newly touch.
func TestTouchIn_Revise(t *testing.T) {
	xs := logged("how do I get a refund for order 1", "how do I get a refund for order 2", "where is my parcel now", "where is my parcel today")
	old := rules.Rule{ID: "r_a", Version: 1, App: "shop", State: rules.Active, Action: "Be kind.", Scope: rules.Scope{AppliesWhen: "refunds", Examples: []string{xs[0].Query}}}
	next := old.Clone()
	next.Version++
	next.Scope.Examples = append(next.Scope.Examples, xs[2].Query)
	got, shown := shownInside(t, &rules.Set{App: "shop", Rules: []rules.Rule{old}}, rules.Operation{Kind: rules.Revise, Rule: next}, xs)
	if got.In != 4 || len(shown) != 4 || !slices.Contains(shown[:2], xs[2].Query) || !slices.Contains(shown[:2], xs[3].Query) {
		t.Errorf("%d in scope, shown %q; want what is new first", got.In, shown)
	}
}

// Of a conversation the card shows the turn that brings the rule, not the newest,
// which may be about something else: ticking that would teach the wrong thing.
func TestTouchIn_TurnOfAConversation(t *testing.T) {
	xs := logged("how do I get a refund for order 1", "where is my parcel", "do you sell maps")
	xs[1].Facts.Queries = []string{"how do I get a refund for order 7", "where is my parcel"}
	r := &rules.Rule{ID: "r_a", Version: 1, App: "shop", State: rules.Active, Action: "Be kind.", Scope: rules.Scope{AppliesWhen: "refunds", Examples: []string{xs[0].Query}}}
	got, shown := shownInside(t, &rules.Set{App: "shop"}, rules.Operation{Kind: rules.Add, Rule: r}, xs)
	if got.In != 2 || len(shown) != 2 || !slices.Contains(shown, "how do I get a refund for order 7") {
		t.Errorf("%d in scope, shown %q; want the turns about refunds", got.In, shown)
	}
	r.Scope = rules.Scope{Always: true}
	if _, shown = shownInside(t, &rules.Set{App: "shop"}, rules.Operation{Kind: rules.Add, Rule: r}, xs); !slices.Contains(shown, "where is my parcel") {
		t.Errorf("always, shown %q; want the newest turns", shown)
	}
}
