package admin

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"heed/rules"
	"heed/store"
)

// payloads are what people and models may send that a careless page would run.
var payloads = []string{
	`<script>window.xss=1</script>`, `"><img src=x onerror=window.xss=1>`, `'><svg onload=window.xss=1>`,
	`</textarea><script>window.xss=1</script>`, `</title><script>window.xss=1</script>`, `<iframe srcdoc="<script>parent.xss=1</script>">`,
	`javascript:window.xss=1`, `"onmouseover="window.xss=1" x="`, `{{.Who.Name}}`, `${window.xss=1}`, `<!--`, `]]><script>window.xss=1</script>`,
	`<a href="javascript:window.xss=1">x</a>`, `<base href="https://evil.example/">`, `<meta http-equiv="refresh" content="0;url=https://evil.example">`,
	`<form action="https://evil.example"><button>x</button></form>`, `<style>*{display:none}</style>`, "\u202etxt.exe", "a\u200bb\U000E0041", `=HYPERLINK("https://evil.example")`,
	`<math><mtext></mtext><script>window.xss=1</script></math>`, `<object data="https://evil.example">`, `<link rel=stylesheet href=https://evil.example>`,
}

// hostile fills every text that a page shows with the payload.
func (b *bench) hostile(text string) {
	b.t.Helper()
	ctx := context.Background()
	x := b.exchange(text, text, func(x *store.Exchange) {
		x.Session, x.Agent, x.Facts.User, x.Facts.Step, x.Facts.Alias, x.Facts.Unit = text, text, text, text, text, text
		x.Decision.Target.Upstream, x.Decision.Target.Model, x.ResponseModel = text, text, text
		x.Error, x.Path, x.Failures = text, "/"+text, []string{text}
		body, _ := json.Marshal(map[string]any{"model": text, "messages": []any{
			map[string]any{"role": "system", "content": text},
			map[string]any{"role": "assistant", "tool_calls": []any{map[string]any{"type": "function", "function": map[string]any{"name": text, "arguments": text}}}},
			map[string]any{"role": "tool", "content": text}, map[string]any{"role": text, "content": text}}})
		x.Request = body
	})
	if _, _, err := b.store.AddFeedback(ctx, &store.Feedback{App: "shop", Source: "widget", ExchangeID: x.ID, Rating: num(-1), User: text,
		Comment: text, When: text, Correction: text, Labels: []string{text}}); err != nil {
		b.t.Fatal(err)
	}
	now := time.Now()
	ev := store.Evidence{Feedback: store.NewID(), Exchange: x.ID, User: text, Time: now, Quote: text, When: text, Query: text, Correction: text}
	b.proposal("Say it.", "somebody asks", []string{text}, func(p *store.Proposal) {
		r := p.Rule()
		r.Action, r.Scope.AppliesWhen = strings.ReplaceAll(text, "\n", " "), strings.ReplaceAll(text, "\n", " ")
		p.Title, p.Evidence = text, []store.Evidence{ev}
		p.Conflicts = []store.Conflict{{Rule: "r_x", Action: text, Reason: text, Advice: text}}
		p.Touch = store.Touch{Of: 1, In: 1, Inside: []store.Sample{{Exchange: x.ID, Query: text, P: 1}}, Near: []store.Sample{{Exchange: text, Query: text}}}
	})
	f := &store.Finding{ID: store.NewID(), App: "shop", Version: 1, State: findingOpen, Kind: text, Title: text, Step: text, Suggest: text,
		Count: 1, Created: now, Updated: now, Evidence: []store.Evidence{ev}}
	r := &rules.Rule{ID: rules.NewID(), Version: 1, App: "shop", State: rules.Active, Action: text, Authors: []string{text}, ApprovedBy: text, Origin: text,
		Scope: rules.Scope{AppliesWhen: text, Examples: []string{text}, Counterexamples: []string{text}, Hard: rules.Hard{Tags: map[string]string{text: text}}}}
	if err := b.store.Commit(ctx, store.Changes{App: "shop", Findings: []*store.Finding{f}}); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.admin.publish(ctx, "shop", store.Audit{Actor: text, Action: text, Target: text, Reason: text,
		Ops: []rules.Operation{{Kind: rules.Add, Rule: r}}}); err != nil {
		b.t.Fatal(err)
	}
}

// What people and models wrote stays text on every page: no element, no handler,
// no address comes of it.
func TestPages_HostileTexts(t *testing.T) {
	b := start(t, nil)
	for _, p := range payloads {
		b.hostile(p)
	}
	c := b.browser(Owner)
	for _, path := range b.allPages() {
		root, err := html.Parse(strings.NewReader(b.page(c, path)))
		if err != nil {
			t.Fatal(err)
		}
		inert(t, path, root)
	}
}

// ours are the elements that pages are made of.
var ours = strings.Fields(`html head meta title link script body a header form label select option input nav span button svg path circle rect main
	div p h1 h2 h3 h4 dl dt dd section article blockquote footer time ul ol li details summary textarea strong small code pre del q kbd table
	thead tbody tr th td aside noscript br em`)

func inert(t *testing.T, path string, n *html.Node) {
	t.Helper()
	if n.Type == html.CommentNode {
		t.Errorf("%s: a comment: %q", path, n.Data)
	}
	if n.Type == html.ElementNode {
		known := false
		for _, name := range ours {
			known = known || name == n.Data
		}
		if !known {
			t.Errorf("%s: element <%s>", path, n.Data)
		}
		for _, a := range n.Attr {
			value := strings.ToLower(strings.TrimSpace(a.Val))
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "srcdoc", a.Key == "http-equiv":
				t.Errorf("%s: <%s %s=%q>", path, n.Data, a.Key, a.Val)
			case a.Key == "href" || a.Key == "src" || a.Key == "action":
				if !strings.HasPrefix(value, "/") && value != "#main" || strings.HasPrefix(value, "//") {
					t.Errorf("%s: <%s %s=%q> leads elsewhere", path, n.Data, a.Key, a.Val)
				}
			}
		}
		if n.Data == "script" && n.FirstChild != nil {
			t.Errorf("%s: a script with content", path)
		}
	}
	if n.Type == html.TextNode && (strings.Contains(n.Data, "\u202e") || strings.Contains(n.Data, "\u200b")) {
		t.Errorf("%s: invisible characters are not shown: %q", path, n.Data)
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		inert(t, path, c)
	}
}

func TestVisible(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"plain ünïcode\n", "plain ünïcode\n"}, {"a\u200bb", "a⟨U+200B⟩b"}, {"\u202egnp.exe", "⟨U+202E⟩gnp.exe"},
		{"\U000E0041", "⟨U+E0041⟩"}, {"❤\ufe0f 👩\u200d🚀", "❤\ufe0f 👩\u200d🚀"}, {"a\ufe0fb", "a⟨U+FE0F⟩b"},
		{"می\u200cخواهم", "می\u200cخواهم"}, {"pass\u200dword", "pass⟨U+200D⟩word"}, {"bell\a", "bell⟨U+0007⟩"}, {"bad\xff", "bad\xff"},
	} {
		if got := visible(c.in); got != c.want {
			t.Errorf("visible(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}
