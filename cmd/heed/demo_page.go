package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"heed/internal/simulate"
	"heed/store"
)

//go:embed demo
var demoFiles embed.FS

var demoTemplate = template.Must(template.ParseFS(demoFiles, "demo/index.html"))

// Limits of the demo page: it is one person's, on loopback.
const (
	maxDemoBody  = 256 << 10
	maxDemoTurns = 40
	demoStop     = 2 * time.Second
	whyWait      = 3 * time.Second // until the log has the row of an answer just given
)

// demoPage is the demo's web page: the backend of a chat as any product has one,
// and an inbox that shows what the admin API says.
type demoPage struct {
	d       *demo
	client  openai.Client
	effects *store.Effects
	page    []byte
}

func newDemoPage(d *demo, self string) (*demoPage, error) {
	p := &demoPage{d: d, effects: store.NewEffects(d.stack.store), client: openai.NewClient(option.WithBaseURL(d.stack.gatewayURL+"/v1"), option.WithAPIKey(demoKey))}
	var b strings.Builder
	about := "A shop’s support agent in front of " + d.upstream + ". Say what was wrong, approve, ask in other words, roll back."
	err := demoTemplate.Execute(&b, map[string]any{
		"About": about, "Widget": d.stack.gatewayURL + "/heed/widget.js", "Admin": d.stack.adminURL,
		"Questions": demoQuestions(d.scene),
	})
	p.page = []byte(b.String())
	return p, err
}

// demoQuestions proposes one question of each topic with expectations, a second
// one in other words, and a neighbour.
func demoQuestions(s simulate.Scene) []string {
	var out []string
	topics := map[string]bool{}
	for _, q := range s.Train {
		if !topics[q.Topic] && len(topics) < 3 {
			topics[q.Topic] = true
			out = append(out, q.Text)
		}
	}
	for _, q := range s.Unseen {
		if topics[q.Topic] {
			topics[q.Topic] = false
			out = append(out, q.Text)
		}
	}
	if len(s.Neighbours) > 0 {
		out = append(out, s.Neighbours[0].Text)
	}
	return out
}

// serve answers until ctx is done.
func (p *demoPage) serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{Handler: p.handler(), ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), demoStop)
		defer cancel()
		return srv.Shutdown(stop)
	}
}

func (p *demoPage) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; img-src data:; style-src 'self'; script-src 'self' "+p.d.stack.gatewayURL+
			"; connect-src 'self' "+p.d.stack.gatewayURL+"; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		_, _ = w.Write(p.page)
	})
	for _, name := range []string{"demo.css", "demo.js"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, demoFiles, "demo/"+name) })
	}
	mux.HandleFunc("POST /chat", answerJSON(p.chat))
	mux.HandleFunc("GET /prompt", answerJSON(p.prompt))
	mux.HandleFunc("GET /state", answerJSON(p.state))
	mux.HandleFunc("GET /events", p.events)
	mux.HandleFunc("POST /approve", answerJSON(p.decide("proposals", "approve")))
	mux.HandleFunc("POST /reject", answerJSON(p.decide("proposals", "reject")))
	mux.HandleFunc("POST /retire", answerJSON(p.decide("rules", "retire")))
	mux.HandleFunc("POST /activate", answerJSON(p.decide("rulesets", "activate")))
	return http.NewCrossOriginProtection().Handler(mux)
}

// answerJSON writes what do returns, or its error in the OpenAI shape.
func answerJSON(do func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxDemoBody)
		v, err := do(r)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			v = map[string]any{"error": map[string]string{"message": err.Error(), "type": "demo"}}
		}
		_ = json.NewEncoder(w).Encode(v) // a client that left needs no answer
	}
}

