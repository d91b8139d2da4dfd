package check

import "strings"

// verbs are the base forms that begin an instruction to an agent.
var verbs = set("mention include add say state tell give provide use avoid keep make be start begin end finish close list explain respond reply write format show ask offer suggest recommend link refer point remove omit leave skip limit answer cite quote name note describe summarize summarise compare convert translate spell capitalize shorten simplify clarify specify apologize apologise thank greet address call direct send redirect escalate confirm verify check warn remind highlight emphasize emphasise focus stick prefer put place present return output speak talk stop drop exclude ignore replace mark order sort group number repeat round calculate count consider assume treat distinguish define follow respect ensure apply append insert attach share sign wish invite encourage advise inform notify let do never always don't acknowledge admit break cover cut double-check express get hide introduce invent lead mind move open outline phrase proofread promote promise push rate reference remember report restate reveal rewrite separate split structure switch trim turn update wrap disclose guess speculate go look assure reassure prioritize prioritise spell mirror match discuss propose request welcome refuse decline flag recap label stress underline forward sound hand congratulate compliment waive stay indicate display bring shorten expand elaborate")

// reporting are verbs whose passive instructs: "X should be mentioned".
var reporting = set("mention include add say state list explain show offer suggest recommend link cite quote name note describe summarize translate convert clarify specify highlight emphasize remove omit exclude replace mark number round define follow write give provide tell inform ask warn remind format repeat answer present put leave address spell skip apologize shorten simplify thank greet place call avoid display keep use")

// ambiguous verbs are nouns as well: "answer is wrong", "links missing".
var ambiguous = set("answer link links list format name note state point reference quote report look cut end start address check show use order offer help return place respond reply number call limit mark warn promise guess rate count move open focus round group lead break cover phrase express present wish update direct match display structure sort request welcome flag label stress sound hand forward talk address close")

// irregular past forms, by their base.
var irregular = map[string]string{"said": "say", "told": "tell", "gave": "give", "given": "give", "been": "be", "wrote": "write", "written": "write", "shown": "show", "began": "begin", "begun": "begin", "kept": "keep", "made": "make", "put": "put", "left": "leave", "sent": "send", "cut": "cut", "spoke": "speak", "spoken": "speak", "let": "let", "led": "lead", "stuck": "stick", "spelt": "spell", "brought": "bring", "broken": "break", "went": "go", "did": "do", "done": "do"}

// base is the base form of a verb of ours in any form ("mentioned", "adding",
// "lists"), or "".
func base(verb string) string {
	v := strings.ToLower(strings.Trim(verb, ",.:"))
	if b := irregular[v]; b != "" {
		return b
	}
	if verbs[v] {
		return v
	}
	for _, suffix := range []string{"ed", "ing", "es", "s", "d"} {
		root, ok := strings.CutSuffix(v, suffix)
		if !ok || len(root) < 2 {
			continue
		}
		candidates := []string{root, root + "e", strings.TrimSuffix(root, "i") + "y"}
		if n := len(root); root[n-1] == root[n-2] {
			candidates = append(candidates, root[:n-1])
		}
		for _, c := range candidates {
			if verbs[c] {
				return c
			}
		}
	}
	return ""
}
