package gateway

import (
	"math"
	"strings"
	"testing"

	"heed/store"
	"heed/wire"
)

func TestPrices_Cost(t *testing.T) {
	half := 0.5
	p := prices{"a": {Input: 1, Output: 10}, "b": {Input: 2, Cached: &half, Output: 20}}
	usage := &wire.Usage{InputTokens: 1000, CachedTokens: 400, OutputTokens: 10}
	for _, c := range []struct {
		sent, answered string
		usage          *wire.Usage
		want           float64
		ok             bool
	}{
		{"a", "b", usage, 0.0011, true},
		{"b", "a", usage, 0.0016, true}, // 600 at 2, 400 at 0.5, 10 at 20
		{"alias", "b", usage, 0.0016, true},
		{"alias", "other", usage, 0, false},
		{"a", "a", nil, 0, false},
		{"b", "", &wire.Usage{InputTokens: 10, CachedTokens: 400}, 0.000005, true}, // more cached than there were
		{"b", "", &wire.Usage{InputTokens: -5, CachedTokens: -5, OutputTokens: -5}, 0, true},
	} {
		x := &store.Exchange{RequestModel: c.sent, ResponseModel: c.answered, Usage: c.usage}
		if got, ok := p.cost(x); ok != c.ok || math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%+v: got %v %v", c, got, ok)
		}
	}
}

func TestGateway_Cost(t *testing.T) {
	e := start(t, answerJSON(chatAnswer), func(o *Options) { o.Prices = map[string]Price{"m-real": {Input: 1, Output: 2}} })
	for range 2 {
		r := e.post("/v1/chat/completions", hello)
		readAll(t, r)
		if got := e.row(r.Header.Get("Heed-Exchange-Id")).Cost; got == nil || *got != 0.000013 { // 7 and 3 tokens
			t.Errorf("got cost %v in the row, want 0.000013", got)
		}
	}
	if got := counted(t, e.g.metrics.cost.WithLabelValues("shop", "main")); math.Abs(got-0.000026) > 1e-12 {
		t.Errorf("got heed_cost_usd_total %v, want 0.000026", got)
	}
}

// A row keeps what it cost by the prices of its time; one without a price has no
// cost, one of a free model costs 0.
func TestGateway_Cost_PricesChange(t *testing.T) {
	prices := []map[string]Price{{"m-real": {Input: 1, Output: 2}}, {"m-real": {}}, nil}
	var opt Options
	e := start(t, answerJSON(chatAnswer), func(o *Options) { o.Prices = prices[0]; opt = *o })
	var ids []string
	for i, want := range []*float64{ptr(0.000013), ptr(0.0), nil} {
		opt.Prices = prices[i]
		if err := e.g.Reload(opt); err != nil {
			t.Fatal(err)
		}
		r := e.post("/v1/chat/completions", hello)
		readAll(t, r)
		ids = append(ids, r.Header.Get("Heed-Exchange-Id"))
		if got := e.row(ids[i]).Cost; (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("prices %v: got cost %v, want %v", prices[i], got, want)
		}
	}
	if got := e.row(ids[0]).Cost; got == nil || *got != 0.000013 {
		t.Errorf("after the prices changed the first row costs %v", got)
	}
}

func ptr(v float64) *float64 { return &v }

func TestNew_BadPrice(t *testing.T) {
	_, err := New(Options{
		Store: newMemStore(), Upstreams: []Upstream{{Name: "main", BaseURL: "http://127.0.0.1:1/v1"}},
		TokenKeys: []Secret{Secret(strings.Repeat("k", 32))}, Prices: map[string]Price{"m": {Input: math.NaN()}},
	})
	if err == nil || !strings.Contains(err.Error(), `prices: model "m"`) {
		t.Errorf("got %v, want an error about the price", err)
	}
}