// chat is the agent: it calls the model through Heed and hands the feedback token
// to the page.
func (p *demoPage) chat(r *http.Request) (any, error) {
	var in struct {
		Messages []struct{ Role, Content string }
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	if len(in.Messages) == 0 || len(in.Messages) > maxDemoTurns {
		return nil, fmt.Errorf("want between 1 and %d messages; start a new conversation", maxDemoTurns)
	}
	messages := []openai.ChatCompletionMessageParamUnion{openai.SystemMessage(p.d.scene.System)}
	for _, m := range in.Messages {
		if m.Role == "assistant" {
			messages = append(messages, openai.AssistantMessage(m.Content))
		} else {
			messages = append(messages, openai.UserMessage(m.Content))
		}
	}
	var raw *http.Response
	c, err := p.client.Chat.Completions.New(r.Context(), openai.ChatCompletionNewParams{Model: demoAlias, Messages: messages}, option.WithResponseInto(&raw))
	if err != nil {
		return nil, err
	}
	if len(c.Choices) == 0 {
		return nil, errors.New("the model gave no answer")
	}
	feedback, err := url.Parse(p.d.stack.gatewayURL + "/")
	if err == nil {
		feedback, err = feedback.Parse(raw.Header.Get("Heed-Feedback-Url"))
	}
	if err != nil {
		return nil, err
	}
	applied := []string{}
	if h := raw.Header.Get("Heed-Rules"); h != "" {
		applied = strings.Split(h, ", ")
	}
	return map[string]any{
		"answer": c.Choices[0].Message.Content, "model": c.Model, "rules": applied,
		"exchange": raw.Header.Get("Heed-Exchange-Id"), "token": raw.Header.Get("Heed-Feedback-Token"), "feedback_url": feedback.String(),
	}, nil
}

// prompt shows what was sent for an exchange: the client's own text and the
// block that Heed added, as admin reconstructs it from the log.
func (p *demoPage) prompt(r *http.Request) (any, error) {
	ctx, cancel := context.WithTimeout(r.Context(), whyWait)
	defer cancel()
	id := r.URL.Query().Get("exchange")
	var x *store.Exchange
	for {
		var err error
		if x, err = p.d.stack.store.Exchange(ctx, "shop", id); err == nil {
			break
		} else if !errors.Is(err, store.ErrNotFound) {
			return nil, errors.New("the log does not have this exchange yet; try again")
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("the log does not have this exchange yet; try again")
		case <-time.After(50 * time.Millisecond):
		}
	}
	block, err := p.d.stack.block(ctx, x)
	if err != nil {
		return nil, err
	}
	before, after, _ := strings.Cut(promptText(x), "\x00")
	return map[string]string{"before": before, "block": block, "after": after}, nil
}

// promptText is the request's messages for people, with a NUL where the block of
// the system placement goes: at the end of the first system message.
func promptText(x *store.Exchange) string {
	var b strings.Builder
	marked := false
	for _, m := range viewMessages(x) {
		fmt.Fprintf(&b, "[%s]\n%s", m.Role, m.Text)
		if !marked && (m.Role == "system" || m.Role == "developer") {
			b.WriteString("\n\n\x00")
			marked = true
		}
		b.WriteString("\n\n")
	}
	return b.String()
}

// state is everything the inbox shows.
func (p *demoPage) state(r *http.Request) (any, error) {
	ctx, s := r.Context(), p.d.stack.store
	ps, _, err := s.Proposals(ctx, store.ProposalFilter{App: "shop", State: store.Open})
	if err != nil {
		return nil, err
	}
	type card struct {
		*store.Proposal
		Line       string `json:"line,omitempty"`
		Digest     string `json:"digest"`
		Understood bool   `json:"understood"`
	}
	cards := []card{}
	for _, pr := range ps {
		c := card{Proposal: pr, Digest: pr.Digest(), Understood: p.d.model == nil}
		if rule := pr.Rule(); rule != nil {
			c.Line = rule.Text()
			c.Understood = c.Understood || len(simulate.Read(rule.Action)) > 0
		}
		cards = append(cards, c)
	}
	_, set, err := store.Current(ctx, s, "shop")
	if err != nil {
		return nil, err
	}
	inForce := []map[string]string{}
	for i := range set.Rules {
		r := &set.Rules[i]
		effect, err := p.effects.Of(ctx, "shop", r.ID)
		if err != nil {
			return nil, err
		}
		inForce = append(inForce, map[string]string{"id": r.ID, "line": r.Text(), "effect": effectLine(effect), "more": p.d.stack.adminURL + "/rules/" + r.ID + "?app=shop"})
	}
	findings, _, err := s.Findings(ctx, store.FindingFilter{App: "shop", State: "open"})
	if err != nil {
		return nil, err
	}
	history, err := s.Heads(ctx, "shop", 12)
	if err != nil {
		return nil, err
	}
	return map[string]any{"proposals": cards, "rules": inForce, "findings": orEmpty(findings), "history": orEmpty(history)}, nil
}

// effectLine is what a rule's checks say since it is in force and said before; ""
// while there is nothing to tell.
func effectLine(e store.Effect) string {
	for _, s := range e.Sources {
		if s.Source != "check" || s.Before == nil {
			continue
		}
		return fmt.Sprintf("Followed by %d of %d answers with it; before it, by %d of %d like them.", s.Before.With.Good, s.Before.With.Of, s.Before.Before.Good, s.Before.Before.Of)
	}
	return ""
}

func orEmpty[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}

// events tells the page that something changed.
func (p *demoPage) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	flush := http.NewResponseController(w)
	if flush.Flush() != nil { // the page knows now that it is connected
		return
	}
	for seq := uint64(0); ; {
		next, err := p.d.stack.store.Wait(r.Context(), seq)
		if err != nil {
			return
		}
		seq = next
		if _, err := fmt.Fprintf(w, "data: %d\n\n", seq); err != nil || flush.Flush() != nil {
			return
		}
	}
}

// decide passes a click to the admin API.
func (p *demoPage) decide(kind, verb string) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var in struct{ ID, Digest, Hash string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			return nil, err
		}
		id := in.ID
		if in.Hash != "" {
			id = in.Hash
		}
		body := map[string]any{}
		if verb == "approve" {
			body["digest"] = in.Digest
		}
		c := p.d.stack.client()
		var out json.RawMessage
		err := c.call(r.Context(), http.MethodPost, kind+"/"+url.PathEscape(id)+"/"+verb, appQuery("shop"), body, &out)
		return out, err
	}
}
