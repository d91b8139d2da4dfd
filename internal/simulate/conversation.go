package simulate

import (
	"encoding/json"
	"regexp"
	"strings"
)

// turn is one message: who says what.
type turn struct {
	role string // system (developer and instructions too), user, assistant or tool
	text string
}

// conversation is what the three chat APIs have in common.
type conversation struct {
	model     string
	turns     []turn
	maxTokens int
	tools     []tool
	force     string // the tool that must be called; "*" is any; "" is none
	schema    json.RawMessage
	json      bool // the answer must be JSON (response_format)
}

// tool is a function that the client offers.
type tool struct {
	name   string
	schema json.RawMessage
}

// forced returns the tool that tool_choice demands, if any.
func (c *conversation) forced() (tool, bool) {
	for _, t := range c.tools {
		if c.force == "*" || c.force != "" && c.force == t.name {
			return t, true
		}
	}
	return tool{}, false
}

// question is the last thing that the user asked, without delimited blocks;
// before is what was asked before that.
func (c *conversation) question() (last, before string) {
	for i := len(c.turns) - 1; i >= 0; i-- {
		if c.turns[i].role != "user" {
			continue
		}
		text, _ := splitBlocks(c.turns[i].text)
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if last != "" {
			return last, text
		}
		last = text
	}
	return last, ""
}

// instructions reads what the prompt demands, in the order in which it
// stands. What stands in the first system message outside of any block is the
// agent's own; what a later system message, a block or a "When …: …" line says
// counts as learned, and yields to it in conflicts.
func (c *conversation) instructions() []Instruction {
	var out []Instruction
	first := true
	for _, t := range c.turns {
		if t.role != "system" && t.role != "user" {
			continue
		}
		text, blocks := splitBlocks(t.text)
		if t.role == "system" {
			for _, in := range Read(text) {
				in.Learned = !first || in.When != ""
				out = append(out, in)
			}
			first = false
		}
		for _, b := range blocks {
			for _, in := range Read(b) {
				in.Learned = true
				out = append(out, in)
			}
		}
	}
	return out
}

// blockOpen finds the line that opens a delimited block: <name …>, [name],
// or a line such as "--- begin name ---".
var blockOpen = regexp.MustCompile(`(?m)^[ \t]*(?:<([A-Za-z][\w:.-]*)(?:\s[^<>]*)?>|\[([A-Za-z][\w -]*)\]|[-=#*]+ ?(?i:begin|start)(?: of)? ([\w -]*?) ?[-=#*:]*[ \t]*$)`)

// splitBlocks takes the delimited blocks out of a text. A block that never
// ends is no block.
func splitBlocks(text string) (outside string, blocks []string) {
	var rest strings.Builder
	for {
		at := blockOpen.FindStringSubmatchIndex(text)
		if at == nil {
			break
		}
		body := text[at[1]:]
		end := blockEnd(text, at).FindStringIndex(body)
		if end == nil {
			rest.WriteString(text[:at[1]])
			text = body
			continue
		}
		rest.WriteString(text[:at[0]])
		rest.WriteString("\n")
		blocks = append(blocks, body[:end[0]])
		text = body[end[1]:]
	}
	rest.WriteString(text)
	return rest.String(), blocks
}

// blockEnd is the pattern that closes the block opened at the submatches at.
func blockEnd(text string, at []int) *regexp.Regexp {
	name := func(i int) string { return regexp.QuoteMeta(text[at[2*i]:at[2*i+1]]) }
	switch {
	case at[2] >= 0:
		return regexp.MustCompile(`</` + name(1) + `\s*>`)
	case at[4] >= 0:
		return regexp.MustCompile(`(?i)\[(?:/|end )` + name(2) + `\]`)
	}
	return regexp.MustCompile(`(?im)^[ \t]*[-=#*]+ ?end\b[^\n]*$`)
}

// flatText reads a message's content: a string, or a list of parts of which
// those with text count.
func flatText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var parts []struct {
		Text    string          `json:"text"`
		Content json.RawMessage `json:"content"` // an Anthropic tool result
	}
	if json.Unmarshal(raw, &parts) != nil {
		return ""
	}
	var texts []string
	for _, p := range parts {
		if p.Text != "" {
			texts = append(texts, p.Text)
		}
	}
	return strings.Join(texts, "\n")
}

// role maps the APIs' roles onto a turn's.
func role(name string) string {
	switch name {
	case "system", "developer":
		return "system"
	case "assistant", "user":
		return name
	}
	return "tool"
}

// hash of everything that an answer depends on.
func (c *conversation) hash(seed uint64) uint64 {
	parts := []string{c.model}
	for _, t := range c.turns {
		parts = append(parts, t.role, t.text)
	}
	return hash(seed, parts...)
}

// promptWords counts the words sent.
func (c *conversation) promptWords() int {
	n := 0
	for _, t := range c.turns {
		n += len(strings.Fields(t.text))
	}
	return n
}
