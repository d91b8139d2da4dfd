package gateway

import (
	"encoding/json"
	"strings"
	"testing"

	"heed/rules/match"
	"heed/wire"
)

// A step is told apart by as much of a long system prompt as is kept of it.
func TestSteps_LongPrompt(t *testing.T) {
	filler := strings.Repeat("Line é of the handbook, which says nothing about the task. ", wire.MaxSystemBytes/50)
	for _, texts := range [][]string{
		{"You write titles. " + filler},
		{filler[:wire.MaxSystemBytes-30] + "You are a router for questions. " + filler},
		{filler + "You are a guard."},
		{filler[:9000], "You rewrite queries. " + filler, "You are a guard."},
	} {
		type message struct {
			Role    string `json:"role"`
			Content string `json:"content"`
		}
		var in struct {
			Messages []message `json:"messages"`
		}
		for _, s := range texts {
			in.Messages = append(in.Messages, message{"system", s})
		}
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var r wire.Request
		if err := r.Parse(wire.Chat, body); err != nil {
			t.Fatal(err)
		}
		if got, want := newSteps().of(&r), match.Fingerprint(texts, nil, ""); got != want {
			t.Errorf("%.40q…: step %s, of the whole text %s", texts[0], got, want)
		}
	}
}
