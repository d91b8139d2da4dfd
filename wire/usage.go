package wire

// count reads a usage object of any API. Anthropic's input_tokens leave cached
// ones out, OpenAI's hold them: InputTokens holds them always.
func (t *Tap) count(b []byte, v slot) {
	if v.kind != kindObject {
		return
	}
	s := v.in(b, true)
	u := &t.usage
	t.reported = true
	s.enter('{')
	for {
		key, ok := s.key()
		if !ok {
			break
		}
		v := s.value()
		n := integer(b, v)
		switch string(key) {
		case "prompt_tokens": // whoever says this means all of them
			u.InputTokens, t.total = n, true
		case "input_tokens":
			t.uncached = n
		case "completion_tokens", "output_tokens":
			u.OutputTokens = n
		case "prompt_tokens_details", "input_tokens_details":
			if n := member(b, v, "cached_tokens"); n.kind == kindNumber {
				u.CachedTokens = integer(b, n)
			}
		case "cache_read_input_tokens":
			t.cacheRead, u.CachedTokens = n, n
		case "cache_creation_input_tokens":
			t.cacheWritten = n
		}
	}
	if !t.total {
		u.InputTokens = t.uncached + t.cacheRead + t.cacheWritten
	}
}
