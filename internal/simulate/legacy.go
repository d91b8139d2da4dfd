package simulate

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"time"
)

// completions serves the old /v1/completions: the prompt is one user turn.
func (c *call) completions() {
	var q struct {
		Model     string          `json:"model"`
		Prompt    json.RawMessage `json:"prompt"`
		Stream    bool            `json:"stream"`
		MaxTokens int             `json:"max_tokens"`
	}
	if !c.decode(&q) {
		return
	}
	prompt := strings.Join(stringList(q.Prompt), "\n")
	if prompt == "" {
		writeError(c.w, c.path, http.StatusBadRequest, "prompt is empty or not text: send a string")
		return
	}
	if q.Model == "" {
		q.Model = c.deployment
	}
	r := c.m.answer(&conversation{model: q.Model, maxTokens: q.MaxTokens, turns: []turn{{"user", prompt}}}, 0)
	head := object{
		"id": c.id("cmpl-", r.hash), "object": "text_completion", "created": time.Now().Unix(),
		"model": q.Model, "system_fingerprint": Fingerprint,
	}
	choice := func(text string, finish any) []object {
		return []object{{"index": 0, "text": text, "logprobs": nil, "finish_reason": finish}}
	}
	if !q.Stream {
		if c.whole(len(chunks(r.text))) {
			c.json(with(head, object{"choices": choice(r.text, r.finish()), "usage": chatUsage([]reply{r})}))
		}
		return
	}
	e := c.stream()
	if e == nil || !e.words(r.text, func(s string) { e.send("", with(head, object{"choices": choice(s, nil)})) }) {
		return
	}
	e.send("", with(head, object{"choices": choice("", r.finish())}))
	e.raw("", "[DONE]")
}

// stringList reads a string or a list of strings.
func stringList(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return many
	}
	return nil
}

// defaultDimensions and maxDimensions bound an embedding.
const (
	defaultDimensions = 256
	maxDimensions     = 4096
)

// embeddings answers with vectors of hashed words: texts that share words
// come out alike, equal texts equal. Each has length 1.
func (c *call) embeddings() {
	var q struct {
		Model      string          `json:"model"`
		Input      json.RawMessage `json:"input"`
		Dimensions int             `json:"dimensions"`
		Encoding   string          `json:"encoding_format"`
	}
	if !c.decode(&q) {
		return
	}
	inputs := stringList(q.Input)
	if len(inputs) == 0 || len(inputs) > maxEmbedInputs || q.Dimensions > maxDimensions || q.Dimensions < 0 {
		writeError(c.w, c.path, http.StatusBadRequest, "send 1 to 2048 texts as input, and at most 4096 dimensions")
		return
	}
	if q.Dimensions == 0 {
		q.Dimensions = defaultDimensions
	}
	words := 0
	data := make([]object, len(inputs))
	for i, text := range inputs {
		words += len(strings.Fields(text))
		var v any = embed(c.m.opts.Seed, text, q.Dimensions)
		if q.Encoding == "base64" {
			v = base64Floats(v.([]float32))
		}
		data[i] = object{"object": "embedding", "index": i, "embedding": v}
	}
	c.json(object{
		"object": "list", "model": q.Model, "data": data,
		"usage": object{"prompt_tokens": tokens(words), "total_tokens": tokens(words)},
	})
}

func embed(seed uint64, text string, dims int) []float32 {
	v := make([]float32, dims)
	words := append(contentWords(text), "\x00"+text) // never all zero
	for i, w := range words {
		weight := float32(1)
		if i == len(words)-1 {
			weight = 0.1
		}
		h := hash(seed, "embed", w)
		for k := range 4 {
			at := h >> (16 * k)
			if at&1 == 1 {
				v[at/2%uint64(dims)] += weight
			} else {
				v[at/2%uint64(dims)] -= weight
			}
		}
	}
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 { // the draws cancelled out
		v[0], sum = 1, 1
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}

func base64Floats(v []float32) string {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(b)
}
