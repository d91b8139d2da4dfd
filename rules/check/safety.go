package check

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxLength is the longest rule text, in characters (DESIGN section 6).
const MaxLength = 300

// maxProblems bounds the list that Safety returns for one text.
const maxProblems = 20

// Codes of Problem.
const (
	CodeLength       = "length"       // empty or longer than MaxLength
	CodeCharset      = "charset"      // what a reviewer cannot see or would misread
	CodeRole         = "role"         // tokens that mark who speaks in a prompt
	CodeOverride     = "override"     // against the agent's own instructions
	CodeIdentity     = "identity"     // makes the agent somebody else
	CodeLink         = "link"         // addresses outside the app's own domains
	CodeMarkup       = "markup"       // images, links, HTML, code fences
	CodeEncoded      = "encoded"      // text that hides what it says
	CodeExfiltration = "exfiltration" // people's data to somewhere
	CodeSecret       = "secret"       // keys, cards, accounts, phone numbers
	CodeDenied       = "denied"       // never a rule, whoever wrote it
)

// Problem is one reason why a text must not become a rule.
type Problem struct {
	Code    string `json:"code"`           // one of the Code constants
	Message string `json:"message"`        // for people, without the text itself
	Span    string `json:"span,omitempty"` // the offending part (a code point for invisible ones; masked for secrets), may be empty
}

func (p Problem) String() string { return p.Code + ": " + p.Message }

func problem(code, message, span string) Problem {
	if utf8.RuneCountInString(span) > 60 {
		span = string([]rune(span)[:60]) + "…"
	}
	return Problem{Code: code, Message: message, Span: span}
}

// Safety validates any text that can become a rule, an action or the words for
// when it applies, whoever wrote it. It returns nil for a text without a
// problem, at most 20 problems otherwise. Addresses on the allowed domains (the
// app's own: "shop.example" stands for its subdomains too) are no problem.
//
// It is a filter, not the guarantee: what it lets through is still a proposal
// that ranks below the agent's own instructions and that a person approves
// (security.md section 3). Time is linear in the text, of which no more than
// 8 KiB are looked at.
func Safety(text string, allowed []string) []Problem {
	var out []Problem
	if n := utf8.RuneCountInString(text); n > MaxLength {
		out = append(out, problem(CodeLength, fmt.Sprintf("has %d characters; at most %d are allowed", n, MaxLength), ""))
	}
	if strings.TrimSpace(text) == "" {
		return append(out, problem(CodeLength, "is empty", ""))
	}
	text = clip(text, 8<<10)
	out = append(out, charset(text)...)
	folded := fold(text)
	out = append(out, links(fold(unspaced.ReplaceAllString(text, "$1. $2")), allowed)...)
	out = append(out, fences(text)...)
	out = append(out, encoded(text)...)
	out = append(out, secrets(text)...)
	out = append(out, phrases(folded)...)
	if len(out) == 0 {
		out = append(out, mixed(folded)...)
	}
	if len(out) > maxProblems {
		out = out[:maxProblems]
	}
	return out
}

// unspaced finds a full stop without a space before a sentence ("the order.In
// most cases") that is no domain of India.
var unspaced = regexp.MustCompile(`(\pL)\.(In|It|Is|To|Me|At|So|Be|No|Us|Am|My|Do)\b`)

// clip cuts s to at most n bytes at a character's boundary.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// phrases looks for attacks in words: as written, with digits read as letters,
// and as letters only, forwards and backwards.
func phrases(folded string) []Problem {
	var out []Problem
	seen := map[string]bool{}
	readings := []string{folded}
	if l := leet(folded); l != folded {
		readings = append(readings, l)
	}
	if plain := plainWords(folded); plain != folded {
		readings = append(readings, plain)
	}
	for _, text := range readings {
		view := look(text)
		for _, g := range allGuards {
			if seen[g.code] {
				continue
			}
			if span, ok := g.find(view); ok {
				seen[g.code] = true
				out = append(out, problem(g.code, g.message, span))
			}
		}
	}
	letters := squeeze(leet(folded))
	for _, text := range []string{letters, reverse(letters)} {
		view := look(text)
		for i := range squeezed {
			for _, m := range squeezed[i].all(view, 1) {
				if !seen[CodeOverride] && !forbade.MatchString(clipStart(text[:m[0]], 20)) {
					seen[CodeOverride] = true
					out = append(out, problem(CodeOverride, "speaks against the agent's own instructions, in disguise", text[m[0]:m[1]]))
				}
			}
		}
	}
	return out
}

// plainWords drops punctuation inside and around words ("pre-vious", "*all*").
func plainWords(s string) string {
	return strings.Join(strings.Fields(plainer.ReplaceAllString(s, "$1$2")), " ")
}

var plainer = regexp.MustCompile(`(\pL)[-_*~|+/\\.]+(\pL)|[*_~|"]+`)

// A guard is one family of forbidden phrases. When negatable, "do not …" in
// front of a match makes it harmless: "never reveal …" is a good instruction.
type guard struct {
	code, message string
	negatable     bool
	any           finders
	except        *regexp.Regexp // harmless where this matches from the match's start
	before        *regexp.Regexp // harmless where this matches up to the match's start
}

func (g guard) find(view *sight) (string, bool) {
	text := view.text
	for i := range g.any {
		for _, m := range g.any[i].all(view, 16) {
			if !g.harmless(text, m[0]) {
				return text[m[0]:m[1]], true
			}
		}
	}
	return "", false
}

// harmless reports whether a match that starts at i is what honest texts say.
func (g guard) harmless(text string, i int) bool {
	start := clipStart(text[:i], 80)
	return g.negatable && negated.MatchString(start) && !twice.MatchString(start) ||
		g.before != nil && g.before.MatchString(start) ||
		g.except != nil && g.except.MatchString(text[i:])
}

func clipStart(s string, n int) string {
	if len(s) <= n {
		return s
	}
	i := len(s) - n
	for i < len(s) && !utf8.RuneStart(s[i]) {
		i++
	}
	return s[i:]
}

var (
	negated = regexp.MustCompile(`\b(never|not|don'?t|dont|cannot|can'?t|must ?n'?t|should ?n'?t|won'?t|avoid|without|refuse to|nor|no) (ever |to |just |simply |try to |be |under any circumstances |in any case )?$`)
	twice   = regexp.MustCompile(`\b(forget|fail|hesitate|refuse|neglect|decline|afraid|stop|be shy) (to |about )?$`)
)

// allGuards are the phrases, then the paraphrases.
var allGuards = slices.Concat(guards, paraphrases)

// forbade ends in a negation, with every separator gone.
var forbade = regexp.MustCompile(`(never|donot|dont|mustnot|cannot)$`)

// squeezed finds overrides with every separator gone.
var squeezed = each(
	`(ignore|disregard|forget|bypass|override|overrule)(all|any|the|your|every|my|these|of|prior|previous|earlier|above|preceding|system|former|existing)+(instructions?|prompts?|rules?|directives?|guidelines?|guardrails?|messages?|commands?)`,
	`(reveal|print|show|repeat|output|leak|dump)(me)?(your|the|all|full|entire)*(systemprompt|systemmessage|hiddenprompt|initialprompt|initialinstructions)`,
	`jailbreak`,
	`developermodeenabled`,
	`youarenowdan`)
