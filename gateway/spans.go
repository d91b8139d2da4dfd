package gateway

import (
	"encoding/hex"
	"math"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"heed/store"
	"heed/wire"
)

// link is where a span stands: in which trace, below which parent.
type link struct {
	trace, span, parent string // hex; parent is "" at the root
	flags               uint32 // W3C trace flags
}

// linkOf derives a span from its exchange's id, so that whoever knows the id knows
// the span: its id is the last 8 bytes of the UUID (random but for two bits); its
// trace is the caller's, from a valid traceparent, else the whole UUID.
func linkOf(exchange, traceparent string) (link, bool) {
	id, err := uuid.Parse(exchange)
	if err != nil {
		return link{}, false
	}
	l := link{trace: hex.EncodeToString(id[:]), span: hex.EncodeToString(id[8:]), flags: 1}
	if trace, parent, flags, ok := parseTraceparent(traceparent); ok {
		l.trace, l.parent, l.flags = trace, parent, uint32(flags)
	}
	return l, true
}

// parseTraceparent reads version-trace-parent-flags (W3C Trace Context, section
// 3.2). A higher version may have more fields behind these.
func parseTraceparent(s string) (trace, parent string, flags byte, ok bool) {
	const length = 55
	if len(s) < length || s[2] != '-' || s[35] != '-' || s[52] != '-' || s[:2] == "ff" ||
		len(s) > length && (s[:2] == "00" || s[length] != '-') {
		return "", "", 0, false
	}
	trace, parent = s[3:35], s[36:52]
	for _, c := range s[:2] + trace + parent + s[53:55] {
		if !strings.ContainsRune("0123456789abcdef", c) {
			return "", "", 0, false
		}
	}
	if strings.Trim(trace, "0") == "" || strings.Trim(parent, "0") == "" {
		return "", "", 0, false
	}
	n, err := strconv.ParseUint(s[53:55], 16, 8)
	return trace, parent, byte(n), err == nil
}

// span is a model call as the collector gets it.
type span struct {
	link
	name       string
	start, end time.Time
	failed     string // error.type; "" is none
	attributes []attribute
}

// spanOf makes the span of a row. Calls of APIs that Heed does not read, and those
// whose caller does not sample its trace, have none.
func spanOf(cfg *config, x *store.Exchange) (span, bool) {
	operation := operations[x.API]
	l, ok := linkOf(x.ID, x.Trace)
	if operation == "" || !ok || l.flags&1 == 0 {
		return span{}, false
	}
	model := cut(x.RequestModel, maxModelBytes)
	s := span{
		link: l, name: strings.TrimSpace(operation + " " + model), start: x.Time, failed: errorType(x),
		end: x.Time.Add(time.Duration(x.Timing.Done) * time.Microsecond),
	}
	a := attributes{}
	a.text("gen_ai.operation.name", operation)
	a.text("gen_ai.request.model", model)
	a.text("gen_ai.response.model", cut(x.ResponseModel, maxModelBytes))
	a.text("gen_ai.response.id", cut(x.ResponseID, maxNameBytes))
	if x.Finish != "" {
		a.list("gen_ai.response.finish_reasons", []string{cut(x.Finish, maxNameBytes)})
	}
	if u := x.Usage; u != nil {
		a.number("gen_ai.usage.input_tokens", u.InputTokens)
		a.number("gen_ai.usage.output_tokens", u.OutputTokens)
		if u.CachedTokens > 0 {
			a.number("gen_ai.usage.cache_read.input_tokens", u.CachedTokens)
		}
	}
	if u := cfg.upstreams[x.Decision.Target.Upstream]; u != nil {
		a.text("gen_ai.provider.name", providers[u.Kind])
		a.server(u.BaseURL)
	}
	if x.Status > 0 {
		a.number("http.response.status_code", int64(x.Status))
	}
	a.text("error.type", s.failed)
	a.ours(x)
	s.attributes = a
	return s, true
}

// maxModelBytes bounds a model's name: clients choose it where no alias does.
const maxModelBytes = 128

// operations are the names of the GenAI semantic conventions; APIs without one
// have no span.
var operations = map[wire.API]string{
	wire.Chat: "chat", wire.Responses: "chat", wire.Messages: "chat", wire.Completions: "text_completion", wire.Embeddings: "embeddings",
}

