package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"heed/rules"
	"heed/store"
	"heed/store/sqlite"
)

// storeCommand measures the embedded store: what an exchange costs to log, how
// large it is on disk, and how long people wait for a list or a search.
type storeCommand struct {
	N     int    `help:"Exchanges to log; 200000 is the figure in the documentation." default:"20000"`
	Batch int    `help:"Exchanges of one write." default:"256"`
	Apps  int    `help:"Apps that take turns, batch by batch." default:"1"`
	Dir   string `help:"Folder for the files, kept; default: a temporary one, removed." type:"path"`
	Seed  uint64 `help:"Seed of the texts." default:"1"`
	JSON  string `help:"Also write the results to this file." type:"path"`
}

// storeResult is what one run measured.
type storeResult struct {
	Exchanges   int                `json:"exchanges"`
	PlainBytes  float64            `json:"plain_bytes"`         // request, response and facts of one exchange
	RowsPerSec  float64            `json:"rows_per_second"`     // of WriteExchanges, one writer
	CPUMicros   float64            `json:"cpu_us_per_exchange"` // user and system time of the process while writing
	DiskBytes   float64            `json:"disk_bytes"`          // exchanges.db per exchange, after a checkpoint
	FeedbackSec float64            `json:"feedback_per_second"` // AddFeedback, 16 at a time, each durable
	ResidentMB  float64            `json:"resident_mb"`         // of the whole process, after all, with page caches
	HeapMB      float64            `json:"heap_mb"`             // in use after all
	LatencyMS   map[string]float64 `json:"latency_ms"`          // median of each read
	WorstMS     map[string]float64 `json:"latency_worst_ms"`    // slowest of each read
	Found       map[string]int     `json:"found_on_first_page"` //
	Commands    []string           `json:"-"`                   // order of the reads
}

