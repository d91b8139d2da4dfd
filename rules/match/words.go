package match

// The word lists of extraction. They are short on purpose: what is not in them is
// treated as a person's own words.
var (
	askLabels = listed("question", "questions", "query", "user", "user query", "user question", "user input", "user message",
		"user request", "customer", "customer message", "message", "request", "current question", "latest question", "ask",
		"human", "input", "frage", "pregunta", "pergunta", "domanda", "q", "вопрос", "问题", "質問")
	giveLabels = listed("context", "contexts", "passage", "passages", "document", "documents", "source", "sources", "excerpt",
		"excerpts", "search results", "results", "result", "knowledge", "knowledge base", "article", "articles", "snippet",
		"snippets", "background", "reference", "references", "history", "chat history", "conversation", "conversation history",
		"transcript", "log", "logs", "output", "tool output", "data", "instructions", "instruction", "rules", "answer",
		"assistant", "response", "format", "examples", "example", "faq", "text", "content", "title", "url", "note", "notes",
		"kontext", "contexto", "contexte", "контекст", "上下文", "system", "guidelines", "doc", "file", "attachment", "email")
	openers = set(`what what's whats how why when where who whose which can could do does did is are am was were will would should
		shall may has have i i'm i'd i've my we our please tell show help give find let need want cancel change check
		make set was wie wo warum wann kann können ich qué cómo dónde cuándo puedo comment pourquoi où quand est puis je come
		dove perché posso как где почему когда можно`)
	personal   = set(`i i'm i'd i've i'll my mine me we our us you please ich mein meine mir je mon ma mes mi mis yo io mio mia eu meu minha я мой мне`)
	agentWords = set(`answer respond reply user's customers assistant agent passages passage context documents sources cite
		markdown json format output instructions sentences tone`)
	continuations = listed("and", "or", "but", "also", "what about", "how about", "what if", "same", "then", "so", "ok", "okay",
		"and what", "plus", "instead", "or maybe", "und", "oder", "aber", "y", "pero", "et", "mais", "ou", "e", "ma", "а", "и", "但", "那")
	pointers = listed("it", "that", "this", "they", "them", "those", "these", "one", "ones", "there", "he", "she", "him", "her",
		"its", "their", "again", "instead", "too", "else", "same", "other", "another", "das", "eso", "esto", "ça", "cela", "это")
	auxiliary = listed("is", "are", "was", "were", "do", "does", "did", "can", "could", "will", "would", "should", "has", "have",
		"am", "may", "might", "must", "shall", "be", "been", "kann", "ist", "est", "es", "puedo")
	smallWords = listed("a", "an", "the", "and", "or", "but", "also", "what", "how", "why", "when", "where", "who", "which", "about",
		"of", "in", "on", "at", "to", "for", "from", "with", "by", "as", "if", "so", "then", "ok", "okay", "yes", "no", "not",
		"i", "my", "me", "you", "your", "we", "us", "our", "please", "thanks", "thank", "just", "really", "sure", "much", "many",
		"more", "less", "long", "any", "some", "only", "even", "maybe", "like", "mean", "now", "und", "y", "et", "e", "der", "die",
		"el", "la", "le", "les", "que", "de")
)

func listed(words ...string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, w := range words {
		m[w] = true
	}
	return m
}
