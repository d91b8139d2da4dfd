package admin

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"heed/internal/browser"
	"heed/store"
)

func (b *bench) login(t *testing.T, ctx context.Context, role Role) {
	t.Helper()
	if _, err := chromedp.Run(ctx, chromedp.Navigate(b.srv.URL+"/inbox")); err != nil { // the browser lives as long as this context
		t.Fatal(err)
	}
	browser.Shoot(t, ctx, "login")
	browser.Steps(t, ctx, "log in", chromedp.WaitVisible(chromedp.CSS("#token")), chromedp.SendKeys(chromedp.CSS("#token"), tokenOf(role)),
		chromedp.Click(chromedp.CSS("button[name=login]")), chromedp.WaitVisible(chromedp.CSS("nav[data-live=menu]")))
}

// Pictures of every page, light, dark and narrow, for people to look at.
func TestBrowser_Pictures(t *testing.T) {
	if os.Getenv("HEED_SCREENSHOTS") == "" {
		t.Skip("HEED_SCREENSHOTS names no folder")
	}
	b := start(t, func(o *Options) {
		o.Ask = func(_ context.Context, x *store.Exchange, block string) (string, error) {
			if strings.Contains(block, "refund") {
				return "Your refund is on its way. A refund takes five working days.", nil
			}
			return x.Answer, nil
		}
	})
	b.seed()
	ctx := browser.Tab(t, 1360, 960)
	b.login(t, ctx, Owner)
	b.shootTop(t, ctx)
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
		browser.Steps(t, ctx, path, chromedp.Navigate(b.srv.URL+path), chromedp.WaitVisible(chromedp.CSS("main")))
		browser.Shoot(t, ctx, name)
	}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/inbox", "/exchanges/" + xs[0].ID} {
		browser.Steps(t, ctx, path, chromedp.Navigate(b.srv.URL+path), chromedp.WaitVisible(chromedp.CSS("main")))
		browser.Shoot(t, ctx, strings.Split(path, "/")[1]+"-dark")
	}
	browser.Steps(t, ctx, "narrow", chromedp.EmulateViewport(390, 844), chromedp.Navigate(b.srv.URL+"/inbox"))
	browser.Shoot(t, ctx, "inbox-narrow")
}