// Run implements the subcommand.
func (c *storeCommand) Run(out io.Writer) error {
	if c.N < 1 || c.Batch < 1 || c.Apps < 1 {
		return fmt.Errorf("store: n, batch and apps must be 1 or more")
	}
	dir := c.Dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "heedbench"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	ctx := context.Background()
	s, err := sqlite.Open(ctx, dir, sqlite.Options{})
	if err != nil {
		return err
	}
	r := storeResult{Exchanges: c.N, LatencyMS: map[string]float64{}, WorstMS: map[string]float64{}, Found: map[string]int{}}
	texts := newTexts(c.Seed)
	err = c.measure(ctx, s, texts, &r)
	if cerr := s.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	size, err := logBytes(dir)
	if err != nil {
		return err
	}
	r.DiskBytes = float64(size) / float64(c.N)
	r.print(out)
	if c.JSON == "" {
		return nil
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(c.JSON, append(b, '\n'), 0o644)
}

func (c *storeCommand) measure(ctx context.Context, s *sqlite.Store, texts *texts, r *storeResult) error {
	ids, err := c.write(ctx, s, texts, r)
	if err != nil {
		return err
	}
	if err := c.feedback(ctx, s, ids, r); err != nil {
		return err
	}
	if err := c.read(ctx, s, texts, ids, r); err != nil {
		return err
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	r.HeapMB = float64(m.HeapInuse) / (1 << 20)
	debug.FreeOSMemory()
	r.ResidentMB = residentMB()
	return nil
}

// prepared is how many batches are made before the clock runs, so that making
// the texts and clearing them away is not counted as the store's work.
const prepared = 16

// write logs the exchanges and counts only the time inside WriteExchanges. It
// returns some of their ids.
func (c *storeCommand) write(ctx context.Context, s *sqlite.Store, texts *texts, r *storeResult) ([]string, error) {
	var ids []string
	var wall, cpu time.Duration
	var plain int
	for n := 0; n < c.N; {
		var batches [][]*store.Exchange
		for len(batches) < prepared && n < c.N {
			var batch []*store.Exchange
			for len(batch) < c.Batch && n < c.N {
				x := texts.exchange(n, c.app(n/c.Batch))
				plain += len(x.Request) + len(x.Response)
				batch = append(batch, x)
				n++
			}
			ids = append(ids, batch[0].ID)
			batches = append(batches, batch)
		}
		runtime.GC()
		started, before := time.Now(), cpuTime()
		for _, batch := range batches {
			if err := s.WriteExchanges(ctx, batch); err != nil {
				return nil, err
			}
		}
		wall += time.Since(started)
		cpu += cpuTime() - before
	}
	r.PlainBytes = float64(plain) / float64(c.N)
	r.RowsPerSec = float64(c.N) / wall.Seconds()
	r.CPUMicros = cpu.Seconds() * 1e6 / float64(c.N)
	return ids, nil
}

func (c *storeCommand) app(i int) string { return fmt.Sprint("app", i%c.Apps) }

// feedback acknowledges records as fast as the disk allows, 16 at a time.
func (c *storeCommand) feedback(ctx context.Context, s *sqlite.Store, ids []string, r *storeResult) error {
	const workers, each = 16, 64
	errs := make(chan error, workers)
	started := time.Now()
	for w := range workers {
		go func() {
			var err error
			for i := 0; i < each && err == nil; i++ {
				rating := float64(i%2*2 - 1)
				_, _, err = s.AddFeedback(ctx, &store.Feedback{
					App: c.app(0), Source: "api", ExchangeID: ids[(w*each+i)%len(ids)], Rating: &rating, Comment: "please mention the depot earlier",
				})
			}
			errs <- err
		}()
	}
	for range workers {
		if err := <-errs; err != nil {
			return err
		}
	}
	r.FeedbackSec = workers * each / time.Since(started).Seconds()
	return nil
}

// read times what people and the learner ask, each a number of times.
func (c *storeCommand) read(ctx context.Context, s *sqlite.Store, texts *texts, ids []string, r *storeResult) error {
	app, n := c.app(0), c.N
	filters := []struct {
		name string
		f    store.ExchangeFilter
	}{
		{"list newest 50", store.ExchangeFilter{}},
		{"list 50, one session", store.ExchangeFilter{Session: texts.session(n / 3)}},
		{"list 50, rare outcome", store.ExchangeFilter{Outcome: store.Timeout}},
		{"list 50, no such user", store.ExchangeFilter{User: "nobody"}},
		{"list newest 1000 with a query", store.ExchangeFilter{Queries: true, Limit: 1000}},
		{"search a common word", store.ExchangeFilter{Text: texts.vocabulary[1]}},
		{"search a rare word", store.ExchangeFilter{Text: texts.vocabulary[len(texts.vocabulary)-1]}},
		{"search one order number", store.ExchangeFilter{Text: orderNumber(n / 2)}},
		{"search a word nobody said", store.ExchangeFilter{Text: "zyzzogeton"}},
		{"search two words of which one is rare", store.ExchangeFilter{Text: texts.vocabulary[0] + " " + orderNumber(n/3)}},
	}
	for _, q := range filters {
		q.f.App = app
		err := r.time(q.name, func(int) error {
			xs, _, err := s.Exchanges(ctx, q.f)
			r.Found[q.name] = len(xs)
			return err
		})
		if err != nil {
			return err
		}
	}
	one := ids[len(ids)/2/c.Apps*c.Apps]
	return r.time("one exchange by id", func(int) error {
		_, err := s.Exchange(ctx, app, one)
		r.Found["one exchange by id"] = 1
		return err
	})
}

// time runs fn a few times and notes the median and the worst.
func (r *storeResult) time(name string, fn func(i int) error) error {
	const times = 9
	took := make([]float64, times)
	for i := range took {
		started := time.Now()
		if err := fn(i); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		took[i] = float64(time.Since(started).Microseconds()) / 1000
	}
	slices.Sort(took)
	r.LatencyMS[name], r.WorstMS[name] = took[times/2], took[times-1]
	r.Commands = append(r.Commands, name)
	return nil
}

func (r *storeResult) print(out io.Writer) {
	fmt.Fprintf(out, "%d exchanges of %.0f bytes\n\n", r.Exchanges, r.PlainBytes)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "exchanges logged per second (one writer)\t%.0f\n", r.RowsPerSec)
	fmt.Fprintf(w, "CPU per exchange, packing, filters and SQLite\t%.1f µs\n", r.CPUMicros)
	fmt.Fprintf(w, "on disk per exchange\t%.0f bytes\n", r.DiskBytes)
	fmt.Fprintf(w, "feedback acknowledged per second (16 at a time)\t%.0f\n", r.FeedbackSec)
	fmt.Fprintf(w, "memory of the process afterwards (Go heap in use)\t%.0f MB (%.0f MB)\n", r.ResidentMB, r.HeapMB)
	fmt.Fprintf(w, "\t\nread\tmedian ms\tworst ms\tfound\n")
	for _, name := range r.Commands {
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%d\n", name, r.LatencyMS[name], r.WorstMS[name], r.Found[name])
	}
	w.Flush()
}

// cpuTime is the user and system time of this process so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// residentMB is the memory of this process that is in RAM; 0 where the system
// does not say.
func residentMB() float64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize()) / (1 << 20)
}

