package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"heed/internal/simulate"
	"heed/store"
)

// smallDisk mounts a file system of so many bytes on a new folder. It takes root;
// without, the test is skipped aloud.
func smallDisk(t *testing.T, path string, bytes int) {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	err := unix.Mount("heed-test", path, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", bytes))
	if errors.Is(err, unix.EPERM) {
		t.Skip("SKIPPED: a full disk is tested on a small file system of its own, and mounting one takes root")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// fill takes all the room that is left and returns the file that holds it.
func fill(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, unix.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// With the disk full model calls go on, feedback is refused and never falsely
// acknowledged, the lost exchanges are counted, and all of it works again without
// a restart when there is room (issue 4).
func TestServe_DiskFull(t *testing.T) {
	_, upstream := model(t, simulate.Options{})
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	smallDisk(t, data, 8<<20)
	conf := config(t, dir, upstream, "")
	p := start(t, conf)
	acked, refused, asked := map[string]bool{}, 0, 0
	talk := func(i int) int {
		asked++
		r := p.ask("gpt-4o", shopPrompt+strings.Repeat(store.NewID(), 200), fmt.Sprintf("Where is parcel %d?", i), i%2 == 0, as("ann"))
		status, answer := p.say(r, map[string]any{"rating": -1, "comment": strings.Repeat("Never say soon. ", 100)})
		switch status {
		case http.StatusCreated:
			acked[answer["id"].(string)] = true
		case http.StatusServiceUnavailable:
			refused++
			if answer["error"] == nil {
				t.Errorf("refused with %v, want an error object", answer)
			}
		default:
			t.Fatalf("feedback: %d %v, want 201 or 503", status, answer)
		}
		return status
	}
	for i := range 10 {
		if status := talk(i); status != http.StatusCreated {
			t.Fatalf("feedback with room: %d", status)
		}
	}
	filler := fill(t, data)
	for i := 0; refused < 20 && i < 500; i++ {
		talk(i)
	}
	if refused < 20 {
		t.Fatalf("%d of 500 records were refused on a full disk: the test proves nothing", refused)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	p.eventually("feedback is taken again", func() bool { return talk(0) == http.StatusCreated })
	asked++
	p.ask("gpt-4o", shopPrompt, "Is there room again?", false, as("ann-after"))
	p.logged("ann-after", 1)
	q := appQuery("shop")
	q.Set("limit", "1000")
	var stats struct {
		Gaps int `json:"gaps"`
	}
	p.eventually("each exchange is logged or counted as lost", func() bool {
		var xs page[store.Exchange]
		if err := p.api().call(t.Context(), http.MethodGet, "stats", appQuery("shop"), nil, &stats); err != nil {
			t.Fatal(err)
		}
		if err := p.api().call(t.Context(), http.MethodGet, "exchanges", q, nil, &xs); err != nil {
			t.Fatal(err)
		}
		return stats.Gaps > 0 && stats.Gaps+len(xs.Items) == asked
	})
	if code := p.terminate(); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.stderr)
	}
	p = start(t, conf)
	stored := map[string]bool{}
	var fs page[store.Feedback]
	if err := p.api().call(context.Background(), http.MethodGet, "feedback", q, nil, &fs); err != nil {
		t.Fatal(err)
	}
	for _, f := range fs.Items {
		stored[f.ID] = true
	}
	for id := range acked {
		if !stored[id] {
			t.Errorf("feedback %s was acknowledged and is gone", id)
		}
	}
	t.Logf("%d acknowledged, %d refused, %d stored, a gap of %d exchanges", len(acked), refused, len(stored), stats.Gaps)
}
