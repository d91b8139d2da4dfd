package match

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// requests returns many requests: those of the set in the folder that HEED_DATA
// names, or else draws of the shipped background's grammar.
func requests(tb testing.TB) []string {
	tb.Helper()
	dir := os.Getenv("HEED_DATA")
	if dir == "" {
		tb.Log("HEED_DATA names no folder with scope/clinc150.train.tsv.gz: measuring on generated requests")
		grammar, err := os.ReadFile("testdata/background.txt")
		if err != nil {
			tb.Fatal(err)
		}
		return background(string(grammar), 60)
	}
	f, err := os.Open(filepath.Join(dir, "scope/clinc150.train.tsv.gz"))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	for lines := bufio.NewScanner(z); lines.Scan(); {
		_, text, _ := strings.Cut(lines.Text(), "\t")
		out = append(out, text)
	}
	return out
}

// manyScopes makes n scopes of 8 neighbouring requests each, and returns the rest
// of the requests.
func manyScopes(tb testing.TB, n int) (scopes []Scope, rest []string) {
	tb.Helper()
	all := requests(tb)
	if len(all) < 9*n {
		all = slices.Concat(all, all)
	}
	step := len(all) / n
	for i := range n {
		part := all[i*step : (i+1)*step]
		k := min(8, len(part))
		scopes = append(scopes, Scope{ID: fmt.Sprintf("r_%05d", i), Examples: part[:k], Comment: "please be brief"})
		rest = append(rest, part[k:]...)
	}
	return scopes, rest
}

func BenchmarkIndex_Match(b *testing.B) {
	scopes, rest := manyScopes(b, 1000)
	var traffic []Logged
	for _, q := range rest {
		traffic = append(traffic, Logged{Step: "s", Text: q, Query: q})
	}
	long := make([]string, 500)
	for i := range long {
		for j := i * 7; len(long[i]) < maxTextBytes; j++ {
			long[i] += rest[j%len(rest)] + " "
		}
	}
	stats := Fit(scopes, traffic[:min(len(traffic), 5000)], FitOptions{})
	for _, bench := range []struct {
		name    string
		stats   *Stats
		queries []string
	}{{"cold/short", nil, rest}, {"warm/short", stats, rest}, {"cold/1500B", nil, long}, {"warm/1500B", stats, long}} {
		b.Run(bench.name, func(b *testing.B) {
			ix := compile(b, scopes, bench.stats)
			measure(b, ix, bench.queries)
		})
	}
}

// measure reports the mean and the 99th percentile of single matches.
func measure(b *testing.B, ix *Index, queries []string) {
	var buf Buffer
	for _, q := range queries {
		ix.Match(q, nil, &buf)
	}
	took := make([]time.Duration, 0, 1<<20)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		start := time.Now()
		ix.Match(queries[i%len(queries)], nil, &buf)
		if len(took) < cap(took) {
			took = append(took, time.Since(start))
		}
		i++
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1000, "p99-µs")
}

func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		scopes, _ := manyScopes(b, n)
		b.Run(fmt.Sprint(n, "rules"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				compile(b, scopes, nil)
			}
		})
	}
}
