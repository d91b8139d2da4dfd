package match

import (
	"slices"
	"testing"
)

func TestIndex_Match_EachClauseAsks(t *testing.T) {
	ix := compile(t, shop, nil)
	check := func(query string, want ...string) {
		t.Helper()
		got := ruleIDs(ix, shop, query)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("Match(%q) = %v, want %v", query, got, want)
		}
	}
	check("can i get a refund for my order and what are your opening hours", "r_hours", "r_refund")
	check("can i get a refund for my order? what size is a medium", "r_refund", "r_size")
	check("What are your opening hours. Can i get a refund for my order? Which shoe size do i need", "r_hours", "r_refund", "r_size")
	check("please refund my order and have a nice day", "r_refund")
	check("write a poem about the sea and sort a list in python")
	check("write a long poem about the sea at night in winter with rhymes and explain how sorting lists in python works. what are your opening hours") // one voice
}

func TestClauses(t *testing.T) {
	check := func(query string, want ...string) {
		t.Helper()
		var ends [maxClauses]int
		var got []string
		start := 0
		for _, end := range ends[:clauses(query, &ends)] {
			got = append(got, query[start:end])
			start = end
		}
		if !slices.Equal(got, want) {
			t.Errorf("clauses(%q) = %q, want %q", query, got, want)
		}
	}
	check("refund my order please", "refund my order please")
	check("bread and butter", "bread and butter") // too short to part
	check("where is my parcel? i want a refund", "where is my parcel?", " i want a refund")
	check("where is my parcel and when will it come", "where is my parcel and ", "when will it come")
	check("version 1.2.3 is not installed here", "version 1.2.3 is not installed here")
	check("返品したいです。送料はいくらですか", "返品したいです。", "送料はいくらですか")
	check("a b c. a b c. a b c. a b c. a b c.") // too many: a passage
}

func TestIndex_Match_ClausesDoNotAllocate(t *testing.T) {
	ix := compile(t, shop, nil)
	var buf Buffer
	query := "can i get a refund for my order? what are your opening hours and which size is a medium"
	ix.Match(query, nil, &buf)
	if n := testing.AllocsPerRun(100, func() { ix.Match(query, nil, &buf) }); n != 0 {
		t.Errorf("Match allocates %v times, want 0", n)
	}
}

func FuzzClauses(f *testing.F) {
	for _, seed := range []string{"", "a and b", "a b c and d e f", "。。。", "\xff. \xff", " and  and  and ", "a b c\nd e f\ng h i"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		var ends [maxClauses]int
		n := clauses(query, &ends)
		for i, end := range ends[:n] {
			if end > len(query) || i > 0 && end <= ends[i-1] {
				t.Errorf("clauses end at %v of %d bytes", ends[:n], len(query))
			}
		}
		if n > 0 && ends[n-1] != len(query) {
			t.Errorf("the last of %v is not the end, %d", ends[:n], len(query))
		}
	})
}
