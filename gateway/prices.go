package gateway

import (
	"math"

	"heed/store"
)

// Price is what a model's tokens cost, in US dollars a million. Costs are
// estimates from usage that upstreams report; the bill is the provider's.
type Price struct {
	Input  float64
	Cached *float64 // input tokens that the provider had cached; nil: as Input
	Output float64
}

// maxPrice is the highest price that is taken for one, in US dollars a million.
const maxPrice = 1e6

// prices are by model, as sent to the upstream or as it answered.
type prices map[string]Price

func (p prices) check(bad func(string, ...any)) {
	for name, m := range p {
		for _, usd := range []float64{m.Input, m.Output, m.cached()} {
			if !(usd >= 0 && usd <= maxPrice) {
				bad("prices: model %q: %v: want US dollars per million tokens, 0 to %v", name, usd, maxPrice)
			}
		}
	}
}

func (p Price) cached() float64 {
	if p.Cached != nil {
		return *p.Cached
	}
	return p.Input
}

// cost is what the exchange cost, in US dollars. The name that was sent comes
// first: operators know that one. ok is false without usage or price.
func (p prices) cost(x *store.Exchange) (usd float64, ok bool) {
	u := x.Usage
	if u == nil || len(p) == 0 {
		return 0, false
	}
	price, ok := p[x.RequestModel]
	if !ok {
		if price, ok = p[x.ResponseModel]; !ok {
			return 0, false
		}
	}
	cached := min(max(0, u.CachedTokens), max(0, u.InputTokens))
	plain := max(0, u.InputTokens) - cached
	usd = (float64(plain)*price.Input + float64(cached)*price.cached() + float64(max(0, u.OutputTokens))*price.Output) / 1e6
	return math.Round(usd*1e12) / 1e12, true
}

// charge writes what the exchange cost into its row and counts it.
func (g *Gateway) charge(cfg *config, x *store.Exchange) {
	usd, ok := prices(cfg.opt.Prices).cost(x)
	if !ok {
		return
	}
	x.Cost = &usd
	g.metrics.cost.WithLabelValues(x.App, x.Decision.Target.Upstream).Add(usd)
}
