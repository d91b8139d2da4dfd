package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// load is requests over a number of connections: as fast as they are answered
// (closed loop), or rate of them a second, whose latency counts from when each was
// due (open loop), so that a stall is not hidden by requests not sent.
type load struct {
	name     string
	conns    int
	rate     int
	duration time.Duration
}

// measured is what one connection, or all, saw.
type measured struct {
	total    []time.Duration
	first    []time.Duration
	injected int
	elapsed  time.Duration
}

// run sends the bodies in turn and collects what came back.
func (l load) run(addr string, bodies [][]byte) (*measured, error) {
	var all measured
	var mu sync.Mutex
	var failed error
	var wg sync.WaitGroup
	var due atomic.Int64
	begun := time.Now()
	for i := range l.conns {
		wg.Add(1)
		go func() {
			defer wg.Done()
			m, err := l.one(addr, bodies, i, begun, &due)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
				return
			}
			all.total = append(all.total, m.total...)
			all.first = append(all.first, m.first...)
			all.injected += m.injected
		}()
	}
	wg.Wait()
	all.elapsed = time.Since(begun)
	if failed == nil && len(all.total) == 0 {
		failed = fmt.Errorf("no request was answered in %v", l.duration)
	}
	return &all, failed
}

func (l load) one(addr string, bodies [][]byte, worker int, begun time.Time, due *atomic.Int64) (*measured, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	br := bufio.NewReaderSize(c, 16<<10)
	var m measured
	for n := worker; ; n += l.conns {
		at := time.Now()
		if l.rate > 0 {
			at = begun.Add(time.Duration(due.Add(1)) * time.Second / time.Duration(l.rate))
			if d := time.Until(at); d > 0 {
				time.Sleep(d)
			}
		}
		if at.Sub(begun) > l.duration {
			return &m, nil
		}
		if _, err := c.Write(bodies[n%len(bodies)]); err != nil {
			return nil, err
		}
		first, injected, err := readAnswer(br)
		if err != nil {
			return nil, err
		}
		m.total = append(m.total, time.Since(at))
		m.first = append(m.first, first.Sub(at))
		if injected {
			m.injected++
		}
	}
}

// readAnswer reads one answer and drops it; first is when its first byte came.
func readAnswer(br *bufio.Reader) (first time.Time, injected bool, err error) {
	if _, err = br.Peek(1); err != nil {
		return first, false, err
	}
	first = time.Now()
	r, err := http.ReadResponse(br, nil)
	if err != nil {
		return first, false, err
	}
	if _, err = io.Copy(io.Discard, r.Body); err != nil {
		return first, false, err
	}
	if r.StatusCode != http.StatusOK {
		return first, false, fmt.Errorf("status %d", r.StatusCode)
	}
	return first, strings.Count(r.Header.Get("Heed-Rules"), "@") == 2, nil
}

func (m *measured) result() overheadResult {
	n := len(m.total)
	slices.Sort(m.total)
	slices.Sort(m.first)
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	return overheadResult{
		Requests: n, PerSecond: float64(n) / m.elapsed.Seconds(), Injected: float64(m.injected) / float64(n),
		P50: us(m.total[n/2]), P99: us(m.total[n*99/100]), FirstP50: us(m.first[n/2]),
	}
}

// makeBodies writes whole requests, as bytes, with a thousand different questions
// of the same topic, so that no cache of answers or matches makes it look better
// than a busy shop would.
//
// The system prompt is the agent's own and the same in all of them, or, varied,
// another one in each, as when an agent pastes what it found into it.
func makeBodies(size int, stream, varied bool) [][]byte {
	r := rand.New(rand.NewPCG(7, 7))
	notes := filler(r, size)
	n := 1000
	if varied {
		n = 10_000
	}
	word := func(s ...string) string { return s[r.IntN(len(s))] }
	var out [][]byte
	for i := range n {
		question := fmt.Sprintf("%s which shoe size %s for the %s %s boots, order %d?", word("Hi,", "Hello,", "Please,", "Hey,"),
			word("do I need", "should I take", "would you take", "fits"), word("brown", "black", "red", "green", "blue", "white"),
			word("winter", "rain", "hiking", "ankle", "riding"), r.IntN(1e6))
		system := "You are the assistant of a shoe shop. Answer the customer's question from the notes. Notes: "
		flag := ""
		if stream {
			flag = `"stream":true,`
		}
		body := fmt.Sprintf(`{"model":"support",%s"temperature":0.2,"messages":[{"role":"system","content":"%s%%s"},{"role":"user","content":"%s"}]}`, flag, system, question)
		if varied {
			notes = filler(r, size)
		}
		body = fmt.Sprintf(body, notes[:max(0, size-len(body))])
		var b bytes.Buffer
		fmt.Fprintf(&b, "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
			"Accept: application/json\r\nUser-Agent: OpenAI/Python 2.1.0\r\nX-Stainless-Lang: python\r\nHeed-User: u%d\r\nContent-Length: %d\r\n\r\n%s", benchKey, i%200, len(body), body)
		out = append(out, b.Bytes())
	}
	return out
}

// filler is n bytes of words.
func filler(r *rand.Rand, n int) string {
	words := strings.Fields("the store opens at nine and parcels leave every weekday before noon sizes run true for most makers leather wants care")
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(words[r.IntN(len(words))])
		b.WriteByte(' ')
	}
	return b.String()[:n]
}