// On a telephone no page is wider than the screen: what a rule did, with its
// intervals, can be read without scrolling sideways.
func TestBrowser_Narrow(t *testing.T) {
	b := start(t, nil)
	b.seed()
	ctx := browser.Tab(t, 390, 844)
	b.login(t, ctx, Owner)
	browser.Steps(t, ctx, "narrow", chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	for _, path := range b.allPages() {
		browser.Steps(t, ctx, path, chromedp.Navigate(b.srv.URL+path), chromedp.WaitVisible(chromedp.CSS("main")))
		if wide := browser.Run(t, ctx, "its width", chromedp.Evaluate[int](`document.documentElement.scrollWidth - 390`)); wide > 0 {
			t.Errorf("%s is %d pixels wider than the screen", path, wide)
		}
		if wide := browser.Run(t, ctx, "with each fold", chromedp.Evaluate[int](`Math.max(0, ...[...document.querySelectorAll("details")].map((d) => {
			const was = d.open;
			d.open = true;
			const wide = document.documentElement.scrollWidth - 390;
			d.open = was;
			return wide;
		}))`)); wide > 0 {
			t.Errorf("with a fold open %s is %d pixels wider than the screen", path, wide)
		}
	}
}

// shootTop makes the README's picture: the first card of the inbox, and its answers
// side by side.
func (b *bench) shootTop(t *testing.T, ctx context.Context) {
	t.Helper()
	browser.Steps(t, ctx, "the README's size", chromedp.EmulateViewport(1280, 880))
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(os.Getenv("HEED_SCREENSHOTS"), "top.png"), png, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	browser.Steps(t, ctx, "compare", chromedp.Click(chromedp.CSS("button[name=compare]")), chromedp.WaitVisible(chromedp.CSS("[data-compared]")))
	browser.Shoot(t, ctx, "compared")
	browser.Steps(t, ctx, "the conflict", chromedp.Navigate(b.srv.URL+"/inbox"), chromedp.WaitVisible(chromedp.CSS("button[name=supersede]")),
		chromedp.Click(chromedp.CSS("button[name=supersede]")), chromedp.WaitVisible(chromedp.CSS("#flash")))
	browser.Shoot(t, ctx, "superseded")
}

func (b *bench) anyRule() string {
	rs, _ := b.store.RuleVersions(context.Background(), "shop", "")
	return rs[0].ID
}

// watch records, in every page, what it must not do: break the content security
// policy, run a hostile text, or throw.
const watch = `window.heed = []; window.xss = 0;
addEventListener("securitypolicyviolation", (e) => heed.push("csp: " + e.violatedDirective + " " + e.blockedURI));
addEventListener("error", (e) => heed.push("error: " + e.message));
addEventListener("unhandledrejection", (e) => heed.push("rejection: " + e.reason));`

func (b *bench) clean(t *testing.T, ctx context.Context, where string) {
	t.Helper()
	if got := browser.Run(t, ctx, "look for violations", chromedp.Evaluate[[]string](`window.xss ? ["ran a text", ...heed] : heed`)); len(got) > 0 {
		t.Errorf("%s: %v", where, got)
	}
}

// The person's whole way: log in, a card arrives without a reload, ticks move its
// share, an edit changes its words, and approving puts it in force; then it is
// paused and rolled back.
func TestBrowser_Decide(t *testing.T) {
	b := start(t, nil)
	b.traffic()
	for _, q := range []string{"how do I get a voucher", "where is my refund", "can I get the order number", "how do I get to the shop for an order"} {
		b.exchange(q, "That depends.", nil)
	}
	ctx := browser.Tab(t, 1360, 960)
	if _, err := chromedp.Call(ctx, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: watch}); err != nil {
		t.Fatal(err)
	}
	b.login(t, ctx, Owner)
	browser.Steps(t, ctx, "an empty inbox", chromedp.WaitVisible(chromedp.CSS("#empty")))
	browser.Run(t, ctx, "mark the page", chromedp.Evaluate[bool](`window.stays = true`))
	p := b.proposal("Mention the five working days of refunds.", "somebody asks for a refund", []string{"how do I get a refund for order 103"}, nil)
	card := chromedp.CSS(`[data-proposal="` + p.ID + `"]`)
	begun := time.Now()
	browser.Steps(t, ctx, "the card arrives", chromedp.WaitVisible(card))
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the card took %v", took)
	}
	if !browser.Run(t, ctx, "the same page", chromedp.Evaluate[bool](`window.stays === true`)) {
		t.Error("the page was loaded anew")
	}
	has(t, browser.Run(t, ctx, "its words", chromedp.Text(card)), "somebody asks for a refund", "Mention the five working days of refunds.", "One person said")
	browser.Shoot(t, ctx, "arrived")

	before := b.fetch(p.ID)
	near := `[data-proposal="` + p.ID + `"] .samples:nth-child(2) button.yes`
	if len(before.Touch.Near) == 0 {
		t.Fatalf("nothing is near: %+v", before.Touch)
	}
	b.act(t, ctx, "tick", p.ID, chromedp.Click(chromedp.CSS(near)))
	after := b.fetch(p.ID)
	if after.Version != before.Version+1 || after.Digest == before.Digest || len(after.Rule().Scope.Examples) != 2 {
		t.Errorf("the tick changed version %d to %d, examples %q", before.Version, after.Version, after.Rule().Scope.Examples)
	}
	browser.Steps(t, ctx, "open the editor with a key", chromedp.KeyEvent("j"), chromedp.KeyEvent("e"),
		chromedp.WaitVisible(chromedp.CSS("details.edit[open] textarea[name=action]")),
		chromedp.SetValue(chromedp.CSS("details.edit[open] textarea[name=action]"), "Mention the six working days of refunds."))
	browser.Shoot(t, ctx, "edit")
	b.act(t, ctx, "edit", p.ID, chromedp.Click(chromedp.CSS("button[name=edit]")))
	if got, want := b.fetch(p.ID).Text, "When somebody asks for a refund: Mention the six working days of refunds."; got != want {
		t.Errorf("edited to %q, want %q", got, want)
	}
	b.act(t, ctx, "approve with a key", "", chromedp.KeyEvent("a"))
	browser.Steps(t, ctx, "the card is gone", chromedp.WaitNotPresent(card))
	if got := b.fetch(p.ID); got.State != store.Approved || got.DecidedBy != "olga" {
		t.Errorf("the proposal is %s by %q", got.State, got.DecidedBy)
	}
	b.clean(t, ctx, "inbox")
	row := `[data-rule="` + p.Rule().ID + `"]`
	browser.Steps(t, ctx, "pause it", chromedp.Navigate(b.srv.URL+"/rules"), chromedp.WaitVisible(chromedp.CSS(row+`[data-state=active]`)),
		chromedp.Click(chromedp.CSS(row+" button[name=pause]")), chromedp.WaitVisible(chromedp.CSS("#flash.good")))
	browser.Steps(t, ctx, "roll back", chromedp.Navigate(b.srv.URL+"/rulesets"), chromedp.Click(chromedp.CSS(`[data-epoch="1"] button[name=activate]`)),
		chromedp.WaitVisible(chromedp.CSS(`[data-epoch="3"]`)))
	b.clean(t, ctx, "rule sets")
	if r, _, err := b.admin.newestVersion(t.Context(), "shop", p.Rule().ID); err != nil || r.State != "active" {
		t.Errorf("after rolling back the rule is %v, %v", r, err)
	}
}

