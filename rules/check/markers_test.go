package check

import "testing"

// What is marked as an instruction is one in the person's own words; a complaint or an
// errand in the same language is none.
func TestInstruction_Tongues(t *testing.T) {
	missed, instructions := 0, corpus(t, "abroad_instructions.txt")
	for _, l := range instructions {
		if _, ok := Instruction(l); !ok {
			missed++
			t.Logf("missed: %q", l)
		}
	}
	for _, l := range corpus(t, "abroad_complaints.txt") {
		if got, ok := Instruction(l); ok {
			t.Errorf("taken for an instruction: %q: %q", l, got)
		}
	}
	if missed*20 > len(instructions) {
		t.Errorf("%d of %d instructions missed", missed, len(instructions))
	}
	for said, want := range map[string]string{
		"間違っています。必ず返品期限を記載してください。": "必ず返品期限を記載してください。",
		"请简短": "请简短。",
		"항상 반품 기한을 언급해 주세요!":      "항상 반품 기한을 언급해 주세요.",
		"اذكر دائما مهلة الإرجاع": "اذكر دائما مهلة الإرجاع.",
	} {
		if got, _ := Instruction(said); got != want {
			t.Errorf("Instruction(%q) = %q, want %q", said, got, want)
		}
	}
	if got := Compile("Emoji kullanmayın."); got != nil {
		t.Errorf("a prohibition in another language is checked as %v", got)
	}
}
