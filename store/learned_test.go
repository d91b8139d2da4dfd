package store_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"heed/rules"
	"heed/rules/check"
	"heed/store"
)

func TestProposal_Mended(t *testing.T) {
	p := func(people, opposed int, weekly float64) *store.Proposal {
		return &store.Proposal{People: people, Opposed: opposed, Touch: store.Touch{Weekly: weekly}}
	}
	if got := p(1, 0, 700).Mended(); got != 350 {
		t.Errorf("one person, 700 requests a week: %v, want 350", got)
	}
	ranked := []*store.Proposal{p(3, 0, 700), p(1, 0, 700), p(1, 1, 700), p(9, 0, 10), p(2, 0, 0), p(1, 0, 0), p(0, 0, 700)}
	for i, a := range ranked[1:] {
		if b := ranked[i]; !(a.Mended() < b.Mended()) {
			t.Errorf("%d people, %d against, %v a week: %v, want less than %v", a.People, a.Opposed, a.Touch.Weekly, a.Mended(), b.Mended())
		}
	}
}

func TestCompareRank(t *testing.T) {
	p := func(kind rules.Kind, people int, weekly float64) *store.Proposal {
		return &store.Proposal{Title: string(kind), People: people, Touch: store.Touch{Weekly: weekly}, Ops: []rules.Operation{{Kind: kind}}}
	}
	unsafe := p(rules.Add, 9, 7000)
	unsafe.Problems = []check.Problem{{Code: check.CodeOverride}}
	none := p(rules.Add, 0, 700)
	want := []*store.Proposal{p(rules.Resume, 0, 0), p(rules.Retire, 0, 0), p(rules.Route, 0, 0), p(rules.Revise, 3, 700), p(rules.Add, 1, 700), none, unsafe}
	got := slices.Clone(want)
	slices.Reverse(got)
	got[5], got[6] = got[6], got[5] // equals keep their order
	slices.SortStableFunc(got, store.CompareRank)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("place %d: %s, %d people, %d problems; want %s", i+1, got[i].Title, got[i].People, len(got[i].Problems), want[i].Title)
		}
	}
}

func TestTouchIn_Weekly(t *testing.T) {
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	r := &rules.Rule{ID: rules.NewID(), Version: 1, App: "shop", State: rules.Active, Action: "Be brief.", Scope: rules.Scope{Always: true}}
	for _, c := range []struct {
		span time.Duration
		want float64
	}{{14 * 24 * time.Hour, 5}, {time.Minute, 70}} {
		var xs []*store.Exchange
		for i := range 10 {
			at := now.Add(-time.Duration(i) * c.span / 9)
			xs = append(xs, &store.Exchange{ID: store.NewID(), App: "shop", Time: at, Query: "hello there", Facts: rules.Facts{App: "shop", Queries: []string{"hello there"}, Now: at}})
		}
		got, err := store.TouchIn(&rules.Set{App: "shop"}, []rules.Operation{{Kind: rules.Add, Rule: r}}, nil, xs)
		if err != nil || math.Abs(got.Weekly-c.want) > 0.001 {
			t.Errorf("%d of %d over %v: %v a week (%v), want %v", got.In, got.Of, c.span, got.Weekly, err, c.want)
		}
	}
}

func TestFinding_Trend(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 31, 9, 0, 0, 0, time.UTC)
	var f store.Finding
	for age := range 120 {
		f.Complained(now.AddDate(0, 0, -age), 1)
	}
	kept := f.Days
	f.Complained(now, 4)
	f.Complained(now.AddDate(0, 0, -8), -1)
	if week, before := f.Trend(now); week != 11 || before != 6 {
		t.Errorf("%d in the last week, %d before it; want 11 and 6", week, before)
	}
	if len(f.Days) != 89 || f.Days[len(f.Days)-1] != (store.DayCount{Day: "2026-03-31", N: 5}) || kept[len(kept)-1].N != 1 {
		t.Errorf("%d days to %+v; an earlier copy says %+v", len(f.Days), f.Days[len(f.Days)-1], kept[len(kept)-1])
	}
}
