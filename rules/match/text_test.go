package match

import (
	"slices"
	"strings"
	"testing"
)

// words returns the word features of a text.
func wordKeys(text string) []uint32 {
	var s scratch
	s.features(text)
	var out []uint32
	for _, f := range s.feats[:s.words] {
		out = append(out, f.key)
	}
	slices.Sort(out)
	return out
}

func TestFeatures_FoldedAlike(t *testing.T) {
	same := func(a, b string) {
		t.Helper()
		if !slices.Equal(wordKeys(a), wordKeys(b)) {
			t.Errorf("%q and %q have unlike words", a, b)
		}
	}
	same("Where is MY order?", "where is my order")
	same("orders", "order")
	same("don’t", "don't")
	same("dont", "don't")
	same("Überweisung", "uberweisung")
	same("cafe\u0301", "café")
	same("ＣＡＲＤ", "card")
	same("возврат", "ВОЗВРАТ")
}

func TestFeatures_ScriptsWithoutSpaces(t *testing.T) {
	for _, text := range []string{"如何申请退款", "返金の方法を教えて", "ขอคืนเงินอย่างไร"} {
		if n := len(wordKeys(text)); n < 4 {
			t.Errorf("%q has %d words, want its pieces", text, n)
		}
	}
}

func TestIndex_Match_OtherLanguages(t *testing.T) {
	scopes := []Scope{
		{ID: "zh", Examples: []string{"如何申请退款", "我想退款", "退款什么时候到账"}},
		{ID: "de", Examples: []string{"wie sperre ich meine karte", "meine karte sperren", "karte verloren, bitte sperren"}},
		{ID: "ru", Examples: []string{"как вернуть товар", "возврат товара", "хочу вернуть заказ"}},
	}
	ix := compile(t, scopes, nil)
	for query, want := range map[string]string{"我要申请退款": "zh", "kann ich die Karte sperren": "de", "можно вернуть товар": "ru"} {
		if got := ruleIDs(ix, scopes, query); !slices.Equal(got, []string{want}) {
			t.Errorf("Match(%q) = %v, want %s", query, got, want)
		}
	}
}

func TestIndex_Match_StricterInALanguageNotSeen(t *testing.T) {
	var seen []Logged
	for _, w := range strings.Fields("посылка заказ счёт адрес карта пароль размер скидка цвет магазин склад курьер оплата чек гарантия") {
		for _, q := range strings.Fields("где когда почему сколько какой куда откуда зачем чей который насколько отчего докуда чем как") {
			text := q + " мой " + w
			seen = append(seen, Logged{Text: text, Query: text})
		}
	}
	ix := compile(t, shop, nil)
	if ix.least(langRussian) <= ix.least(langEnglish) {
		t.Errorf("threshold %v for Russian that was never seen, %v for English", ix.least(langRussian), ix.least(langEnglish))
	}
	if ix = compile(t, shop, Fit(nil, seen, FitOptions{})); ix.least(langRussian) != ix.Threshold() {
		t.Errorf("threshold %v for Russian after %d requests, want the default %v", ix.least(langRussian), len(seen), ix.Threshold())
	}
}
