package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heed/store"
)

// soakWorkers each send one request after the other; together soakRate a second.
const (
	soakWorkers = 16
	soakRate    = 40
)

// soakTime is how long the soak runs: HEED_SOAK_TIME, else half an hour with
// HEED_SOAK set, else a seed of some seconds.
func soakTime(t *testing.T) time.Duration {
	if s := os.Getenv("HEED_SOAK_TIME"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatalf("HEED_SOAK_TIME: %v", err)
		}
		return d
	}
	if os.Getenv("HEED_SOAK") != "" {
		return 30 * time.Minute
	}
	return 6 * time.Second
}

// TestSoak: under mixed load (answers, streams, clients that leave, slow readers,
// errors and deaths of the upstream, feedback that the learner works on) memory,
// goroutines and descriptors stay where they were after a third of the time, all
// that was held is given back, every exchange has its row and every acknowledged
// feedback is there. After each fifth of the rest the load pauses for a look.
func TestSoak(t *testing.T) {
	s := newSoak(t)
	whole := soakTime(t)
	s.run(whole / 3)
	before := s.rest(nil)
	t.Log("after warming up: ", before)
	for range 5 {
		s.run(whole * 2 / 15)
		t.Log(s.rest(&before))
	}
	s.checkRows()
	if code := s.p.terminate(); code != 0 {
		t.Errorf("exit code %d after SIGTERM\n%s", code, s.p.stderr)
	}
}

// soak is the program under load and what it must have kept.
type soak struct {
	t    *testing.T
	p    *program
	up   *soakUpstream
	sent atomic.Int64 // requests that arrived whole, each of which has a row

	mu   sync.Mutex
	ids  []string // of exchanges: a sample
	kept []string // ids of acknowledged feedback
}

