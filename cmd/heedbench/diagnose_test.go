package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDiagnoseCommand_Run(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"diagnose", "--cases", "../../learner/testdata/diagnose.jsonl"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"want \\ got", "no_instruction", "outage", "as labelled"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestDiagnoseCommand_Wrong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cases.jsonl")
	for cases, want := range map[string]string{
		`{"want":"outage","comment":"Always be brief.","query":"hello"}`: "fewer than 90 %",
		`{"want":"banana","comment":"x"}`:                                `unknown kind "banana"`,
		`{"want":"rule","comment":"x","colour":1}`:                       "colour",
		``: "no cases",
	} {
		if err := os.WriteFile(path, []byte(cases), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := run([]string{"diagnose", "--cases", path}, &out); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("cases %s: %v, want %q", cases, err, want)
		}
	}
}
