package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"heed/internal/browser"
)

// inWidget is a JavaScript path into the shadow DOM of the last feedback widget.
func inWidget(selector string) chromedp.JSPath {
	return chromedp.JSPath(`[...document.querySelectorAll("heed-feedback")].at(-1).shadowRoot.querySelector("` + selector + `")`)
}

// A person asks, clicks thumbs down and writes; an admin approves in the admin UI;
// the next answer changes. HEED_SCREENSHOTS names a folder for pictures.
func TestBrowser_ThumbsDownToChangedAnswer(t *testing.T) {
	d, stop, err := demoCmd{Seed: 1, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0", Admin: "127.0.0.1:0"}.startPage(t)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	ctx := browser.Tab(t, 1440, 1000)
	const question = "How do I send back shoes that do not fit?"
	run := func(what string, steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		browser.Run(t, ctx, what, chromedp.Steps(steps...))
	}
	if _, err := chromedp.Run(ctx, chromedp.Navigate(d.page)); err != nil { // the browser lives as long as this context
		t.Fatal(err)
	}
	const last = chromedp.CSS("#messages li.assistant:last-child")
	run("ask", chromedp.SetValue(chromedp.CSS("#question"), question), chromedp.Click(chromedp.CSS("#ask button[type=submit]")), chromedp.WaitVisible(chromedp.CSS("heed-feedback")))
	first := browser.Run(t, ctx, "the answer", chromedp.Text(last))
	run("thumbs down", chromedp.Click(inWidget("button[name=down]")),
		chromedp.SendKeys(inWidget("textarea[name=comment]"), "Always mention the 30-day return window."),
		chromedp.SendKeys(inWidget("input[name=applies_when]"), "someone wants to return something"))
	browser.Shoot(t, ctx, "widget")
	run("send", chromedp.Click(inWidget("button[name=send]")), chromedp.WaitVisible(chromedp.CSS("[data-proposal]")))
	card := browser.Run(t, ctx, "the card", chromedp.Text(chromedp.CSS("[data-proposal] .rule")))
	browser.Shoot(t, ctx, "card")
	if !strings.Contains(card, "30-day return window") {
		t.Errorf("the card reads %q", card)
	}
	run("log in to admin", chromedp.Navigate(d.admin+"/inbox"), chromedp.WaitVisible(chromedp.CSS("#token")), chromedp.SendKeys(chromedp.CSS("#token"), d.token),
		chromedp.Click(chromedp.CSS("button[name=login]")), chromedp.WaitVisible(chromedp.CSS("[data-proposal] button[name=approve]")))
	browser.Shoot(t, ctx, "inbox")
	approveCard(t, ctx, "[data-proposal] button[name=approve]", chromedp.Click(chromedp.CSS("[data-proposal] button[name=approve]")))
	browser.Shoot(t, ctx, "approved")
	run("ask again", chromedp.Navigate(d.page), chromedp.WaitVisible(chromedp.CSS("[data-rule]")), chromedp.SetValue(chromedp.CSS("#question"), question),
		chromedp.Click(chromedp.CSS("#ask button[type=submit]")), chromedp.WaitVisible(chromedp.CSS("heed-feedback")))
	second := browser.Run(t, ctx, "the second answer", chromedp.Text(last))
	browser.Shoot(t, ctx, "changed")
	if strings.Contains(first, "30-day") || !strings.Contains(second, "30-day") {
		t.Errorf("before: %q\nafter: %q", first, second)
	}
	run("its effect", chromedp.WaitVisible(chromedp.CSS("[data-rule] [data-effect]")))
	browser.Shoot(t, ctx, "demo-effect")
	run("roll back", chromedp.Click(chromedp.CSS("[data-rule] button[name=retire]")), chromedp.WaitNotPresent(chromedp.CSS("[data-rule]")))
}

// The demo's other path: a complaint and a claimed fact become findings, an admin's
// sentence makes a proposal of the fact once it says where it stands and how long it
// holds, and the answer changes. Nothing sticks out of the page on a phone.
func TestBrowser_FindingToChangedAnswer(t *testing.T) {
	d, stop, err := demoCmd{Seed: 1, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0", Admin: "127.0.0.1:0"}.startPage(t)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	ctx := browser.Tab(t, 500, 800)
	if _, err := chromedp.Run(ctx, chromedp.Navigate(d.page)); err != nil { // the browser lives as long as this context
		t.Fatal(err)
	}
	run := func(what string, steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		browser.Run(t, ctx, what, chromedp.Steps(steps...))
	}
	fits := func(where string) {
		t.Helper()
		if wide := browser.Run(t, ctx, "its width", chromedp.Evaluate[int](`document.documentElement.scrollWidth - innerWidth`)); wide > 0 {
			t.Errorf("%s sticks out by %d pixels at 360", where, wide)
		}
	}
	run("a phone", chromedp.EmulateViewport(360, 800)) // windows are 500 wide at least
	const question = "Where is my parcel?"
	ask := func() {
		t.Helper()
		run("ask", chromedp.Click(chromedp.CSS("#fresh")), chromedp.SetValue(chromedp.CSS("#question"), question), chromedp.Click(chromedp.CSS("#ask button[type=submit]")),
			chromedp.WaitVisible(chromedp.CSS("heed-feedback")))
	}
	for i, comment := range []string{"This does not answer my question at all", "You should say that deliveries take three days."} {
		ask()
		run("complain", chromedp.Click(inWidget("button[name=down]")), chromedp.SendKeys(inWidget("textarea[name=comment]"), comment), chromedp.Click(inWidget("button[name=send]")),
			chromedp.WaitVisible(chromedp.CSS(fmt.Sprintf("#findings [data-finding]:nth-child(%d)", i+1))))
	}
	ask()
	run("wish", chromedp.Click(inWidget("button[name=down]")), chromedp.SendKeys(inWidget("textarea[name=comment]"), "Always link the tracking page."), chromedp.Click(inWidget("button[name=send]")),
		chromedp.WaitVisible(chromedp.CSS("[data-proposal]")))
	browser.Shoot(t, ctx, "demo-findings")
	fits("the demo")
	run("to admin", chromedp.Navigate(d.admin+"/findings?app=shop"), chromedp.WaitVisible(chromedp.CSS("#token")), chromedp.SendKeys(chromedp.CSS("#token"), d.token),
		chromedp.Click(chromedp.CSS("button[name=login]")), chromedp.WaitVisible(chromedp.CSS("[data-finding]:first-child summary.primary")))
	fits("the findings")
	run("say what to do", chromedp.Click(chromedp.CSS("[data-finding]:first-child summary.primary")), chromedp.WaitVisible(chromedp.CSS("[data-finding]:first-child textarea[name=applies_when]")),
		chromedp.SendKeys(chromedp.CSS("[data-finding]:first-child textarea[name=applies_when]"), "someone asks where their parcel is"),
		chromedp.Click(chromedp.CSS("[data-finding]:first-child button[name=propose]")), chromedp.WaitVisible(chromedp.CSS("#flash.bad")))
	browser.Shoot(t, ctx, "finding-refused")
	fits("the refusal")
	if kept := browser.Run(t, ctx, "what was written", chromedp.Value(chromedp.CSS("[data-finding]:first-child textarea[name=applies_when]"))); kept != "someone asks where their parcel is" {
		t.Errorf("the refused form holds %q", kept)
	}
	run("with its source", chromedp.SendKeys(chromedp.CSS("[data-finding]:first-child input[name=source]"), "https://shop.example/shipping"),
		chromedp.SetValue(chromedp.CSS("[data-finding]:first-child input[name=valid_to]"), time.Now().AddDate(0, 6, 0).Format(time.DateOnly)),
		chromedp.Click(chromedp.CSS("[data-finding]:first-child button[name=propose]")), chromedp.WaitVisible(chromedp.CSS("[data-proposal] [data-fact]")))
	browser.Shoot(t, ctx, "finding-proposal")
	fits("the proposal")
	const approve = "[data-fact] ~ footer button[name=approve]"
	approveCard(t, ctx, approve, chromedp.Click(chromedp.CSS(approve)))
	run("back to the demo", chromedp.Navigate(d.page), chromedp.WaitVisible(chromedp.CSS("[data-rule]")))
	ask()
	if answer := browser.Run(t, ctx, "the answer", chromedp.Text(chromedp.CSS("#messages li.assistant:last-child"))); !strings.Contains(answer, "three days") || !strings.Contains(answer, "1 rule applied") {
		t.Errorf("the answer with the rule: %q", answer)
	}
	run("the prompt", chromedp.Click(chromedp.CSS("#messages li.assistant:last-child summary")), chromedp.WaitVisible(chromedp.CSS("#messages mark")))
	browser.Shoot(t, ctx, "demo-prompt")
	fits("the changed answer")
}

// maxLooks is how often a person looks at one card.
const maxLooks = 3

// approveCard approves the card with that button, in admin, as a person does: where
// the learner measured the card anew while they looked at it, so that it would touch
// much more or less than it said, they are told so, look at the new figures, and
// press again.
func approveCard(t *testing.T, ctx context.Context, button string, press chromedp.Action[chromedp.Void]) {
	t.Helper()
	for range maxLooks {
		browser.Run(t, ctx, "clear the message", chromedp.Evaluate[bool](`document.getElementById("flash")?.remove(), true`))
		browser.Steps(t, ctx, "approve", press, chromedp.WaitReady(chromedp.CSS("main:not(:has("+button+")), main:has(#flash.bad)")))
		refused := browser.Run(t, ctx, "the answer", chromedp.Evaluate[string](`document.querySelector("#flash.bad")?.textContent ?? ""`))
		if refused == "" {
			return
		}
		t.Log(refused)
		if !strings.Contains(refused, "Look at it again") {
			break
		}
	}
	t.Fatal("the approval is refused")
}

// shownDemo is where a demo with its page is.
type shownDemo struct{ page, admin, token string }

// startPage starts the demo with its page, in this process.
func (cmd demoCmd) startPage(t *testing.T) (shownDemo, func(), error) {
	t.Helper()
	ln, err := net.Listen("tcp", cmd.Listen)
	if err != nil {
		return shownDemo{}, nil, err
	}
	cmd.Listen = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	d, stop, err := cmd.start(&env{ctx: ctx, out: os.Stdout, errs: os.Stderr})
	if err != nil {
		cancel()
		return shownDemo{}, nil, err
	}
	self := "http://" + ln.Addr().String()
	pg, err := newDemoPage(d, self)
	if err != nil {
		cancel()
		stop()
		return shownDemo{}, nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- pg.serve(ctx, ln) }()
	return shownDemo{self, d.stack.adminURL, d.stack.token}, func() { cancel(); <-ended; stop() }, nil
}
