package main

import (
	"context"
	"net/http"
	"testing"

	"golang.org/x/sys/unix"

	"heed/internal/simulate"
)

// While the store has no room, model calls go on as before, feedback is not
// acknowledged, and what is lost is counted; with room again all is as it was,
// without a restart, and the gap is on record.
func TestStore_NoRoom(t *testing.T) {
	_, upstream := model(t, simulate.Options{})
	p := start(t, config(t, t.TempDir(), upstream, ""))
	r := p.ask("gpt-4o", shopPrompt, "How do I return shoes?", false)
	room := func(bytes uint64) {
		t.Helper()
		if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil); err != nil {
			t.Fatal(err)
		}
	}
	room(1) // no file may grow, nor be written anew beyond its first byte
	for range 5 {
		if got := p.ask("gpt-4o", shopPrompt, "How do I return shoes?", true); got.text == "" {
			t.Error("a model call without room got no answer")
		}
	}
	if status, _ := p.say(r, map[string]any{"rating": -1, "comment": "Mention the returns page."}); status != http.StatusServiceUnavailable {
		t.Errorf("feedback without room: %d, want 503", status)
	}
	gaps := func() int64 {
		var stats struct {
			Gaps int64 `json:"gaps"`
		}
		if err := p.api().call(context.Background(), http.MethodGet, "stats", appQuery("shop"), nil, &stats); err != nil {
			t.Fatal(err)
		}
		return stats.Gaps
	}
	p.eventually("the loss in the metrics", func() bool { return p.metric(t, "heed_log_dropped_total") >= 5 })
	room(unix.RLIM_INFINITY)
	p.eventually("the gap on record", func() bool {
		p.ask("gpt-4o", shopPrompt, "How do I return shoes?", false)
		return gaps() >= 5
	})
	if status, _ := p.say(r, map[string]any{"rating": -1, "comment": "Mention the returns page."}); status != http.StatusCreated {
		t.Errorf("feedback with room again: %d, want 201", status)
	}
}