func newSoak(t *testing.T) *soak {
	s := &soak{t: t, up: newSoakUpstream(t)}
	s.p = start(t, config(t, t.TempDir(), s.up.url, ""))
	rule := map[string]any{"app": "shop", "action": "Mention the returns page.", "scope": map[string]any{"always": true}}
	if err := s.p.api().call(t.Context(), http.MethodPost, "rules", appQuery("shop"), rule, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// run loads the program for d. Worker and number of a request decide what it is.
func (s *soak) run(d time.Duration) {
	s.t.Helper()
	end := time.Now().Add(d)
	var wg sync.WaitGroup
	for w := range soakWorkers {
		wg.Go(func() {
			c := &soakClient{soak: s, rand: rand.New(rand.NewPCG(uint64(w), 1)), http: &http.Client{Transport: &http.Transport{}}}
			defer c.http.CloseIdleConnections()
			pace := time.NewTicker(time.Second * soakWorkers / soakRate)
			defer pace.Stop()
			for n := w; time.Now().Before(end) && !s.t.Failed(); n++ {
				<-pace.C
				kind := soakSteps[n%len(soakSteps)]
				if err := c.step(kind, n); err != nil {
					s.t.Errorf("worker %d, request %d (%s): %v", w, n, kind, err)
				}
			}
		})
	}
	wg.Wait()
	if s.t.Failed() {
		s.t.Fatalf("%s", s.p.stderr)
	}
}

// soakSteps are what clients do, in turn.
var soakSteps = []string{"answer", "stream", "leave", "answer", "hold", "slow", "refuse", "answer", "die", "stream", "break", "feedback"}

// soakClient is one client. token is of its last answer.
type soakClient struct {
	*soak
	rand  *rand.Rand
	http  *http.Client
	token string
}

// step makes one request and says what is wrong with what came back.
func (c *soakClient) step(kind string, n int) error {
	switch {
	case kind == "feedback" && c.token != "":
		return c.feedback(n)
	case kind == "feedback": // on nothing yet
		kind = "answer"
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	id := fmt.Sprintf("%d-%d", c.rand.Uint64(), n)
	arrived := c.up.expect(id)
	body := fmt.Sprintf(`{"model":"gpt-4o","stream":%v,"messages":[{"role":"system","content":%q},{"role":"user","content":%q}]}`,
		strings.Contains("stream leave slow break", kind), shopPrompt, soakQuestions[c.rand.IntN(len(soakQuestions))]+strings.Repeat(" please", c.rand.IntN(50)))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.p.gateway+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return err
	}
	for k, v := range map[string]string{"Authorization": "Bearer heed-key-1", "Content-Type": "application/json", "X-Soak": kind, "X-Soak-Id": id, "Heed-Session": id} {
		req.Header.Set(k, v)
	}
	if kind == "hold" { // leaves before the first byte
		go func() { <-arrived; cancel() }()
	}
	resp, err := c.http.Do(req)
	c.sent.Add(1)
	if kind == "hold" {
		if err == nil {
			return fmt.Errorf("got status %d, want none", resp.StatusCode)
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	c.remember(resp.Header.Get("Heed-Exchange-Id"))
	return c.read(kind, resp)
}

// read takes the answer as this kind of client does.
func (c *soakClient) read(kind string, resp *http.Response) error {
	want := map[string]int{"refuse": 400, "die": 502}[kind]
	if want == 0 {
		want = 200
	}
	if resp.StatusCode != want {
		b, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("got status %d %.200s, want %d", resp.StatusCode, b, want)
	}
	switch kind {
	case "leave": // in the middle of a stream that has no end
		_, err := io.CopyN(io.Discard, resp.Body, int64(1+c.rand.IntN(4000)))
		return err
	case "slow": // much slower than the upstream sends
		for left := soakLong; left > 0; {
			n, err := io.CopyN(io.Discard, resp.Body, soakLong/10)
			if left -= int(n); err != nil && left > 0 {
				return err
			}
			time.Sleep(20 * time.Millisecond) // it is slow: nothing is awaited
		}
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	switch done := bytes.Contains(b, []byte("[DONE]")); {
	case kind == "stream" && !done:
		return fmt.Errorf("stream of %d bytes has no end", len(b))
	case kind == "break" && (done || !bytes.Contains(b, []byte(`data: {"error"`))):
		return fmt.Errorf("broken stream ends with %.200s", b[max(0, len(b)-200):])
	}
	c.token = resp.Header.Get("Heed-Feedback-Token")
	return nil
}

func (c *soakClient) feedback(n int) error {
	f := map[string]any{"token": c.token, "rating": -1, "comment": soakComments[n%len(soakComments)]}
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	resp, err := c.http.Post(c.p.gateway+"/heed/feedback", "application/json", bytes.NewReader(b))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var got struct{ ID string }
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("got status %d, %v", resp.StatusCode, err)
	}
	c.mu.Lock()
	c.kept = append(c.kept, got.ID)
	c.mu.Unlock()
	return nil
}

var (
	soakQuestions = []string{"How do I return shoes?", "Where is my parcel?", "Do you ship to Norway?", "Can I pay by invoice?", "Is the jacket waterproof?"}
	soakComments  = []string{"Mention the 30-day window.", "Too long", "Always name the tracking link.", "", "wrong answer"}
)

// remember keeps one exchange in ten, of which the row is looked for at the end.
func (s *soak) remember(id string) {
	if s.sent.Load()%10 == 0 {
		s.mu.Lock()
		s.ids = append(s.ids, id)
		s.mu.Unlock()
	}
}

// checkRows looks for the rows and the feedback.
func (s *soak) checkRows() {
	s.t.Helper()
	for _, id := range s.ids {
		var x store.Exchange
		if err := s.p.api().call(context.Background(), http.MethodGet, "exchanges/"+id, appQuery("shop"), nil, &x); err != nil || x.ID != id {
			s.t.Errorf("exchange %s has no row: %v", id, err)
		}
	}
	for _, id := range s.kept {
		var f store.Feedback
		if err := s.p.api().call(context.Background(), http.MethodGet, "feedback/"+id, appQuery("shop"), nil, &f); err != nil || f.ID != id {
			s.t.Errorf("acknowledged feedback %s is not there: %v", id, err)
		}
	}
	s.t.Logf("%d requests, %d rows looked for, %d feedback records", s.sent.Load(), len(s.ids), len(s.kept))
	if len(s.ids) == 0 || len(s.kept) == 0 {
		s.t.Error("nothing was looked for")
	}
}
