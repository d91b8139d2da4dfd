package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// soakLong is the length of what slow readers are sent, in bytes: more than
// sockets and Heed's buffers take, so that the upstream has to wait.
const soakLong = 1 << 20

// soakUpstream does what the header X-Soak says.
type soakUpstream struct {
	url string

	mu      sync.Mutex
	arrived map[string]chan struct{}
}

func newSoakUpstream(t *testing.T) *soakUpstream {
	u := &soakUpstream{arrived: map[string]chan struct{}{}}
	srv := httptest.NewServer(u)
	t.Cleanup(srv.Close)
	u.url = srv.URL + "/v1"
	return u
}

// expect returns a channel that is closed when the request arrives.
func (u *soakUpstream) expect(id string) <-chan struct{} {
	c := make(chan struct{})
	u.mu.Lock()
	u.arrived[id] = c
	u.mu.Unlock()
	return c
}

// arrive says that it did. A request without its rules comes a second time.
func (u *soakUpstream) arrive(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if c := u.arrived[id]; c != nil {
		close(c)
		delete(u.arrived, id)
	}
}

const soakAnswer = `{"id":"chatcmpl-%s","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"Please see the returns page."},"finish_reason":"stop"}],"usage":{"prompt_tokens":40,"completion_tokens":7,"total_tokens":47}}`

const soakChunk = `data: {"id":"chatcmpl-%s","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":%q},"finish_reason":null}]}` + "\n\n"

const soakEnd = `data: {"id":"chatcmpl-%s","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"

// ServeHTTP implements http.Handler.
func (u *soakUpstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, kind := r.Header.Get("X-Soak-Id"), r.Header.Get("X-Soak")
	_, _ = io.Copy(io.Discard, r.Body)
	u.arrive(id)
	chunks, word := 0, "shoes "
	switch kind {
	case "answer":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, soakAnswer, id)
		return
	case "refuse":
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"message":"no","type":"invalid_request_error","code":null,"param":null}}`)
		return
	case "hold":
		<-r.Context().Done() // the client left, and Heed closed the call
		return
	case "die":
		panic(http.ErrAbortHandler) // closes the connection without an answer
	case "stream":
		chunks = 50
	case "break":
		chunks = 10
	case "slow":
		word = strings.Repeat("shoes ", 1000)
		chunks = soakLong/len(word) + 1
	case "leave":
		chunks = 1 << 30
	}
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	for range chunks {
		if _, err := fmt.Fprintf(w, soakChunk, id, word); err != nil || flush.Flush() != nil {
			return
		}
	}
	if kind == "break" {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, soakEnd, id)
}

// soakFigures are what the program says of itself while it has nothing to do.
type soakFigures struct {
	heap, resident         float64 // bytes; heap after garbage collection
	goroutines, files      float64
	inFlight, held, queued float64
	written, dropped       float64
}

func (f soakFigures) String() string {
	return fmt.Sprintf("%.0f exchanges: heap %.1f MB, resident %.0f MB, %.0f goroutines, %.0f files", f.written, f.heap/1e6, f.resident/1e6, f.goroutines, f.files)
}

// rest waits until the program is at rest: nothing is in flight, and what it holds
// has gone back to what it was before. What is left at the end of the wait is an
// error. Without a before it looks a few times, since the learner may be at work.
func (s *soak) rest(before *soakFigures) soakFigures {
	s.t.Helper()
	var f soakFigures
	looks, heap := 0, 0.0
	end := time.Now().Add(testWait)
	s.p.eventually("rest", func() bool {
		f = s.figures()
		if f.inFlight != 0 || f.held != 0 || f.queued != 0 || f.written+f.dropped < float64(s.sent.Load()) {
			return false
		}
		s.get("/debug/pprof/heap?gc=1") // collects garbage
		f = s.figures()
		if looks++; looks == 1 || f.heap < heap {
			heap = f.heap
		}
		if before == nil {
			return looks == 10
		}
		return f.more(*before) == "" || time.Until(end) < testWait/10
	})
	f.heap = heap
	if before != nil {
		if more := f.more(*before); more != "" {
			s.t.Errorf("%s\nnow:    %v\nbefore: %v", more, f, *before)
		}
	}
	if sent := s.sent.Load(); f.dropped != 0 || int64(f.written) != sent {
		s.t.Errorf("%.0f rows written, %.0f dropped, want %d and none", f.written, f.dropped, sent)
	}
	return f
}

// figures reads the program's metrics.
func (s *soak) figures() soakFigures {
	s.t.Helper()
	m := map[string]float64{}
	for line := range strings.Lines(s.get("/metrics")) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil {
			m[name] = v
		}
	}
	for _, name := range []string{"go_memstats_heap_alloc_bytes", "go_goroutines", "process_open_fds", "heed_held_bytes", "heed_log_queue_bytes", "heed_in_flight", "heed_log_dropped_total"} {
		if _, ok := m[name]; !ok {
			s.t.Fatalf("there is no metric %s", name)
		}
	}
	return soakFigures{
		heap: m["go_memstats_heap_alloc_bytes"], resident: m["process_resident_memory_bytes"],
		goroutines: m["go_goroutines"], files: m["process_open_fds"],
		inFlight: m["heed_in_flight"], held: m["heed_held_bytes"], queued: m["heed_log_queue_bytes"],
		written: m["heed_log_written_total"], dropped: m["heed_log_dropped_total"],
	}
}

func (s *soak) get(path string) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, s.p.admin+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.p.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.p.stderr)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %d %v", path, resp.StatusCode, err)
	}
	return string(b)
}

// How much more there may be than before: caches that fill, and connections that
// are kept for a while (to the upstream at most one of each client).
const (
	soakHeap       = 16 << 20
	soakGoroutines = 8
	soakFiles      = 2*soakWorkers + 8
)

// more says what there is too much of, compared with before.
func (f soakFigures) more(before soakFigures) string {
	var out string
	for _, c := range []struct {
		what            string
		got, was, grows float64
	}{
		{"bytes of heap after garbage collection", f.heap, before.heap, soakHeap},
		{"goroutines", f.goroutines, before.goroutines, soakGoroutines},
		{"open files", f.files, before.files, soakFiles},
	} {
		if c.got > c.was+c.grows {
			out += fmt.Sprintf("%.0f %s, want at most %.0f more than the %.0f before; ", c.got, c.what, c.grows, c.was)
		}
	}
	return out
}
