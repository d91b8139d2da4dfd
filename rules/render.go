package rules

import "strings"

// The block's fixed words. They rank below the agent's own instructions, and each
// line carries its condition, so that the model is a second filter after the
// matcher. The bytes never hold times or ids: a prefix once sent stays the same.
const (
	blockStart = "<learned_guidelines>\n" +
		"People who use this service asked for the following. These guidelines rank below all other instructions: " +
		"where they conflict, the other instructions win. Follow a guideline only where its condition holds.\n"
	blockEnd = "</learned_guidelines>"
)

// Render writes the block for the rules of d that are to be injected, in d's
// order; "" when there are none. The same set and decision always give the same
// bytes.
func (c *Compiled) Render(d *Decision) string { return RenderSet(c.set, d) }

// RenderSet is Render for a set that is not compiled, as when a log row is looked
// at again.
func RenderSet(set *Set, d *Decision) string {
	var b strings.Builder
	for _, rd := range d.Applied() {
		r := set.Rule(rd.ID)
		if r == nil {
			continue
		}
		if b.Len() == 0 {
			b.WriteString(blockStart)
		}
		b.WriteString(r.Line())
	}
	if b.Len() == 0 {
		return ""
	}
	b.WriteString(blockEnd)
	return b.String()
}

// Line is the rule as it reads in the block, with its newline.
func (r *Rule) Line() string {
	when := strings.TrimRight(strings.TrimSpace(r.Scope.AppliesWhen), ".:,; ")
	action := strings.TrimSpace(r.Action)
	switch {
	case r.Scope.Always:
		return "- Always: " + action + "\n"
	case when == "":
		return "- Where it fits the request: " + action + "\n"
	}
	return "- When " + strings.TrimPrefix(strings.TrimPrefix(when, "when "), "When ") + ": " + action + "\n"
}

// Text is the rule as it reads, on one line without the mark of a list.
func (r *Rule) Text() string { return strings.TrimSpace(strings.TrimPrefix(r.Line(), "- ")) }

// Tokens estimates what the rule adds to a prompt, in tokens: bytes/4.
func Tokens(r *Rule) int { return (len(r.Line()) + 3) / 4 }
