package check

import (
	"slices"
	"unicode"
)

// languageCodes are the languages that Language can tell.
var languageCodes = []string{"en", "de", "fr", "es", "it", "pt", "nl", "pl", "tr", "sv", "ru", "uk", "zh", "ja", "ko", "ar", "he", "el", "hi", "th"}

// languageNames maps names in English and in the language itself to codes.
var languageNames = map[string]string{
	"english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it", "portuguese": "pt", "dutch": "nl", "polish": "pl", "turkish": "tr", "swedish": "sv",
	"russian": "ru", "ukrainian": "uk", "chinese": "zh", "mandarin": "zh", "japanese": "ja", "korean": "ko", "arabic": "ar", "hebrew": "he", "greek": "el", "hindi": "hi", "thai": "th",
	"deutsch": "de", "englisch": "en", "anglais": "en", "inglés": "en", "francais": "fr", "français": "fr", "allemand": "de", "español": "es", "castellano": "es", "espagnol": "es", "alemán": "de", "französisch": "fr", "spanisch": "es",
}

// languageWord is a language's name in English, by its code.
var languageWord = map[string]string{"en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese", "nl": "Dutch", "pl": "Polish", "tr": "Turkish", "sv": "Swedish",
	"ru": "Russian", "uk": "Ukrainian", "zh": "Chinese", "ja": "Japanese", "ko": "Korean", "ar": "Arabic", "he": "Hebrew", "el": "Greek", "hi": "Hindi", "th": "Thai"}

// stopWords are frequent short words that few of the other languages share.
var stopWords = map[string]map[string]bool{
	"en": set("the and of to is are you your it that this with for on was have can be will not they we our if from please by at as"),
	"de": set("der die das und ist nicht ein eine sie ihr ihre ich wir mit auf für zu den dem des von im auch können haben werden bitte oder wenn es sind innerhalb"),
	"fr": set("le la les et est des une vous votre nous pour dans que qui pas sur avec sont par ce cette au du de je il elle être pouvez ou"),
	"es": set("el la los las y es un una usted su para que en con por del se no puede son como más está de si o lo"),
	"it": set("il lo la gli e è un una di che per con non del della sono si può nel alla da i le questo vostro suo"),
	"pt": set("o a os as e é um uma você seu sua para que em com por do da não se pode são como mais está dos das"),
	"nl": set("de het een en is van je uw u niet dat voor met op zijn wij kunt kan te aan bij ook"),
	"pl": set("i w na z do się nie jest to że są proszę jak można lub oraz dla od po przez"),
	"tr": set("ve bir bu için ile de da olarak çok daha veya lütfen değil olan ne gibi"),
	"sv": set("och är det en ett att du din inte för på med som av vi kan till den om eller"),
}

// Language is the ISO 639-1 code of the language s is written in, told by its
// script or its most frequent short words, or "" where that does not decide.
func Language(s string) string {
	s = clip(s, 8<<10)
	scripts := map[string]int{}
	letters := 0
	for _, r := range s {
		if !unicode.IsLetter(r) {
			continue
		}
		letters++
		switch {
		case unicode.In(r, unicode.Hiragana, unicode.Katakana):
			scripts["ja"] += 3 // kana decide against Chinese
		case unicode.Is(unicode.Han, r):
			scripts["zh"]++
		case unicode.Is(unicode.Hangul, r):
			scripts["ko"]++
		case unicode.Is(unicode.Cyrillic, r):
			scripts["ru"]++
			if r == 'і' || r == 'ї' || r == 'є' || r == 'ґ' {
				scripts["uk"] += 20
			}
		case unicode.Is(unicode.Arabic, r):
			scripts["ar"]++
		case unicode.Is(unicode.Hebrew, r):
			scripts["he"]++
		case unicode.Is(unicode.Greek, r):
			scripts["el"]++
		case unicode.Is(unicode.Devanagari, r):
			scripts["hi"]++
		case unicode.Is(unicode.Thai, r):
			scripts["th"]++
		}
	}
	best := ""
	for _, code := range languageCodes {
		if scripts[code] > scripts[best] {
			best = code
		}
	}
	if scripts[best]*3 > letters {
		return best
	}
	return latinLanguage(tokens(s))
}

func latinLanguage(words []string) string {
	hits := map[string]int{}
	for _, w := range words {
		for code, stop := range stopWords {
			if stop[w] {
				hits[code]++
			}
		}
	}
	order := slices.Clone(languageCodes)
	slices.SortStableFunc(order, func(a, b string) int { return hits[b] - hits[a] })
	if first := hits[order[0]]; first >= 2 && first > hits[order[1]] {
		return order[0]
	}
	return ""
}
