package learner

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"heed/rules"
	"heed/store"
	"heed/wire"
)

// Labelled is one labelled case of diagnosis, as testdata/diagnose.jsonl holds
// them for tests and for heedbench diagnose. A label says what a person who reads
// the case would want to be done; it is not what the program answers.
type Labelled struct {
	Want       Kind
	Comment    string
	When       string
	Correction string
	Rating     *float64 // nil is -1
	System     string
	Query      string
	Answer     string
	Tools      []string // results
	Calls      []wire.ToolCall
	Finish     string
	Outcome    store.Outcome     // "" is ok
	Status     int               // 0 is 200
	Ratings    map[string][2]int // by upstream/model: good, bad
}

// maxLabelled bounds one line of labelled cases, in bytes.
const maxLabelled = 1 << 20

// ReadLabelled reads cases, one JSON object a line. An unknown field or kind is an
// error that names the line.
func ReadLabelled(r io.Reader) ([]Labelled, error) {
	var out []Labelled
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxLabelled)
	for sc.Scan() {
		var c Labelled
		d := json.NewDecoder(bytes.NewReader(sc.Bytes()))
		d.DisallowUnknownFields()
		if err := d.Decode(&c); err != nil {
			return nil, fmt.Errorf("read labelled case %d: %w", len(out)+1, err)
		}
		if !slices.Contains(Kinds(), c.Want) {
			return nil, fmt.Errorf("read labelled case %d: unknown kind %q", len(out)+1, c.Want)
		}
		out = append(out, c)
	}
	return out, sc.Err()
}

// Kinds lists every kind of diagnosis.
func Kinds() []Kind {
	return []Kind{Instructs, Rating, Routing, NoInstruction, Retrieval, MissingFact, Tool, Length, Outage, Reword}
}

// Case is what the learner would have of it.
func (c *Labelled) Case() Case {
	rating := -1.0
	if c.Rating != nil {
		rating = *c.Rating
	}
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	ms := []message{{"system", c.System}, {"user", c.Query}}
	for _, r := range c.Tools {
		ms = append(ms, message{"tool", r})
	}
	body, err := json.Marshal(map[string]any{"model": "support", "messages": ms})
	if err != nil {
		panic("BUG: encode strings: " + err.Error())
	}
	x := &store.Exchange{API: wire.Chat, Query: c.Query, Answer: c.Answer, Finish: c.Finish, Outcome: cmpOr(c.Outcome, store.OK), Status: cmpOr(c.Status, 200), Request: body,
		Facts:    rules.Facts{Alias: "support", Step: "s1"},
		Decision: rules.Decision{Target: rules.TargetDecision{Upstream: "main", Model: "mini"}}}
	out := Case{Exchange: x, Answer: &wire.Answer{Tools: c.Calls},
		Feedback: &store.Feedback{ID: "f", App: "shop", Comment: c.Comment, When: c.When, Correction: c.Correction, Rating: &rating}}
	for name, n := range c.Ratings {
		up, model, _ := strings.Cut(name, "/")
		out.Ratings = append(out.Ratings, store.TargetRating{Alias: "support", Step: "s1", Upstream: up, Model: model, Good: n[0], Bad: n[1]})
	}
	return out
}

// Confusion counts diagnoses by label, then by what was diagnosed.
type Confusion map[Kind]map[Kind]int

// Confuse diagnoses the cases.
func Confuse(cases []Labelled) Confusion {
	m := Confusion{}
	for i := range cases {
		m.add(cases[i].Want, Diagnose(cases[i].Case()).Kind)
	}
	return m
}

func (m Confusion) add(want, got Kind) {
	if m[want] == nil {
		m[want] = map[Kind]int{}
	}
	m[want][got]++
}

// Right is how many were diagnosed as labelled, of how many.
func (m Confusion) Right() (right, of int) {
	for want, row := range m {
		for got, n := range row {
			of += n
			if got == want {
				right += n
			}
		}
	}
	return right, of
}

// String is the matrix: a row per label, a column per diagnosis, of the kinds that
// stand in either.
func (m Confusion) String() string {
	kinds := slices.DeleteFunc(Kinds(), func(k Kind) bool {
		return m[k] == nil && !slices.ContainsFunc(Kinds(), func(want Kind) bool { return m[want][k] > 0 })
	})
	var b strings.Builder
	fmt.Fprintf(&b, "%-15s", "want \\ got")
	for _, k := range kinds {
		fmt.Fprintf(&b, "%15s", k)
	}
	for _, want := range kinds {
		fmt.Fprintf(&b, "\n%-15s", want)
		for _, got := range kinds {
			fmt.Fprintf(&b, "%15d", m[want][got])
		}
	}
	return b.String()
}
