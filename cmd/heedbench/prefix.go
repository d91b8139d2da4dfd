package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"heed/rules"
	"heed/rules/match"
	"heed/wire"
)

// prefixCommand measures what share of each request a provider's prompt cache can
// serve: the longest prefix that it shares with the request before it in the same
// conversation, for each placement of the injected block, with and without rules.
type prefixCommand struct {
	Conversations int `help:"Conversations of each kind." default:"200"`
	Turns         int `help:"Person turns of a conversation." default:"8"`
}

// Run implements the subcommand.
func (c *prefixCommand) Run(out io.Writer) error {
	if c.Conversations < 1 || c.Turns < 2 {
		return fmt.Errorf("prefix: want 1 or more conversations of 2 or more turns")
	}
	set := &rules.Set{App: "bench", Rules: benchRules(2)}
	compiled, err := rules.Compile(set, rules.Head{Epoch: 1, Hash: set.Hash()}, nil)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "conversations\trules\tplacement\tcacheable\trequests with a block\t")
	for _, tools := range []bool{false, true} {
		for _, p := range []struct {
			name  string
			where wire.Placement
			rules bool
		}{{"-", wire.System, false}, {"system", wire.System, true}, {"tail", wire.Tail, true}, {"user", wire.User, true}} {
			t, err := c.measure(compiled, p.where, p.rules, tools)
			if err != nil {
				return err
			}
			kind := map[bool]string{false: "multi-turn", true: "tool loops"}[tools]
			fmt.Fprintf(w, "%s\t%v\t%s\t%.1f %%\t%.0f %%\t\n", kind, p.rules, p.name, 100*float64(t.shared)/float64(t.bytes), 100*float64(t.blocks)/float64(t.requests))
		}
	}
	return w.Flush()
}

// prefixTotals sums over all requests but the first of each conversation.
type prefixTotals struct{ shared, bytes, blocks, requests int }

func (c *prefixCommand) measure(set *rules.Compiled, where wire.Placement, on, tools bool) (t prefixTotals, err error) {
	var buf rules.Buffer
	for n := range c.Conversations {
		var before []byte
		for _, body := range conversationBodies(n, c.Turns, tools) {
			r, err := wire.Parse(wire.Chat, body)
			if err != nil {
				return t, err
			}
			sent, block := body, ""
			if on {
				f := rules.Facts{App: "bench", Step: match.Fingerprint(r.System, r.Tools, r.Format), Unit: fmt.Sprint(n)}
				var turns []string
				for _, turn := range r.Turns {
					turns = append(turns, turn.Text)
				}
				f.Queries = match.Extract(f.Step, turns, nil)
				d := set.Decide(&f, &buf)
				block = set.Render(&d)
				if sent, err = r.Patch(nil, body, wire.Patch{Block: block, Placement: where}); err != nil {
					return t, err
				}
			}
			if before != nil {
				t.shared += commonPrefix(before, sent)
				t.bytes += len(sent)
				t.requests++
				if block != "" {
					t.blocks++
				}
			}
			before = sent
		}
	}
	return t, nil
}

func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// conversationBodies are the requests of one conversation: a person asks on,
// and from the third turn on about the topic of the scoped rule; with tools, each
// turn takes two more requests that repeat everything and add a call's result.
func conversationBodies(n, turns int, tools bool) [][]byte {
	questions := [...]string{"Where is my parcel?", "Can I pay by invoice?", "Which shoe size do I need for the winter boots?", "And for the red ones?",
		"Do you have a shop in Lyon?", "Which shoe size should I take for rain boots?", "thanks", "How do I care for leather?"}
	var messages strings.Builder
	fmt.Fprintf(&messages, `{"role":"system","content":"You are the assistant of a shoe shop, number %d. %s"}`, n, strings.Repeat("Answer from the notes and be kind. ", 40))
	var out [][]byte
	add := func() {
		out = append(out, []byte(`{"model":"support","messages":[`+messages.String()+`]}`))
	}
	for i := range turns {
		fmt.Fprintf(&messages, `,{"role":"user","content":"%s"}`, questions[(i+n%2)%len(questions)])
		add()
		if tools {
			for k := range 2 {
				fmt.Fprintf(&messages, `,{"role":"assistant","content":null,"tool_calls":[{"id":"call_%d_%d","type":"function","function":{"name":"look","arguments":"{}"}}]}`+
					`,{"role":"tool","tool_call_id":"call_%d_%d","content":"%s"}`, i, k, i, k, strings.Repeat("found a note about boots; ", 12))
				add()
			}
		}
		fmt.Fprintf(&messages, `,{"role":"assistant","content":"%s"}`, strings.Repeat("Gladly, here is what I found. ", 6))
	}
	return out
}