// providers are gen_ai.provider.name.
var providers = map[Kind]string{OpenAI: "openai", Azure: "azure.ai.openai", Anthropic: "anthropic"}

// errorType is error.type: a small set of values. That the client left is no error.
func errorType(x *store.Exchange) string {
	switch {
	case x.Outcome == store.Cancelled:
		return ""
	case x.Outcome == store.Refused:
		return x.Error // one of our codes
	case x.Status >= 400:
		return strconv.Itoa(x.Status)
	case x.Outcome != store.OK:
		return string(x.Outcome)
	}
	return ""
}

// ours are the attributes of what Heed did.
func (a *attributes) ours(x *store.Exchange) {
	a.text("heed.exchange.id", x.ID)
	a.text("heed.app", x.App)
	a.text("heed.outcome", string(x.Outcome))
	a.text("heed.step", x.Facts.Step)
	a.text("heed.alias", cut(x.Facts.Alias, maxModelBytes))
	a.text("heed.ruleset", x.Head.String())
	if t := x.Decision.Target; t.Upstream != "" {
		a.text("heed.target", t.Upstream+"/"+cut(t.Model, maxModelBytes))
	}
	var applied, withheld []string
	for _, r := range x.Decision.Rules {
		ref := r.ID + "@" + strconv.Itoa(r.Version)
		if r.Withheld || x.Decision.Observed || x.Decision.Resent {
			withheld = append(withheld, ref)
		} else {
			applied = append(applied, ref)
		}
	}
	a.list("heed.rules", applied)
	a.list("heed.rules.withheld", withheld)
	a.list("heed.failures", x.Failures)
	if x.Cost != nil {
		a.real("heed.cost_usd", *x.Cost)
	}
	if x.Timing.First > 0 {
		a.real("heed.first_chunk_seconds", seconds(x.Timing.First))
	}
}

// event is feedback as the collector gets it.
type event struct {
	f        *store.Feedback
	link     link
	linked   bool
	response string // gen_ai.response.id
}

func (e *event) attributes() attributes {
	a := attributes{}
	a.text("gen_ai.evaluation.name", "feedback")
	if r := e.f.Rating; r != nil {
		a.real("gen_ai.evaluation.score.value", *r)
		label := "neutral"
		switch {
		case *r < 0:
			label = "negative"
		case *r > 0:
			label = "positive"
		}
		a.text("gen_ai.evaluation.score.label", label)
	}
	id := e.f.ResponseID
	def(&id, e.response)
	a.text("gen_ai.response.id", cut(id, maxNameBytes))
	a.text("heed.feedback.id", e.f.ID)
	a.text("heed.feedback.source", e.f.Source)
	a.text("heed.exchange.id", e.f.ExchangeID)
	a.text("heed.app", e.f.App)
	return a
}

// attribute and value are KeyValue and AnyValue in OTLP's JSON, which writes 64-bit
// integers as text.
type attribute struct {
	Key   string `json:"key"`
	Value value  `json:"value"`
}

type value struct {
	Text   *string  `json:"stringValue,omitempty"`
	Number string   `json:"intValue,omitempty"`
	Real   *float64 `json:"doubleValue,omitempty"`
	List   *list    `json:"arrayValue,omitempty"`
}

type list struct {
	Values []value `json:"values"`
}

type attributes []attribute

// text adds a text; "" adds nothing.
func (a *attributes) text(key, s string) {
	if s != "" {
		*a = append(*a, attribute{key, value{Text: &s}})
	}
}

func (a *attributes) number(key string, n int64) {
	*a = append(*a, attribute{key, value{Number: strconv.FormatInt(n, 10)}})
}

// real adds a number that JSON can say.
func (a *attributes) real(key string, f float64) {
	if !math.IsNaN(f) && !math.IsInf(f, 0) {
		*a = append(*a, attribute{key, value{Real: &f}})
	}
}

// list adds texts; none adds nothing.
func (a *attributes) list(key string, texts []string) {
	if len(texts) == 0 {
		return
	}
	l := &list{}
	for i := range texts {
		l.Values = append(l.Values, value{Text: &texts[i]})
	}
	*a = append(*a, attribute{key, value{List: l}})
}

func (a *attributes) server(baseURL string) {
	u, err := url.Parse(baseURL)
	if err != nil {
		return
	}
	a.text("server.address", u.Hostname())
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if n, err := net.LookupPort("tcp", port); err == nil {
		a.number("server.port", int64(n))
	}
}
