package redis

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"syscall"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
)

func benchStore(b *testing.B) (*server, *Store) {
	srv := startServer(b)
	opt := srv.options(b)
	opt.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	return srv, open(b, opt)
}

// processTime is the CPU time of this process so far, without the server's.
func processTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkWriteExchanges logs batches of 256 exchanges of 3.5 KB of readable
// text; bytes/exchange is what the stream's chunks hold.
func BenchmarkWriteExchanges(b *testing.B) {
	srv, s := benchStore(b)
	const batch = 256
	body := fmt.Sprintf(`{"model":"gpt-4o","messages":[{"role":"system","content":%q},{"role":"user","content":`, longText(2500))
	n := 0
	start := processTime(b)
	b.ReportAllocs()
	for b.Loop() {
		xs := make([]*store.Exchange, batch)
		for i := range xs {
			n++
			xs[i] = &store.Exchange{
				ID: store.NewID(), App: "shop", Time: time.Now(), Path: "/v1/chat/completions", Facts: rules.Facts{App: "shop", Step: "answer", Unit: fmt.Sprint(n)},
				Request: fmt.Appendf(nil, `%s"Where is parcel %d?"}]}`, body, n), Query: fmt.Sprintf("Where is parcel %d?", n),
				Response: fmt.Appendf(nil, `{"choices":[{"message":{"content":"Parcel %d: %s"}}]}`, n, longText(600)), Answer: "on its way", Outcome: store.OK,
			}
		}
		if err := s.WriteExchanges(context.Background(), xs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((processTime(b)-start).Microseconds())/float64(n), "cpu-µs/exchange")
	v := srv.raw.HMGet(context.Background(), s.base("shop")+"c", "xheld", "xbytes").Val()
	b.ReportMetric(float64(number(v[1]))/float64(max(1, number(v[0]))), "bytes/exchange")
}

func longText(n int) string {
	var b []byte
	for i := 0; len(b) < n; i++ {
		b = fmt.Appendf(b, "Rule %d: answer politely, look into order %d first. ", i%17, i%29)
	}
	return string(b[:n])
}

// BenchmarkAddFeedback is one person after the other, then many at once: journal
// (fsync) and delivery.
func BenchmarkAddFeedback(b *testing.B) {
	add := func(b *testing.B, s *Store) {
		_, _, err := s.AddFeedback(context.Background(), &store.Feedback{App: "shop", Source: "api", ExchangeID: store.NewID(), Comment: "please be brief"})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.Run("one", func(b *testing.B) {
		_, s := benchStore(b)
		for b.Loop() {
			add(b, s)
		}
	})
	b.Run("many", func(b *testing.B) {
		_, s := benchStore(b)
		b.SetParallelism(32)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				add(b, s)
			}
		})
	})
}