// Keys decide about the card that is seen: after one is approved the next takes its
// place, and no key selects one in a closed fold.
func TestBrowser_KeysDecideInOrder(t *testing.T) {
	b := start(t, nil)
	b.traffic()
	for i := range 12 { // two are folded
		b.proposal(fmt.Sprintf("Mention note %c.", 'a'+i), "somebody asks for a refund", []string{"how do I get a refund for order 103"}, func(p *store.Proposal) { p.People = 20 - i })
	}
	ctx := browser.Tab(t, 1360, 960)
	b.login(t, ctx, Owner)
	selected := func() string {
		return browser.Run(t, ctx, "what is selected", chromedp.Evaluate[string](`document.querySelector(".card.selected .action").textContent`))
	}
	browser.Steps(t, ctx, "select", chromedp.WaitVisible(chromedp.CSS("[data-proposal]")), chromedp.KeyEvent("j"), chromedp.KeyEvent("j"))
	b.act(t, ctx, "approve the second", "", chromedp.KeyEvent("a"))
	if got := selected(); got != "Mention note c." {
		t.Errorf("after the second %q is selected", got)
	}
	for range 15 {
		browser.Steps(t, ctx, "go on", chromedp.KeyEvent("j"))
	}
	if got := selected(); got != "Mention note k." {
		t.Errorf("the last that a key selects is %q", got)
	}
}

// With keys alone a card is put off: Enter in the choice of days sends it.
func TestBrowser_SnoozeByKeys(t *testing.T) {
	b := start(t, nil)
	b.traffic()
	p := b.proposal("Mention the five working days of refunds.", "somebody asks for a refund", []string{"how do I get a refund for order 103"}, nil)
	ctx := browser.Tab(t, 1360, 960)
	b.login(t, ctx, Owner)
	browser.Steps(t, ctx, "open the panel", chromedp.WaitVisible(chromedp.CSS("[data-proposal]")), chromedp.KeyEvent("j"), chromedp.KeyEvent("s"),
		chromedp.WaitVisible(chromedp.CSS("details.snooze[open] select:focus")), chromedp.KeyEvent(kb.ArrowDown))
	b.act(t, ctx, "snooze", "", chromedp.KeyEvent(kb.Enter))
	if got := b.fetch(p.ID); got.State != store.Snoozed || time.Until(got.Until) < 29*24*time.Hour {
		t.Errorf("it is %s until %v, want a month", got.State, got.Until)
	}
}

