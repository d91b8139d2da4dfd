package match

import (
	"fmt"
	"strings"
	"testing"
)

// oddPrompts are steps whose prompts carry what changes from request to request, in
// shapes that agents are seen with: each is one step, unlike the others.
var oddPrompts = map[string][]string{
	"dates": {
		"You are Ada, the assistant of a bakery. Today's date is 2026-11-28. Answer questions about bread.",
		"You are Ada, the assistant of a bakery. Today's date is 28.11.2026. Answer questions about bread.",
		"You are Ada, the assistant of a bakery. Today's date is Saturday, November 28th, 2026. Answer questions about bread.",
		"You are Ada, the assistant of a bakery. Today's date is 28 Nov 2026, 09:15 CET. Answer questions about bread.",
		"You are Ada, the assistant of a bakery. Today's date is 11/28/26. Answer questions about bread.",
		"You are Ada, the assistant of a bakery. Today's date is the 3rd of December. Answer questions about bread.",
	},
	"date inside the role": {
		"You are a travel agent and it is 2026-11-28T08:00:00+01:00 now. Help the customer to book a trip.",
		"You are a travel agent and it is Monday 30 November 2026 now. Help the customer to book a trip.",
		"You are a travel agent and it is 1 Dec 2026 now. Help the customer to book a trip.",
	},
	"user names": {
		"You are a banking assistant. You are talking to Anna Berger. Help the user with accounts.",
		"You are a banking assistant. You are talking to José da Silva-Ramos. Help the user with accounts.",
		"You are a banking assistant. You are talking to O'Neill. Help the user with accounts.",
		"You are a banking assistant. You are talking to 李雷. Help the user with accounts.",
	},
	"user names in small letters": {
		"You are a pharmacy assistant.\nUser name: anna\nUser email: anna@example.org\nAnswer the user's questions about medicine.",
		"You are a pharmacy assistant.\nUser name: bob miller\nUser email: bob@example.net\nAnswer the user's questions about medicine.",
		"You are a pharmacy assistant.\nAnswer the user's questions about medicine.",
	},
	"passages of varying number": {
		"Use the passages to answer the user's question about law.\n\n[1] You must pay the tax in spring.\n[2] The court answers letters.",
		"Use the passages to answer the user's question about law.\n\n[1] A judge decides on the request.",
		"Use the passages to answer the user's question about law.\n\n[1] Lawyers write documents for customers.\n[2] You are free.\n[3] Read the code.\n[4] Choose a category.",
	},
	"passages under a heading": {
		"You are a museum guide.\n\nContext:\nReturn the ticket at the desk. You are welcome to write a message to the guide.\n\nQuestion answering rules: be brief.",
		"You are a museum guide.\n\nContext:\nThe paintings hang on the second floor.\n\nQuestion answering rules: be brief.",
	},
	"documents as a list": {
		"You are a garden expert.\nDocuments:\n- Choose a label for every plant.\n- You are to water roses.",
		"You are a garden expert.\nDocuments:\n- Tulips like sun.",
		"You are a garden expert.\nDocuments:\n- Write the name of the tree on the label.\n- Oaks are old.\n- Answer the bell.",
	},
	"few-shot examples": {
		"Classify the ticket into one category.\n\nExample:\nUser: write me a message\nAssistant: other\n\nUser: you are late\nAssistant: delivery",
		"Classify the ticket into one category.\n\nExample:\nUser: my card is blocked\nAssistant: card",
		"Classify the ticket into one category.\n\nExample:\nQ: generate an answer to the question\nA: other",
	},
	"a JSON schema": {
		"Extract the order from the message as JSON.\n{\"type\": \"object\", \"properties\": {\"item\": {\"type\": \"string\", \"description\": \"You must return the label of the item.\"}}}",
		"Extract the order from the message as JSON.\n{\"type\": \"object\", \"properties\": {\"price\": {\"type\": \"number\"}, \"title\": {\"description\": \"Write the title of the document.\"}}}",
	},
	"numbers and limits": {
		"You are a tutor. The student has 3 lessons left. Answer questions on maths.",
		"You are a tutor. The student has 17 lessons left. Answer questions on maths.",
	},
	"memory": {
		"You are a personal coach.\n\nWhat you know about the user:\n- likes to answer letters\n- you are their friend\n",
		"You are a personal coach.\n\nWhat you know about the user:\n- runs marathons\n",
		"You are a personal coach.\n\nWhat you know about the user:\n",
	},
	"history": {
		"Given the conversation, rewrite the last question so that it stands alone.\n\nChat history:\nHuman: you are slow\nAI: please choose a category",
		"Given the conversation, rewrite the last question so that it stands alone.\n\nChat history:\nHuman: hi",
	},
	"title":  {"Generate a short title for the conversation, at most five words."},
	"title2": {"Write a summary of the conversation for the next agent."},
	"follow": {"Suggest three follow-up questions that the user may ask next."},
	"lang":   {"Detect the language of the user's message and return its code."},
}

func TestFingerprint_OddPrompts(t *testing.T) {
	seen := map[string]string{}
	for name, prompts := range oddPrompts {
		want := Fingerprint(prompts[:1], nil, "")
		for _, p := range prompts[1:] {
			if got := Fingerprint([]string{p}, nil, ""); got != want {
				t.Errorf("%s: split: %q and %q of\n%s", name, taskSentences(prompts[:1]), taskSentences([]string{p}), p)
			}
		}
		if other := seen[want]; other != "" {
			t.Errorf("%s and %s collapse: %q", name, other, taskSentences(prompts[:1]))
		}
		seen[want] = name
	}
}

// TestFingerprint_PassagesNeverTakeTheSlots puts growing numbers of retrieved
// sentences that read like tasks behind the prompt.
func TestFingerprint_ManyPassages(t *testing.T) {
	prompt := "You are the assistant of a city library. Answer the user's questions about books."
	want := Fingerprint([]string{prompt}, []string{"search", "reserve"}, "")
	var b strings.Builder
	b.WriteString(prompt)
	for i := range 40 {
		fmt.Fprintf(&b, "\n\nPassage %d. You are to return the book to desk %d. Write your name on the label.", i, i)
		if got := Fingerprint([]string{b.String()}, []string{"reserve", "search"}, ""); got != want {
			t.Fatalf("%d passages: %q", i+1, taskSentences([]string{b.String()}))
		}
	}
}
