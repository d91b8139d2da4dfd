package match

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSystemBytes is how far into a system prompt Fingerprint looks.
const maxSystemBytes = 16 << 10

// Fingerprint names the step that made a request: 12 hex digits of what stays the
// same between requests of one step. These are the sentences that tell the model
// its role and task, without digits, quotations and names, so that a date, a
// user's name or retrieved passages change nothing, while an agent's title
// generator, router or query rewriter gets another name. tools are names, in any
// order; format names the response shape ("" for free text). It keeps no state.
func Fingerprint(system []string, tools []string, format string) string {
	h := uint64(hashSeed)
	for _, s := range taskSentences(system) {
		h = hashByte(hashString(h, s), '\n')
	}
	names := slices.Compact(slices.Sorted(slices.Values(tools)))
	for _, t := range names {
		h = hashByte(hashString(hashByte(h, 't'), t), 0)
	}
	h = hashString(hashByte(h, 'f'), format)
	return fmt.Sprintf("%04x%08x", finish(h, spaceBigram)&0xffff, finish(h, spaceWord))
}

const (
	maxTaskSentences = 2  // the role and the task; later sentences vary more often
	maxTaskWords     = 12 // of a sentence
)

// taskSentences returns the stable words of the sentences that say what the model
// is to do, or those of the first sentence with any where none does. Material that
// the prompt carries is looked at only where nothing else says what to do.
func taskSentences(system []string) []string {
	var bare []string
	budget := maxSystemBytes
	for _, text := range system {
		text = cut(text, budget)
		budget -= len(text)
		bare = append(bare, stripBlocks(text))
	}
	own := make([]string, len(bare))
	for i, text := range bare {
		own[i] = withoutMaterial(text)
	}
	out, first := tasksOf(own)
	if len(out) == 0 && first == "" {
		out, first = tasksOf(bare)
	}
	if len(out) == 0 && first != "" {
		out = append(out, first)
	}
	return out
}

// withoutMaterial drops the lines of a prompt that change from request to request:
// what stands under a heading such as "Context:", up to another heading, turns of
// examples and histories, numbered sources, JSON, and fields such as "User name: Ann".
func withoutMaterial(text string) string {
	var b strings.Builder
	material := false
	for line := range strings.Lines(cutJSON(text)) {
		l := strings.TrimSpace(line)
		head, value, labelled := strings.Cut(l[:min(len(l), maxLabelBytes)], ":")
		if !labelled && strings.HasPrefix(l, "#") {
			head, labelled = l, len(l) <= maxLabelBytes
		}
		name := strings.ToLower(strings.TrimFunc(head, func(r rune) bool { return !unicode.IsLetter(r) }))
		switch {
		case labelled && materialHeads[name[strings.LastIndexByte(name, ' ')+1:]]:
			material = true
			continue
		case labelled && speakers[name]:
			continue
		case labelled && strings.Count(name, " ") <= maxLabelSpaces:
			material = false
			if n := wordCount(value); len(l) < maxLabelBytes && n > 0 && n <= maxFieldWords && !taskHeads[name] && !strings.HasPrefix(name, "your ") {
				continue
			}
		}
		if !material && !isSource(l) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// maxFieldWords is how many words the value of a field has at most.
const maxFieldWords = 3

// tasksOf returns the first sentences of the texts that are tasks, and the first
// sentence of all.
func tasksOf(texts []string) (out []string, first string) {
	for _, text := range texts {
		for _, s := range sentences(text) {
			words := stableWords(s)
			if len(words) == 0 {
				continue
			}
			joined := strings.Join(words, " ")
			if first == "" && (len(words) >= 2 || isDense([]rune(words[0])[0])) {
				first = joined
			}
			if len(out) < maxTaskSentences && isTask(words) && !slices.Contains(out, joined) {
				out = append(out, joined)
			}
		}
	}
	return out, first
}

// sentences splits at line ends and at stops that a space follows.
func sentences(text string) []string {
	var out []string
	start := 0
	flush := func(end int) {
		if s := strings.TrimSpace(text[start:end]); s != "" {
			out = append(out, s)
		}
		start = end
	}
	for i, r := range text {
		switch r {
		case '\n':
			flush(i)
		case '.', '!', '?', ';':
			if i+1 == len(text) || text[i+1] == ' ' || text[i+1] == '\n' {
				flush(i + 1)
			}
		case '。', '！', '？':
			flush(i + len(string(r)))
		}
	}
	flush(len(text))
	return out
}

// stableWords returns the lower-case words of a sentence: no names (capitalised
// inside a sentence), digits, quotations or addresses.
func stableWords(sentence string) []string {
	var out []string
	for i, w := range strings.Fields(dropQuoted(sentence)) {
		w = strings.TrimFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if w == "" || len(out) == maxTaskWords {
			continue
		}
		lower := strings.ToLower(w)
		if strings.ContainsFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' && r != '’' && r != '-' }) {
			continue
		}
		if w != lower && !(len(out) == 0 && (i == 0 || taskWords[lower]) || isUpper(w) && taskWords[lower]) {
			continue
		}
		if r := []rune(lower)[0]; isDense(r) && len(out) > 0 && out[0][0] < utf8.RuneSelf {
			continue // a name in another script
		}
		if calendar[lower] || i == 0 && w != lower && !taskWords[lower] && len(out) == 0 && !roleStart[lower] {
			continue
		}
		out = append(out, lower)
	}
	return out
}

func isUpper(w string) bool { return strings.ToUpper(w) == w }

// dropQuoted removes short quotations: they carry names and passages.
func dropQuoted(s string) string {
	for _, q := range [][2]string{{"\"", "\""}, {"“", "”"}, {"«", "»"}, {"「", "」"}} {
		for {
			i := strings.Index(s, q[0])
			if i < 0 {
				break
			}
			rest := s[i+len(q[0]):]
			j := strings.Index(rest, q[1])
			if j < 0 {
				break
			}
			s = s[:i] + " " + rest[j+len(q[1]):]
		}
	}
	return s
}

// stripBlocks removes what carries material into prompts: fenced blocks and the
// contents of tags.
func stripBlocks(s string) string {
	s = cutBetween(s, "```", "```")
	return cutTags(s)
}

// cutBetween removes everything from each open to the next end, both included; an
// open without an end removes the rest.
func cutBetween(s, open, end string) string {
	if !strings.Contains(s, open) {
		return s
	}
	var b strings.Builder
	for {
		i := strings.Index(s, open)
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		b.WriteByte('\n')
		s = s[i+len(open):]
		j := strings.Index(s, end)
		if j < 0 {
			return b.String()
		}
		s = s[j+len(end):]
	}
}

// cutTags removes <name …>…</name> where both tags are there.
func cutTags(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		name := tagName(s[i+1:])
		end := -1
		if name != "" {
			end = strings.Index(s[i:], "</"+name+">")
		}
		if end < 0 {
			b.WriteString(s[:i+1])
			s = s[i+1:]
			continue
		}
		b.WriteString(s[:i])
		b.WriteByte('\n')
		s = s[i+end+len(name)+3:]
	}
}