// With keys alone requests are ticked one after the other: the focus stays where it was.
func TestBrowser_TickByKeys(t *testing.T) {
	b := start(t, nil)
	b.traffic()
	p := b.proposal("Mention the five working days of refunds.", "somebody asks for a refund", []string{"how do I get a refund for order 103"}, nil)
	ctx := browser.Tab(t, 1360, 960)
	b.login(t, ctx, Owner)
	sample := `[data-sample="` + p.Touch.Inside[0].Exchange + `"] button.yes`
	browser.Steps(t, ctx, "go to a tick", chromedp.WaitVisible(chromedp.CSS(sample)), chromedp.Focus(chromedp.CSS(sample)))
	b.act(t, ctx, "tick", p.ID, chromedp.KeyEvent(kb.Enter))
	browser.Steps(t, ctx, "the focus is there", chromedp.WaitVisible(chromedp.CSS(sample+"[aria-pressed=true]:focus")))
	b.act(t, ctx, "take it back", p.ID, chromedp.KeyEvent(kb.Enter))
	if got := b.fetch(p.ID); len(got.Rule().Scope.Examples) != 1 || got.Version != 3 {
		t.Errorf("version %d, applies to %q", got.Version, got.Rule().Scope.Examples)
	}
}

// The answer to a form that a refresh overtook does not leave the page as it was
// before that: it is brought up to date again.
func TestBrowser_OvertakenAnswer(t *testing.T) {
	b := start(t, nil)
	b.traffic()
	p := b.proposal("Mention the five working days of refunds.", "somebody asks for a refund", []string{"how do I get a refund for order 103"}, nil)
	ctx := browser.Tab(t, 1360, 960)
	b.login(t, ctx, Owner)
	shows := func() chromedp.Action[chromedp.Void] {
		return chromedp.WaitVisible(chromedp.CSS(`[data-proposal="` + p.ID + `"][data-digest="` + b.fetch(p.ID).Digest + `"]`))
	}
	browser.Steps(t, ctx, "the card", shows())
	browser.Run(t, ctx, "hold answers to forms", chromedp.Evaluate[bool](`load = ((real) => async (method, ...rest) => {
		const x = await real(method, ...rest);
		if (method === "POST") await new Promise((go) => { document.body.dataset.held = "1"; window.release = go; });
		return x;
	})(load), true`))
	browser.Steps(t, ctx, "tick", chromedp.Click(chromedp.CSS(".samples:nth-child(2) button.yes")), chromedp.WaitReady(chromedp.CSS("body[data-held]")))
	b.ok(Approver, "PATCH", "proposals/"+p.ID, map[string]any{"action": "Mention the six working days of refunds."}, nil)
	browser.Steps(t, ctx, "somebody else's edit", shows())
	browser.Run(t, ctx, "let it go on", chromedp.Evaluate[bool](`window.release(), true`))
	browser.Steps(t, ctx, "the answer is there", chromedp.WaitVisible(chromedp.CSS("#flash.good")), shows())
}

