package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"heed/rules"
	"heed/store"
)

// The demo learns, says so, and exits 0; its figures are measured, so only their
// direction is asserted.
func TestDemo_Once(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(context.Background(), []string{"demo", "--once"}, &out, &errs); code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, out.String(), errs.String())
	}
	for _, want := range []string{"0 bytes different", "records  rules  adherence, unseen questions", "\n0        0 ", "\n32       ", "false injections, neighbouring", "unrelated", "32 by 6 people: ", "approved"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output does not hold %q:\n%s", want, out.String())
		}
	}
}

func TestRun_BadCommandLines(t *testing.T) {
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"dance"}, 2, "unexpected argument dance"},
		{[]string{"--config", "does-not-exist.yaml", "check"}, 1, "does-not-exist.yaml"},
		{[]string{"gateway"}, 1, "store.redis"},
		{[]string{"check"}, 0, "https://api.openai.com/v1"},
		{[]string{"version"}, 0, "heed"},
		{[]string{"health", "--url", "http://127.0.0.1:1"}, 1, "refused"},
	} {
		var out, errs bytes.Buffer
		code := run(context.Background(), tt.args, &out, &errs)
		if all := out.String() + errs.String(); code != tt.code || !strings.Contains(all, tt.want) {
			t.Errorf("heed %v: exit code %d, want %d, with %q:\n%s", tt.args, code, tt.code, tt.want, all)
		}
	}
}

func TestEffectLine(t *testing.T) {
	e := store.Effect{Sources: []store.Estimate{{Source: "failure", Before: &store.Earlier{}},
		{Source: "check", Before: &store.Earlier{Before: rules.Tally{Good: 1, Of: 20}, With: rules.Tally{Good: 3, Of: 4}}}}}
	if got, want := effectLine(e), "Followed by 3 of 4 answers with it; before it, by 1 of 20 like them."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := effectLine(store.Effect{}); got != "" {
		t.Errorf("nothing known: got %q", got)
	}
}
