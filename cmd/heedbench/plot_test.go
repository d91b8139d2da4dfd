package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// written are small results as the three commands write them.
var written = map[string]string{
	"learning": `[{"track":"depth","system":"heed","records":0,"seed":0,"adherence":0,"success":1,"near":0,"far":0},
{"track":"depth","system":"heed","records":8,"seed":0,"adherence":0.5,"success":1,"near":0.06,"far":0.03},
{"track":"depth","system":"heed","records":8,"seed":1,"adherence":0.7,"success":1,"near":0.06,"far":0.03},
{"track":"depth","system":"inject <all>","records":8,"seed":0,"adherence":0.9,"success":0.39,"near":1,"far":1}]`,
	"scope": `{"mean":[{"set":"clinc150","n":1,"coverage":0.2,"ticks":0,"system":"heed","recall":0.5,"wrong_per_100_neighbouring":3,"wrong_per_100_unrelated":{"oos":2}},
{"set":"clinc150","n":4,"coverage":0.2,"ticks":10,"system":"heed","recall":0.7,"wrong_per_100_neighbouring":4,"wrong_per_100_unrelated":{"oos":1}}]}`,
	"effect": `{"command":"effect","results":[{"rule":"harmful","without":0.8,"with":0.5,"share_with":0.9,"paused_within_200":0.96}],
"changes":[{"rule":"all -20 at once","called_harmful":0.3,"harmful_unguarded":1}],"little":[{"rule":"harmful","units_before":50,"paused_within_200":0.5}]}`,
}

func TestPlotCommand_Run(t *testing.T) {
	dir := t.TempDir()
	args := []string{"plot", "--out", filepath.Join(dir, "plots")}
	for name, text := range written {
		path := filepath.Join(dir, name+".json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	var out bytes.Buffer
	if err := run(args, &out); err != nil {
		t.Fatal(err)
	}
	for name, wants := range map[string][]string{
		"learning-depth": {"heed: 60<", "inject &lt;all&gt;", "ceiling: 100<", "Near: ", "Far: ", "Task success", "feedback records", "Seeds: 2"},
		"scope-20":       {"Recall: ", "heed, 10 ticks", "(oos)", "of 100"},
		"effect":         {"both comparisons, 80 → 50: 96<", "% of runs"},
		"effect-price":   {"as built, -20: 30<", "without asking the units at the same time, -20: 100<"},
		"effect-little":  {"harmful: 50<", "units known from before the rule"},
	} {
		b, err := os.ReadFile(filepath.Join(dir, "plots", name+".svg"))
		if err != nil {
			t.Fatal(err)
		}
		svg := string(b)
		for _, want := range wants {
			if !strings.Contains(svg, want) {
				t.Errorf("%s does not show %q", name, want)
			}
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") || strings.Count(svg, "http") != 1 || strings.Contains(svg, "<script") {
			t.Errorf("%s holds what is no number, or loads something:\n%s", name, svg)
		}
		d := xml.NewDecoder(bytes.NewReader(b))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}

func TestPlotCommand_Run_ForeignFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	if err := os.WriteFile(path, []byte(`{"a": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"plot", path, "--out", t.TempDir()}, io.Discard); err == nil || !strings.Contains(err.Error(), "neither of scope, learning nor effect") {
		t.Errorf("got %v", err)
	}
}