// A refresh that was asked before a form was answered does not bring back what the
// form decided.
func TestBrowser_StaleRefresh(t *testing.T) {
	b := start(t, nil)
	b.traffic()
	p := b.proposal("Mention the five working days of refunds.", "somebody asks for a refund", []string{"how do I get a refund for order 103"}, nil)
	other := b.proposal("Mention the order number.", "somebody asks for the order number", []string{"can I get the order number"}, nil)
	ctx := browser.Tab(t, 1360, 960)
	b.login(t, ctx, Owner)
	card := func(id string) chromedp.CSS { return chromedp.CSS(`[data-proposal="` + id + `"]`) }
	browser.Steps(t, ctx, "the cards", chromedp.WaitVisible(card(p.ID)), chromedp.WaitVisible(card(other.ID)))
	browser.Run(t, ctx, "hold the first refresh", chromedp.Evaluate[bool](`load = ((real) => async (method, ...rest) => {
		const x = await real(method, ...rest);
		if (method === "GET" && !document.body.dataset.held) await new Promise((go) => { document.body.dataset.held = "1"; window.release = go; });
		else if (method === "GET") setTimeout(() => { document.body.dataset.refreshed = "1"; });
		return x;
	})(load), true`))
	b.ok(Approver, "PATCH", "proposals/"+other.ID, map[string]any{"action": "Mention the number of the order."}, nil)
	browser.Steps(t, ctx, "a refresh is on its way", chromedp.WaitReady(chromedp.CSS("body[data-held]")))
	b.act(t, ctx, "approve", "", chromedp.Click(chromedp.CSS(`[data-proposal="`+p.ID+`"] button[name=approve]`)))
	browser.Steps(t, ctx, "the card is gone", chromedp.WaitNotPresent(card(p.ID)))
	browser.Run(t, ctx, "let the refresh go on", chromedp.Evaluate[bool](`new MutationObserver(() => {
		if (document.querySelector('[data-proposal="`+p.ID+`"]')) document.body.dataset.back = "1";
	}).observe(document.body, { childList: true, subtree: true }), window.release(), true`))
	browser.Steps(t, ctx, "it is asked anew", chromedp.WaitReady(chromedp.CSS("body[data-refreshed]")),
		chromedp.WaitVisible(chromedp.CSS(`[data-proposal="`+other.ID+`"][data-digest="`+b.fetch(other.ID).Digest+`"]`)))
	if browser.Run(t, ctx, "did it come back", chromedp.Evaluate[bool](`document.body.dataset.back === "1"`)) {
		t.Error("the approved card came back")
	}
}

// Who saves an edit of a card that changed meanwhile is refused once: then the card
// shows the change, and what was written stands in its editor still.
func TestBrowser_EditOfAChangedCard(t *testing.T) {
	b := start(t, nil)
	b.traffic()
	p := b.proposal("Mention the five working days of refunds.", "somebody asks for a refund", []string{"how do I get a refund for order 103"}, nil)
	ctx := browser.Tab(t, 1360, 960)
	b.login(t, ctx, Owner)
	card := `[data-proposal="` + p.ID + `"]`
	action, save := chromedp.CSS(card+" textarea[name=action]"), chromedp.CSS(card+" button[name=edit]")
	browser.Steps(t, ctx, "write", chromedp.Click(chromedp.CSS(card+" details.edit > summary")), chromedp.WaitVisible(action), chromedp.SetValue(action, "Mention the six working days."))
	b.ok(Approver, "POST", "proposals/"+p.ID+"/ticks", map[string]any{"query": "can I get the order number", "applies": false}, nil)
	browser.Steps(t, ctx, "it says that it changed", chromedp.WaitVisible(chromedp.CSS(card+".changed")))
	browser.Steps(t, ctx, "save", chromedp.Click(save), chromedp.WaitVisible(chromedp.CSS("#flash.bad")),
		chromedp.WaitVisible(chromedp.CSS(card+`[data-digest="`+b.fetch(p.ID).Digest+`"]`)), chromedp.WaitVisible(action))
	b.act(t, ctx, "save again", p.ID, chromedp.Click(save))
	if got := b.fetch(p.ID); !strings.Contains(got.Text, "Mention the six working days.") || len(got.Rule().Scope.Counterexamples) != 1 {
		t.Errorf("saved %q with %q", got.Text, got.Rule().Scope.Counterexamples)
	}
}

