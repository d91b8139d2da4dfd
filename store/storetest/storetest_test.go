package storetest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
	"testing"
)

// TestCases demands a case for every sentence in the comments of the interfaces
// that make up store.Store, and a sentence of them in every case.
func TestCases(t *testing.T) {
	contract := sentences(t, "../store.go")
	quoted := map[string]bool{}
	for _, c := range Cases() {
		n := 0
		for _, s := range split(c.Sentence) {
			if !contract[s] {
				t.Errorf("case %s quotes what the contract does not say: %q", c.Name, s)
			}
			quoted[s] = true
			n++
		}
		if n == 0 {
			t.Errorf("case %s quotes nothing", c.Name)
		}
	}
	for s := range contract {
		if !quoted[s] && !descriptive[s] {
			t.Errorf("no case checks: %q", s)
		}
	}
}

// descriptive sentences say what a type is for; there is nothing to check.
var descriptive = map[string]bool{
	"Store is the record of all apps.":                                 true,
	"ExchangeStore keeps the log of exchanges.":                        true,
	"FeedbackStore keeps what people said.":                            true,
	"Feedback is never edited.":                                        true,
	"LearnerStore is the learner's work and what came of it.":          true,
	"RuleStore is what is in force, was in force, and who decided it.": true,
}

// sentences reads the comments of every interface in the file.
func sentences(t *testing.T, file string) map[string]bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	keep := func(g *ast.CommentGroup) {
		for _, s := range split(g.Text()) {
			out[s] = true
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		d, ok := n.(*ast.GenDecl)
		if !ok {
			return true
		}
		for _, spec := range d.Specs {
			ts, ok := spec.(*ast.TypeSpec)
			if !ok {
				continue
			}
			if it, ok := ts.Type.(*ast.InterfaceType); ok {
				keep(d.Doc)
				for _, m := range it.Methods.List {
					keep(m.Doc)
				}
			}
		}
		return true
	})
	if len(out) < 50 {
		t.Fatalf("found only %d sentences in %s", len(out), file)
	}
	return out
}

// sentenceEnd is a full stop before a space and a capital letter or a method's
// name: "next is" begins a sentence too.
var sentenceEnd = regexp.MustCompile(`\. (?:[A-Z]|next is)`)

func split(text string) []string {
	text = strings.Join(strings.Fields(text), " ")
	var out []string
	for {
		at := sentenceEnd.FindStringIndex(text)
		if at == nil {
			break
		}
		out = append(out, text[:at[0]+1])
		text = text[at[0]+2:]
	}
	if text != "" {
		out = append(out, text)
	}
	return out
}
