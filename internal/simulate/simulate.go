// Package simulate is a simulation, for the demo, the tests and the
// benchmarks: a model endpoint that speaks the OpenAI and Anthropic APIs, and
// people with hidden expectations who judge its answers. Nothing in it is a
// language model. Start with [NewModel] and [Listen] for the endpoint, and
// with [Scenario] for a shop-support agent, its people and their questions.
//
// The model knows a small shop's support topics (knowledge.txt) and answers
// everything else in general terms. It then edits its answer so as to obey the
// instructions that it can read, wherever in the prompt they stand: a closed
// vocabulary in many wordings (see [Read]), and lines of the form
// "When <condition>: <action>", which it applies when the condition plausibly
// fits the last question. Options say how well it obeys, how often it applies
// a rule where it does not belong, and how good each model name is at each
// topic. Answers are a pure function of seed, model name and messages.
//
// Because it obeys by construction it measures the loop around a model
// (capture, scope, conflict, speed), never the quality of a real model's
// answers. For the same reason it shares no code with the rest of Heed: what
// it reads and what its people check is written here a second time.
//
// Every answer carries the system fingerprint "fp_heed_simulation".
package simulate

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Fingerprint is the system_fingerprint (and the value of the
// X-Simulation header) of every answer, so that nobody takes one for a real
// model's.
const Fingerprint = "fp_heed_simulation"

// Limits of the endpoint. They are far above what a test sends and keep a
// runaway client from filling the memory.
const (
	maxBodyBytes    = 32 << 20 // a request body; longer ones get a 413
	maxRecordBytes  = 16 << 20 // bodies that the recorder keeps in all
	maxChains       = 1024     // stored responses for previous_response_id
	maxChoices      = 8        // n of a chat completion
	maxEmbedInputs  = 2048     // inputs of one embeddings request
	defaultRecorded = 256      // requests that the recorder keeps
)

// Options configure a Model. The zero value is a fast, obedient model that
// over-applies rules half of the time. Of the probabilities zero means the
// default named, and a negative value means zero.
type Options struct {
	// Seed varies everything that is drawn: wordings, skill, obedience.
	Seed uint64

	// Models are listed by GET /v1/models. Any other name is answered too.
	// Nil means "gpt-4o" and "gpt-4o-mini".
	Models []string

	// Skills is the probability that a model's answer to a topic is right, by
	// model name and topic ("*" stands for all other topics, "" for questions
	// on no known topic).
	Skills map[string]map[string]float64
	// Skill is that probability where Skills has none. The default is 1.
	Skill float64

	// Obedience is the probability that an instruction is obeyed, drawn for
	// each instruction and question. The default is 1.
	Obedience float64
	// OverApply is the probability that a conditional instruction is applied
	// though its condition does not fit. The default is 0.5, what models
	// prompted with scoped feedback were measured to do (C3PO, S_out 0.503).
	OverApply float64
	// Complaint is the probability that a mere complaint ("the answer was too
	// long") is acted on as if it were an instruction. The default is 0.15.
	Complaint float64
	// Cap is how many instructions are obeyed at most, counted from the first
	// (after IFScale: models drop the later ones). Zero means all.
	Cap int
	// IrrelevantCost is what each conditional instruction that does not fit
	// the question takes off the probability of a right answer. The default
	// is 0.02.
	IrrelevantCost float64
	// Fits replaces the model's own judgement whether a condition fits a
	// question, where a benchmark knows the truth. Nil means word overlap.
	Fits func(condition, question string) bool

	// FirstChunk is the wait before the first byte of an answer, PerChunk the
	// wait before each further word; an answer in one piece takes as long as
	// its stream would. Zero means none.
	FirstChunk, PerChunk time.Duration

	// Key, where set, must come as Authorization: Bearer, x-api-key or
	// api-key; other requests get a 401.
	Key string
	// Recorded is how many requests Requests keeps. Zero means 256.
	Recorded int
	// OnRequest, where set, sees every request before it is answered. It is
	// called from the request's goroutine and must be safe for concurrent use.
	OnRequest func(Request)
	// Fail, where set, may answer a request with an error: any status other
	// than 0 is sent, in the error shape of the API called.
	Fail func(Request) int
}

// Model is a simulated model endpoint: an http.Handler that serves
// /v1/chat/completions, /v1/responses, /v1/completions, /v1/embeddings,
// /v1/models and /v1/messages, the same below Azure's
// /openai/deployments/{name}/ and /openai/v1/, and echoes size and SHA-256 of
// whatever is sent to any other path. Safe for concurrent use.
type Model struct {
	opts     Options
	know     *knowledge
	recorder recorder
	chains   chains
	served   atomic.Uint64 // makes ids unique where answers repeat
}

// NewModel returns a model with the options given. It needs no closing.
func NewModel(opts Options) *Model {
	if opts.Models == nil {
		opts.Models = []string{"gpt-4o", "gpt-4o-mini"}
	}
	opts.Skill = probability(opts.Skill, 1)
	opts.Obedience = probability(opts.Obedience, 1)
	opts.OverApply = probability(opts.OverApply, 0.5)
	opts.Complaint = probability(opts.Complaint, 0.15)
	opts.IrrelevantCost = probability(opts.IrrelevantCost, 0.02)
	if opts.Recorded <= 0 {
		opts.Recorded = defaultRecorded
	}
	m := &Model{opts: opts, know: shopKnowledge()}
	m.recorder.keep = opts.Recorded
	return m
}

// probability reads an option: zero is the default, negative is zero.
func probability(p, byDefault float64) float64 {
	switch {
	case p == 0:
		return byDefault
	case p < 0:
		return 0
	}
	return min(p, 1)
}

// Request is one request as it came in.
type Request struct {
	Method string
	Path   string // with the query, where there was one
	Header http.Header
	Body   []byte // as received, not decoded; shared, not to be changed
}

// recorder keeps the last requests, bounded in number and in bytes.
type recorder struct {
	keep int

	mu    sync.Mutex
	last  []Request
	bytes int
}

func (r *recorder) add(q Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = append(r.last, q)
	r.bytes += len(q.Body)
	for len(r.last) > r.keep || (r.bytes > maxRecordBytes && len(r.last) > 1) {
		r.bytes -= len(r.last[0].Body)
		r.last[0] = Request{}
		r.last = r.last[1:]
	}
}

// Requests returns the last requests received, oldest first: at most
// Options.Recorded, and 16 MiB of bodies. The slice is the caller's.
func (m *Model) Requests() []Request {
	m.recorder.mu.Lock()
	defer m.recorder.mu.Unlock()
	return append([]Request(nil), m.recorder.last...)
}

// ServeHTTP answers one request as the named API would.
func (m *Model) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Simulation", Fingerprint)
	path, alias := endpoint(r.URL.Path)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err != nil {
		writeError(w, path, http.StatusRequestEntityTooLarge, "read the request body: "+err.Error())
		return
	}
	q := Request{Method: r.Method, Path: r.URL.RequestURI(), Header: r.Header.Clone(), Body: body}
	m.recorder.add(q)
	if m.opts.OnRequest != nil {
		m.opts.OnRequest(q)
	}
	if !m.authorized(r.Header) {
		writeError(w, path, http.StatusUnauthorized, "the simulated model was started with a key, and the request does not carry it")
		return
	}
	if m.opts.Fail != nil {
		if status := m.opts.Fail(q); status != 0 {
			writeError(w, path, status, "the simulated model was told to fail")
			return
		}
	}
	m.route(w, r, path, alias, body)
}