// What somebody writes goes on being text when another person decides about the card,
// or its place changes: a letter of it never decides about the next card.
func TestBrowser_WritingWhileOthersDecide(t *testing.T) {
	b := start(t, nil)
	b.traffic()
	behind := func(n int) func(*store.Proposal) { return func(p *store.Proposal) { p.People = n } }
	p := b.proposal("Mention the five working days of refunds.", "somebody asks for a refund", []string{"how do I get a refund for order 103"}, behind(3))
	other := b.proposal("Mention the order number.", "somebody asks for the order number", []string{"can I get the order number"}, behind(2))
	ctx := browser.Tab(t, 1360, 960)
	b.login(t, ctx, Owner)
	card := func(p *store.Proposal) string { return `[data-proposal="` + p.ID + `"]` }
	browser.Steps(t, ctx, "write", chromedp.WaitVisible(chromedp.CSS(card(p))), chromedp.KeyEvent("j"), chromedp.KeyEvent("r"),
		chromedp.WaitVisible(chromedp.CSS(card(p)+" details.reject[open] input:focus")), chromedp.KeyEvent("not "))
	written := func() string {
		return browser.Run(t, ctx, "what is written", chromedp.Evaluate[string](`document.activeElement.value || ""`))
	}

	now := b.fetch(other.ID).Proposal
	now.Version, now.People = now.Version+1, 9
	if err := b.store.Commit(t.Context(), store.Changes{App: "shop", Proposals: []*store.Proposal{now}}); err != nil {
		t.Fatal(err)
	}
	browser.Steps(t, ctx, "the other is first", chromedp.WaitVisible(chromedp.CSS(card(other)+"[data-people='9']:first-child")), chromedp.KeyEvent("a "))
	if got := written(); got != "not a " {
		t.Errorf("after the places changed %q is written", got)
	}
	b.ok(Approver, "POST", "proposals/"+p.ID+"/reject", map[string]any{"reason": "no"}, nil)
	browser.Steps(t, ctx, "the card says so", chromedp.WaitVisible(chromedp.CSS(card(p)+".changed")), chromedp.KeyEvent("a good idea"))
	if got := written(); got != "not a a good idea" {
		t.Errorf("after the decision %q is written", got)
	}
	browser.Steps(t, ctx, "send it", chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS("#flash.bad")), chromedp.WaitNotPresent(chromedp.CSS(card(p))))
	if got := b.fetch(other.ID); got.State != store.Open {
		t.Errorf("the other proposal is %s", got.State)
	}
}

func (b *bench) fetch(id string) proposalView {
	b.t.Helper()
	var v proposalView
	b.ok(Viewer, "GET", "proposals/"+id, nil, &v)
	return v
}

// act does something and waits until the page shows what was done: a message, and
// the card's new version if it is still there.
func (b *bench) act(t *testing.T, ctx context.Context, what, id string, do chromedp.Action[chromedp.Void]) {
	t.Helper()
	browser.Run(t, ctx, "clear the message", chromedp.Evaluate[bool](`document.getElementById("flash")?.remove(), true`))
	browser.Steps(t, ctx, what, do, chromedp.WaitVisible(chromedp.CSS("#flash")))
	if text := browser.Run(t, ctx, what, chromedp.AttributeValue(chromedp.CSS("#flash"), "class")); !strings.Contains(text.Value, "good") {
		t.Fatalf("%s was refused: %s", what, browser.Run(t, ctx, what, chromedp.Text(chromedp.CSS("#flash"))))
	}
	if id != "" {
		v := b.fetch(id)
		browser.Steps(t, ctx, what, chromedp.WaitVisible(chromedp.CSS(`[data-proposal="`+id+`"][data-digest="`+v.Digest+`"]`)))
	}
}

// A browser runs none of the hostile texts and asks nobody but admin.
func TestBrowser_HostileTexts(t *testing.T) {
	b := start(t, nil)
	for _, p := range payloads {
		b.hostile(p)
	}
	ctx := browser.Tab(t, 1360, 960)
	if _, err := chromedp.Call(ctx, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: watch}); err != nil {
		t.Fatal(err)
	}
	b.login(t, ctx, Owner)
	seen := map[string]int{}
	for _, path := range b.allPages() {
		kind := strings.Split(path, "/")[1]
		if seen[kind]++; seen[kind] > 6 {
			continue // the pages of one kind differ by payload; html.Parse saw them all
		}
		browser.Steps(t, ctx, path, chromedp.Navigate(b.srv.URL+path), chromedp.WaitVisible(chromedp.CSS("main")))
		b.clean(t, ctx, path)
		for _, u := range browser.Run(t, ctx, "what was loaded", chromedp.Evaluate[[]string](`performance.getEntriesByType("resource").map((e) => e.name)`)) {
			if !strings.HasPrefix(u, b.srv.URL) {
				t.Errorf("%s asked %s", path, u)
			}
		}
	}
}
