package learner

import (
	"fmt"
	"testing"

	"heed/store"
)

// BenchmarkLearner_Feedback is one record from pending to committed: 1,000 logged
// requests, 50 open proposals.
func BenchmarkLearner_Feedback(b *testing.B) {
	bn := newBench(b)
	things := []string{"shoes", "parka", "invoice", "voucher", "parcel", "password", "warranty", "battery", "lounge", "refund"}
	var xs []*store.Exchange
	for i := range 1000 {
		xs = append(xs, bn.exchange(fmt.Sprintf("question %d about the %s and the %s", i, things[i%10], things[(i/10)%10])))
	}
	for i := range 50 {
		bn.say(xs[i*7], fmt.Sprintf("u%d", i), fmt.Sprintf("Always mention form %d", i))
	}
	bn.work()
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		bn.say(xs[i%1000], fmt.Sprintf("u%d", i), fmt.Sprintf("Always mention form %d", i%60))
		bn.work()
		i++
	}
}