func (m *Model) route(w http.ResponseWriter, r *http.Request, path, alias string, body []byte) {
	c := call{m: m, w: w, r: r, path: path, body: body, deployment: alias}
	post := r.Method == http.MethodPost
	switch {
	case post && path == "/v1/chat/completions":
		c.chat()
	case post && path == "/v1/completions":
		c.completions()
	case post && path == "/v1/responses":
		c.responses()
	case post && path == "/v1/messages":
		c.messages()
	case post && path == "/v1/embeddings":
		c.embeddings()
	case r.Method == http.MethodGet && (path == "/v1/models" || strings.HasPrefix(path, "/v1/models/")):
		c.models()
	case strings.HasPrefix(path, "/v1/"):
		c.echo()
	default:
		writeError(w, path, http.StatusNotFound, "the simulated model serves paths below /v1/ and /openai/, not "+r.URL.Path)
	}
}

// endpoint maps Azure's paths onto /v1/… and returns the deployment's name
// where the path holds one.
func endpoint(path string) (v1, deployment string) {
	if rest, ok := strings.CutPrefix(path, "/openai/deployments/"); ok {
		if name, rest, ok := strings.Cut(rest, "/"); ok {
			return "/v1/" + rest, name
		}
	}
	if rest, ok := strings.CutPrefix(path, "/openai/v1/"); ok {
		return "/v1/" + rest, ""
	}
	return path, ""
}

func (m *Model) authorized(h http.Header) bool {
	if m.opts.Key == "" {
		return true
	}
	bearer, _ := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	return bearer == m.opts.Key || h.Get("X-Api-Key") == m.opts.Key || h.Get("Api-Key") == m.opts.Key
}
