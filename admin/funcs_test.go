package admin

import (
	"strings"
	"testing"

	"heed/store"
)

// A page says which comparison its verdict rests on, and does not say that the
// people without the rule stayed as before when they are too few to tell.
func TestRestsOn_Harm(t *testing.T) {
	before := &store.Earlier{Verdict: store.Harms}
	unconfirmed := &store.Earlier{Verdict: store.Harms, Unconfirmed: true}
	for _, c := range []struct {
		source        store.Estimate
		want, without string
	}{
		{store.Estimate{Verdict: store.Harms, Before: unconfirmed}, "Compared at the same time", "before"},
		{store.Estimate{Verdict: store.NotProven, Before: before}, "stayed as before", "too few to say"},
		{store.Estimate{Verdict: store.NotProven, Before: unconfirmed}, "too few to say", "stayed as before"},
	} {
		got := restsOn(&effect{Effect: store.Effect{Verdict: store.Harms, Sources: []store.Estimate{c.source}}})
		if !strings.Contains(got, c.want) || strings.Contains(got, c.without) || !strings.HasPrefix(got, "Compared") {
			t.Errorf("%+v, before %+v: %s", c.source.Verdict, c.source.Before, got)
		}
	}
}
