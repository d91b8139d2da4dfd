package admin

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"heed/store"
	"heed/wire"
)

func TestUSD(t *testing.T) {
	for v, want := range map[float64]string{
		0: "$0", 0.0000131: "$0.0000131", 0.01239: "$0.0124", 0.5: "$0.5", 0.9999: "$1", 1.005: "$1.00", 1234.5: "$1,234.50", 1234567: "$1,234,567.00",
	} {
		if got := usd(&v); got != want {
			t.Errorf("usd(%v) = %q, want %q", v, got, want)
		}
	}
	if got := usd(nil); got != "–" {
		t.Errorf("unknown: %q", got)
	}
}

// costly logs exchanges of two targets on two days: known, free, without usage,
// and one that the upstream refused.
func (b *bench) costly() (known, unknown *store.Exchange) {
	b.t.Helper()
	noon := time.Now().UTC().Truncate(24 * time.Hour).Add(-12 * time.Hour)
	at := func(days int, model string, usd *float64, change func(*store.Exchange)) *store.Exchange {
		return b.exchange("where is my parcel", "On its way.", func(x *store.Exchange) {
			x.Time = noon.AddDate(0, 0, -days)
			x.Decision.Target.Model, x.Cost = model, usd
			if usd != nil {
				x.Usage = &wire.Usage{InputTokens: 1000, OutputTokens: 200}
			}
			if change != nil {
				change(x)
			}
		})
	}
	at(1, "gpt-4o", num(1.25), nil)
	at(1, "local", num(0), nil)
	known = at(0, "gpt-4o", num(0.0123), nil)
	unknown = at(0, "small-2", nil, nil)
	at(0, "gpt-4o", nil, func(x *store.Exchange) { x.Status = 429 })
	return known, unknown
}

// Stats give costs for the window, by target and by day; what is not known is null
// and not in the sums, what is free is 0.
func TestStats_Costs(t *testing.T) {
	b := start(t, nil)
	b.costly()
	var s struct {
		Costs struct {
			USD     *float64
			Known   int
			Unknown int
			Input   int `json:"input_tokens"`
			Targets []struct {
				Target string
				USD    *float64
			} `json:"by_target"`
			Days []struct {
				Day     string
				USD     *float64
				Unknown int
			} `json:"by_day"`
		}
	}
	b.ok(Viewer, "GET", "stats?app=shop", nil, &s)
	k := s.Costs
	if k.USD == nil || *k.USD != 1.2623 || k.Known != 3 || k.Unknown != 1 || k.Input != 3000 {
		t.Errorf("together: %+v", k)
	}
	got, err := json.Marshal(k.Targets)
	if want := `[{"Target":"main/gpt-4o","USD":1.2623},{"Target":"main/local","USD":0},{"Target":"main/small-2","USD":null}]`; err != nil || string(got) != want {
		t.Errorf("by target: got %s, want %s", got, want)
	}
	if len(k.Days) != 2 || *k.Days[0].USD != 0.0123 || k.Days[0].Unknown != 1 || *k.Days[1].USD != 1.25 || k.Days[0].Day <= k.Days[1].Day {
		t.Errorf("by day: %+v", k.Days)
	}
}

// Without a price or usage nothing says 0.
func TestCosts_Unknown(t *testing.T) {
	b := start(t, nil)
	x := b.exchange("where is my parcel", "On its way.", nil)
	for _, path := range []string{"exchanges?app=shop", "exchanges/" + x.ID + "?app=shop"} {
		if _, body := b.call(Viewer, "GET", path, nil, nil); !strings.Contains(body, `"cost_usd":null`) {
			t.Errorf("%s: %s", path, body)
		}
	}
	if _, body := b.call(Viewer, "GET", "stats?app=shop", nil, nil); !strings.Contains(body, `"costs":{"usd":null,"known":0,"unknown":1,`) {
		t.Errorf("stats: %s", body)
	}
	c := b.browser(Viewer)
	has(t, b.page(c, "/costs?app=shop"), "prices: {gpt-4o-mini:", "<strong>–</strong>")
	for _, path := range []string{"/costs?app=shop", "/exchanges?app=shop", "/exchanges/" + x.ID + "?app=shop", "/inbox?app=shop"} {
		if page := b.page(c, path); strings.Contains(page, "$0") {
			t.Errorf("%s shows a cost that nobody knows", path)
		}
	}
}

// The pages show what exchanges cost where an operator looks for it.
func TestPages_Costs(t *testing.T) {
	b := start(t, func(o *Options) { o.Apps = []App{{Name: "shop"}, {Name: "other"}} })
	known, unknown := b.costly()
	c := b.browser(Viewer)
	has(t, b.page(c, "/exchanges/"+known.ID+"?app=shop"), "<dt>cost</dt><dd>$0.0123 ")
	has(t, b.page(c, "/exchanges/"+unknown.ID+"?app=shop"), "<dt>cost</dt><dd>– ", "no usage was reported")
	has(t, b.page(c, "/exchanges?app=shop"), `<th class="num">Cost</th>`, ">$0.0123</td>", ">$1.25</td>", ">$0</td>", ">–</td>")
	has(t, b.page(c, "/inbox?app=shop"), "<dt>cost</dt>", ">$1.26</a>")
	has(t, b.page(c, "/costs?app=shop"), `data-target="main/gpt-4o"`, "<strong>$1.26</strong>", "<strong>$0</strong>", "<strong>–</strong>",
		`data-day="`+known.Time.Format(time.DateOnly)+`"`, "The cost of 1 answer is not known", `data-app="other"`)
	if page := b.page(c, "/exchanges?app=shop&target=main/small-2"); strings.Contains(page, "Cost</th>") {
		t.Error("the list has a column for costs although it shows none")
	}
}
