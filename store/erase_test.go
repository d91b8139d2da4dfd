package store

import (
	"testing"

	"heed/rules"
)

// What a proposal was before a merge goes with the person on whose words it rested,
// also where the proposal itself rests on them no more.
func TestErasure_MergedProposal(t *testing.T) {
	on := func(source string) []rules.Operation {
		return []rules.Operation{{Kind: rules.Add, Rule: &rules.Rule{Sources: []string{source}}}}
	}
	p := &Proposal{Version: 1, State: Open, Ops: on("other"), Merged: []Merged{{With: "p", Ops: on("own")}}}
	e := Erasure{Erased: Erased{Feedback: []string{"own"}}}
	if !e.Proposal(p) || len(p.Merged) != 0 || p.Version != 2 || p.State != Open {
		t.Errorf("the proposal: %+v", p)
	}
}
