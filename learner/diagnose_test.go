package learner

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"heed/rules"
	"heed/store"
	"heed/wire"
)

// labelled is one case of testdata/diagnose.jsonl. A label says what a person who
// reads the case would want to be done; it is not what the program answers.
type labelled struct {
	Want       Kind
	Comment    string
	When       string
	Correction string
	Rating     *float64
	System     string
	Query      string
	Answer     string
	Tools      []string
	Calls      []wire.ToolCall
	Finish     string
	Outcome    store.Outcome
	Status     int
	Ratings    map[string][2]int // by upstream/model: good, bad
}

func readLabelled(t testing.TB) []labelled {
	t.Helper()
	file, err := os.Open("testdata/diagnose.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var out []labelled
	for sc := bufio.NewScanner(file); sc.Scan(); {
		var c labelled
		d := json.NewDecoder(bytes.NewReader(sc.Bytes()))
		d.DisallowUnknownFields()
		if err := d.Decode(&c); err != nil {
			t.Fatalf("case %d: %v", len(out)+1, err)
		}
		out = append(out, c)
	}
	return out
}

// asCase makes what the learner would have of it.
func (c *labelled) asCase() Case {
	bad := -1.0
	if c.Rating == nil {
		c.Rating = &bad
	}
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	ms := []message{{"system", c.System}, {"user", c.Query}}
	for _, r := range c.Tools {
		ms = append(ms, message{"tool", r})
	}
	body, _ := json.Marshal(map[string]any{"model": "support", "messages": ms})
	x := &store.Exchange{API: wire.Chat, Query: c.Query, Answer: c.Answer, Finish: c.Finish, Outcome: c.Outcome, Status: c.Status, Request: body,
		Facts:    rules.Facts{Alias: "support", Step: "s1"},
		Decision: rules.Decision{Target: rules.TargetDecision{Upstream: "main", Model: "mini"}}}
	if x.Status == 0 {
		x.Status = 200
	}
	if x.Outcome == "" {
		x.Outcome = store.OK
	}
	out := Case{Exchange: x, Answer: &wire.Answer{Tools: c.Calls},
		Feedback: &store.Feedback{ID: "f", App: "shop", Comment: c.Comment, When: c.When, Correction: c.Correction, Rating: c.Rating}}
	for name, n := range c.Ratings {
		up, model, _ := strings.Cut(name, "/")
		out.Ratings = append(out.Ratings, store.TargetRating{Alias: "support", Step: "s1", Upstream: up, Model: model, Good: n[0], Bad: n[1]})
	}
	return out
}

func TestDiagnose_LabelledCases(t *testing.T) {
	cases := readLabelled(t)
	if len(cases) < 60 {
		t.Fatalf("%d cases, want at least 60", len(cases))
	}
	matrix := map[Kind]map[Kind]int{}
	var kinds []Kind
	right := 0
	for i := range cases {
		c := &cases[i]
		got := Diagnose(c.asCase())
		if matrix[c.Want] == nil {
			matrix[c.Want] = map[Kind]int{}
			kinds = append(kinds, c.Want)
		}
		matrix[c.Want][got.Kind]++
		if got.Kind == c.Want {
			right++
			continue
		}
		t.Logf("case %d (%q, correction %q): %s, want %s", i+1, c.Comment, c.Correction, got.Kind, c.Want)
		if c.Want == Outage || got.Kind == Instructs && (c.Want == Retrieval || c.Want == MissingFact) {
			t.Errorf("case %d: %s for %s must never happen", i+1, got.Kind, c.Want)
		}
	}
	slices.Sort(kinds)
	t.Logf("%d of %d right\n%s", right, len(cases), confusion(matrix, kinds))
	if share := float64(right) / float64(len(cases)); share < 0.9 {
		t.Errorf("%.0f %% right, want 90 %%", 100*share)
	}
}

// confusion prints the matrix: a row per label, a column per diagnosis.
func confusion(matrix map[Kind]map[Kind]int, kinds []Kind) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-15s", "want \\ got")
	for _, k := range kinds {
		fmt.Fprintf(&b, "%15s", k)
	}
	for _, want := range kinds {
		fmt.Fprintf(&b, "\n%-15s", want)
		for _, got := range kinds {
			fmt.Fprintf(&b, "%15d", matrix[want][got])
		}
	}
	return b.String()
}

func TestRead_ToolResults(t *testing.T) {
	for _, c := range []struct {
		api        wire.API
		body, text string
		tools      []string
	}{
		{wire.Chat, `{"messages":[{"role":"user","content":"hi"},{"role":"tool","tool_call_id":"c1","content":"boom"}]}`, "hi", []string{"boom"}},
		{wire.Messages, `{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"boom"}]}]}]}`, "boom", []string{"boom"}},
		{wire.Responses, `{"input":[{"type":"function_call_output","output":"boom"},{"role":"user","content":"hi"}]}`, "hi", []string{"boom"}},
		{wire.Chat, `{"messages":[{"role":"user","content":"first"},{"role":"user","content":"cut of`, "first", nil},
		{wire.Chat, `[[[1,2,`, "", nil},
		{wire.Chat, ``, "", nil},
	} {
		got := Read(c.api, []byte(c.body))
		if !strings.Contains(got.Text, c.text) || len(got.Tools) != len(c.tools) || len(c.tools) > 0 && got.Tools[0] != c.tools[0] {
			t.Errorf("Read(%s) = %+v, want %q and %q", c.body, got, c.text, c.tools)
		}
	}
}
