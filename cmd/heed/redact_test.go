package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"heed/internal/simulate"
	"heed/store"
)

// canaries are secrets of each kind that redaction knows, and one of the app's own.
var canaries = []string{"jane.canary@mail.example", "4539 1488 0343 6467", "DE89370400440532013000", "sk-proj-q8Zt2LmXv0RbKc7WnYhJ", "ORDER-774411"}

// With bodies redacted or none, no secret of a request, an answer or of feedback
// reaches a file, and what is not secret stays to be learned from (issue 4).
func TestBodies_NoSecretReachesTheFiles(t *testing.T) {
	for _, mode := range []string{"full", "redacted", "none"} {
		t.Run(mode, func(t *testing.T) {
			_, upstream := model(t, simulate.Options{})
			conf := config(t, t.TempDir(), upstream, "")
			if mode != "full" { // with full they must be found, or the search proves nothing
				replaceIn(t, conf, "holdout: 0}", "holdout: 0, bodies: "+mode+`, redact: ['(?i)order-\d{6}']}`)
			}
			p := start(t, conf)
			var id string
			for i, c := range canaries {
				r := p.ask("gpt-4o", shopPrompt, "Where is my parcel? I am "+c, i%2 == 0, as("ann"))
				id = r.header.Get("Heed-Exchange-Id")
				p.say(r, map[string]any{"rating": -1, "comment": "I am " + c, "applies_when": "I am " + c, "correction": "You are " + c, "labels": []string{c}, "answers": map[string]any{"who": c}})
			}
			p.logged("ann", len(canaries))
			var x store.Exchange
			if err := p.api().call(context.Background(), http.MethodGet, "exchanges/"+id, appQuery("shop"), nil, &x); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(x.Query, "Where is my parcel?") || (len(x.Request) > 0) == (mode == "none") {
				t.Errorf("query %q, %d bytes of request", x.Query, len(x.Request))
			}
			if code := p.terminate(); code != 0 {
				t.Errorf("exit code %d\n%s", code, p.stderr)
			}
			for _, c := range canaries {
				found := filesHolding(t, filepath.Join(p.dir, "data"), strings.ToLower(c))
				if (len(found) > 0) != (mode == "full") {
					t.Errorf("%q is in the files %q", c, found)
				}
			}
		})
	}
}

// replaceIn changes a text in a file.
func replaceIn(t *testing.T, path, old, text string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(b), old) {
		t.Fatalf("%s does not hold %q: %v", path, old, err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(b), old, text, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}
