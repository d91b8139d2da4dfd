package match

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write shipped.bin again from testdata/background.txt")

// TestShipped_UpToDate holds the shipped statistics to the text they count.
// Run with -update after a change of the text or of how features are made.
func TestShipped_UpToDate(t *testing.T) {
	grammar, err := os.ReadFile("testdata/background.txt")
	if err != nil {
		t.Fatal(err)
	}
	texts := background(string(grammar), 40)
	want, _ := Count(nil, texts).MarshalBinary()
	if *update {
		if err := os.WriteFile("shipped.bin", want, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("wrote %d bytes over %d texts", len(want), len(texts))
		return
	}
	if !bytes.Equal(want, shippedBlob) {
		t.Errorf("shipped.bin is not what testdata/background.txt gives; run go test ./rules/match -run Shipped -update")
	}
}

// background draws each pattern of the grammar up to n times.
func background(grammar string, n int) []string {
	lists := map[string][]string{}
	var patterns []string
	for line := range strings.Lines(grammar) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '@':
			name, items, _ := strings.Cut(line[1:], " ")
			for item := range strings.SplitSeq(items, "|") {
				lists[name] = append(lists[name], strings.TrimSpace(item))
			}
		default:
			patterns = append(patterns, line)
		}
	}
	draw := rand.New(rand.NewPCG(1, 2))
	var out []string
	for _, p := range patterns {
		for range n {
			text := p
			for strings.Contains(text, "{") {
				i, j := strings.IndexByte(text, '{'), strings.IndexByte(text, '}')
				list := lists[text[i+1:j]]
				text = text[:i] + list[draw.IntN(len(list))] + text[j+1:]
			}
			out = append(out, text)
		}
	}
	return out
}
