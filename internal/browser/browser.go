// Package browser drives a headless Chromium in tests of the pages that Heed
// serves. [Tab] starts one, [Run] does something in it within a time limit, [Shoot]
// keeps a picture.
package browser

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// limit bounds every action; it is generous because machines are shared.
const limit = 60 * time.Second

// Tab starts a headless Chromium and returns a tab that ends with the test. Where
// there is no Chromium the test is skipped aloud; with CI set that is a failure.
func Tab(t testing.TB, width, height int) context.Context {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.WindowSize(width, height), chromedp.NoSandbox)
	for _, f := range []string{"disable-gpu", "disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "no-first-run"} {
		opts = append(opts, chromedp.Flag(f, true))
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("no chromium on this machine: make deps installs it")
	}
	t.Skip("no chromium on this machine: make deps installs it")
	return ""
}

// Run runs one action in the tab within a minute. If it fails, the test does, with
// a picture.
func Run[T any](t testing.TB, tab context.Context, what string, a chromedp.Action[T]) T {
	t.Helper()
	limited, cancel := context.WithTimeout(tab, limit)
	defer cancel()
	v, err := chromedp.Run(limited, a)
	if err != nil {
		Shoot(t, tab, "failed")
		t.Fatalf("%s: %v", what, err)
	}
	return v
}

// Steps runs actions one after the other, like one Run.
func Steps(t testing.TB, tab context.Context, what string, all ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	Run(t, tab, what, chromedp.Steps(all...))
}

// Shoot writes a picture of the whole page into the folder that HEED_SCREENSHOTS
// names, if it names one.
func Shoot(t testing.TB, tab context.Context, name string) {
	dir := os.Getenv("HEED_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
	if err != nil {
		t.Logf("screenshot %s: %v", name, err)
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		t.Error(err)
	}
}
