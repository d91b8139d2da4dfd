package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestScope_HTTP_AgreesWithInProcess: "with --http (fewer queries) through the
// running program's feedback API, approval and gateway, where it must agree".
func TestScope_HTTP_AgreesWithInProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: scope over HTTP is NOT tested, it builds and starts the program")
	}
	prefix, _ := writeSet(t)
	results := filepath.Join(t.TempDir(), "results.json")
	var out bytes.Buffer
	args := []string{"scope", "--set", prefix, "--http", "--coverage", "0.5", "--n", "2", "--warm", "--seeds", "1", "--comments", "named", "--json", results}
	if err := run(args, &out); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(results)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Results []agreement }
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Results) != 1 {
		t.Fatalf("%d results, want one seed's", len(got.Results))
	}
	a := got.Results[0]
	if a.Queries != 24 || a.Agree != a.Queries || !a.Statistics {
		t.Errorf("%d of %d decisions agree (24 requests are asked), statistics the same: %t\n%v", a.Agree, a.Queries, a.Statistics, a.Differ)
	}
	if a.Rules < 2 || a.Recall < 0.5 {
		t.Errorf("%d rules with recall %.2f: want most of 3 topics learned", a.Rules, a.Recall)
	}
}