// logBytes is the size of the log's file; Close has emptied its journal.
func logBytes(dir string) (int64, error) {
	st, err := os.Stat(filepath.Join(dir, "exchanges.db"))
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// texts make exchanges of a support bot: one system prompt of 1.9 KB, questions
// and answers of words drawn from a vocabulary by Zipf's law, 3.5 KB in all.
type texts struct {
	random     *rand.Rand
	zipf       *rand.Zipf
	vocabulary []string
	prompt     string
}

func newTexts(seed uint64) *texts {
	t := &texts{random: rand.New(rand.NewPCG(seed, 7))}
	t.zipf = rand.NewZipf(t.random, 1.1, 3, 7999)
	for range 8000 {
		var b strings.Builder
		for range 2 + t.random.IntN(3) {
			b.WriteByte("bcdfghklmnprstvw"[t.random.IntN(16)])
			b.WriteByte("aeiou"[t.random.IntN(5)])
		}
		t.vocabulary = append(t.vocabulary, b.String())
	}
	t.prompt = "You are the support assistant of a shop. " + t.words(1850)
	return t
}

// words are n bytes of text, or a few more.
func (t *texts) words(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(t.vocabulary[t.zipf.Uint64()])
		b.WriteByte(" .,?"[max(0, t.random.IntN(20)-16)])
	}
	return b.String()
}

func (t *texts) session(n int) string { return fmt.Sprintf("session-%x", n/4) }

func orderNumber(n int) string { return fmt.Sprintf("order%d", 100000+n) }

// exchange is the n-th of the run; four in a row are one session.
func (t *texts) exchange(n int, app string) *store.Exchange {
	at := time.UnixMilli(1_770_000_000_000 + int64(n)*250).UTC()
	query := orderNumber(n) + " " + t.words(160)
	answer := t.words(420)
	x := &store.Exchange{
		ID: store.NewID(), App: app, Time: at, Session: t.session(n), Agent: "support-bot", API: 1, Method: "POST", Path: "/v1/chat/completions",
		Facts: rules.Facts{
			App: app, Step: fmt.Sprintf("%016x", n%3), Alias: "support", User: fmt.Sprintf("%032x", n/16*7919), Unit: fmt.Sprintf("%016x", n/4*104729),
			Now: at, Queries: []string{query},
		},
		Head: rules.Head{Epoch: 12, Hash: "0123456789abcdef0123456789abcdef"},
		Decision: rules.Decision{
			Rules:  []rules.RuleDecision{{ID: "r_abcdefghijklmnopqrstuvwxyz", Version: 2, Score: t.random.Float32(), Propensity: 0.9}},
			Target: rules.TargetDecision{Upstream: "main", Model: "gpt-4o-mini", Propensity: 0.5},
		},
		RequestModel: "gpt-4o-mini", ResponseModel: "gpt-4o-mini-2024-07-18", ResponseID: fmt.Sprintf("chatcmpl-%016x", t.random.Uint64()),
		Status: 200, Outcome: store.OK, Finish: "stop", Query: query, Answer: answer,
		Timing: store.Timing{Sent: 300, FirstByte: 150_000 + t.random.Int64N(90_000), First: 250_000, Done: 900_000, Own: 40},
	}
	if n%500 == 0 {
		x.Outcome = store.Timeout
	}
	x.Request = fmt.Appendf(nil, `{"model":"support","messages":[{"role":"system","content":%q},{"role":"user","content":%q},{"role":"assistant","content":%q},{"role":"user","content":%q}],"temperature":0.2}`,
		t.prompt, t.words(120), t.words(400), query)
	x.Response = fmt.Appendf(nil, `{"id":%q,"object":"chat.completion","created":%d,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":%q,"refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":713,"completion_tokens":61,"total_tokens":774}}`,
		x.ResponseID, at.Unix(), answer)
	x.RequestBytes, x.ResponseBytes = int64(len(x.Request)), int64(len(x.Response))
	return x
}
