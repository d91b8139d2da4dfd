package admin

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"heed/store"
)

// tab starts a headless Chromium and returns a tab that ends with the test.
func tab(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("no chromium on this machine: make deps installs it")
		}
		t.Skip("no chromium on this machine: make deps installs it")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(1360, 960), chromedp.NoSandbox)
	for _, f := range []string{"disable-gpu", "disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "no-first-run"} {
		opts = append(opts, chromedp.Flag(f, true))
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// in runs one action within 30 seconds.
func in[T any](t *testing.T, ctx context.Context, what string, a chromedp.Action[T]) T {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	v, err := chromedp.Run(limited, a)
	if err != nil {
		shoot(t, ctx, "failed")
		t.Fatalf("%s: %v", what, err)
	}
	return v
}

func steps(t *testing.T, ctx context.Context, what string, all ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	in(t, ctx, what, chromedp.Steps(all...))
}

// shoot writes a screenshot of the whole page where HEED_SCREENSHOTS says.
func shoot(t *testing.T, ctx context.Context, name string) {
	dir := os.Getenv("HEED_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Logf("screenshot %s: %v", name, err)
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		t.Error(err)
	}
}

func (b *bench) login(t *testing.T, ctx context.Context, role Role) {
	t.Helper()
	if _, err := chromedp.Run(ctx, chromedp.Navigate(b.srv.URL+"/inbox")); err != nil { // the browser lives as long as this context
		t.Fatal(err)
	}
	shoot(t, ctx, "login")
	steps(t, ctx, "log in", chromedp.WaitVisible(chromedp.CSS("#token")), chromedp.SendKeys(chromedp.CSS("#token"), tokenOf(role)),
		chromedp.Click(chromedp.CSS("button[name=login]")), chromedp.WaitVisible(chromedp.CSS("nav[data-live=menu]")))
}

// Pictures of every page, light, dark and narrow, for people to look at.
func TestBrowser_Pictures(t *testing.T) {
	if os.Getenv("HEED_SCREENSHOTS") == "" {
		t.Skip("HEED_SCREENSHOTS names no folder")
	}
	b := start(t, nil)
	b.seed()
	ctx := tab(t)
	b.login(t, ctx, Owner)
	seen := map[string]bool{}
	xs, _, err := b.store.Exchanges(t.Context(), store.ExchangeFilter{App: "shop", Rule: b.anyRule(), Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(b.allPages(), "/exchanges/"+xs[0].ID) {
		name := strings.Split(strings.TrimPrefix(path, "/"), "?")[0]
		if dir, id, ok := strings.Cut(name, "/"); ok {
			if name = dir + "-one"; id == xs[0].ID {
				name = "exchanges-why"
			}
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		steps(t, ctx, path, chromedp.Navigate(b.srv.URL+path), chromedp.WaitVisible(chromedp.CSS("main")))
		shoot(t, ctx, name)
	}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/inbox", "/exchanges/" + xs[0].ID} {
		steps(t, ctx, path, chromedp.Navigate(b.srv.URL+path), chromedp.WaitVisible(chromedp.CSS("main")))
		shoot(t, ctx, strings.Split(path, "/")[1]+"-dark")
	}
	steps(t, ctx, "narrow", chromedp.EmulateViewport(390, 844), chromedp.Navigate(b.srv.URL+"/inbox"))
	shoot(t, ctx, "inbox-narrow")
}

func (b *bench) anyRule() string {
	rs, _ := b.store.RuleVersions(context.Background(), "shop", "")
	return rs[0].ID
}