func tagName(s string) string {
	n := 0
	for n < len(s) && n < 40 && (s[n] == '_' || s[n] == '-' || s[n] >= 'a' && s[n] <= 'z' || s[n] >= 'A' && s[n] <= 'Z' || n > 0 && s[n] >= '0' && s[n] <= '9') {
		n++
	}
	if n == len(s) || s[n] != '>' && s[n] != ' ' {
		return ""
	}
	return s[:n]
}

// isTask reports whether a sentence addresses the model: its role, or an order
// about what models are asked for.
func isTask(words []string) bool {
	for i, w := range words {
		if w != "you" && w != "your" && w != "you're" && w != "act" && w != "du" && w != "sie" && w != "vous" && w != "eres" {
			continue
		}
		if i+2 < len(words) && words[i+1] == "are" && aboutUser[words[i+2]] {
			return false
		}
		if i+1 < len(words) && roleNext[words[i+1]] || w == "you're" {
			return true
		}
	}
	order, object := false, false
	for i, w := range words {
		order = order || i < 4 && taskWords[w]
		object = object || taskObjects[w]
	}
	return order && object
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

var (
	taskWords = set(`answer generate write create summarize summarise classify rewrite rephrase reformulate extract translate
		respond reply return output route decide determine evaluate judge select choose provide produce label detect identify
		check review score rank grade compose draft suggest assist help convert plan follow name you your act given based
		read analyze analyse turn make condense categorize categorise pick use using`)
	taskObjects = set(`title titles name question questions query queries conversation message messages user users customer customers
		json label labels category categories history input text chat answer answers response request requests intent topic
		tool tools agent agents language summary tags keywords search prompt output document code translation email rating score`)
	materialHeads = listed("context", "contexts", "passage", "passages", "document", "documents", "source", "sources", "excerpt", "excerpts",
		"results", "knowledge", "base", "article", "articles", "snippet", "snippets", "background", "reference", "references", "history",
		"conversation", "transcript", "log", "logs", "output", "data", "example", "examples", "faq", "memory", "memories", "user", "facts", "kontext", "contexto", "contexte")
	speakers  = listed("user", "human", "assistant", "ai", "q", "a", "customer", "agent", "bot", "input")
	taskHeads = listed("task", "your task", "role", "your role", "goal", "job", "objective", "instruction", "instructions", "system")
	aboutUser = set("talking speaking chatting texting")
	roleStart = set("the this please do never always if when use be in as")
	roleNext  = set("are task job role goal purpose as a an will bist sind êtes un una must only classify route rewrite write generate summarize answer")
	calendar  = set(`january february march april may june july august september october november december monday tuesday wednesday
		thursday friday saturday sunday jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun am pm utc gmt`)
)
