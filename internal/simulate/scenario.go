package simulate

// Question is one question and the topic that it truly belongs to ("" for
// unrelated chat).
type Question struct {
	Topic string
	Text  string
}

// Scene is a small shop's support agent, what its people expect of it, and
// what they ask.
type Scene struct {
	System       string
	Model        string
	Expectations []Expectation

	Train      []Question // in scope of an expectation, for giving feedback
	Unseen     []Question // in scope, in other words, for measuring
	Neighbours []Question // other topics of the shop, without expectation
	Unrelated  []Question // chat that has nothing to do with the shop
}

// trainQuestions of each topic with an expectation are for feedback; the
// others stay unseen.
const trainQuestions = 4

// Scenario returns the demo's scene. Hardly any bare answer of the model meets
// its expectations by chance; a test holds that. The slices are the caller's.
func Scenario() Scene {
	s := Scene{
		System: "You are the support assistant of the Larch & Loom shop. Customers write to you about their orders.\n" +
			"Stick to what you know about the shop.",
		Model: "gpt-4o-mini",
		Expectations: []Expectation{
			{ID: "returns-window", Topics: []string{"returns"}, Kind: Mention, Text: "the 30-day return window", Contains: []string{"30-day"}},
			{ID: "returns-page", Topics: []string{"returns"}, Kind: Link, Text: "the returns page"},
			{ID: "invoices-vat", Topics: []string{"invoices"}, Kind: Mention, Text: "our VAT number"},
			{ID: "warranty-serial", Topics: []string{"warranty"}, Kind: Ask, Text: "the serial number"},
			{ID: "damaged-sorry", Topics: []string{"damaged"}, Kind: Apologise},
			{ID: "sizes-metric", Topics: []string{"sizes"}, Kind: Metric},
			{ID: "giftcards-checkout", Topics: []string{"giftcards"}, Kind: Avoid, Text: "checkout"},
		},
	}
	k := shopKnowledge()
	for _, t := range k.topics {
		covered := false
		for _, e := range s.Expectations {
			covered = covered || e.Covers(t.id)
		}
		for i, q := range t.questions {
			switch asked := (Question{t.id, q}); {
			case !covered:
				s.Neighbours = append(s.Neighbours, asked)
			case i < trainQuestions:
				s.Train = append(s.Train, asked)
			default:
				s.Unseen = append(s.Unseen, asked)
			}
		}
	}
	for _, q := range k.chat {
		s.Unrelated = append(s.Unrelated, Question{"", q})
	}
	return s
}

// Topics returns the ids of all shop topics, in a fixed order.
func Topics() []string {
	var out []string
	for _, t := range shopKnowledge().topics {
		out = append(out, t.id)
	}
	return out
}

// Questions returns a topic's questions; "" has unrelated chat. The slice is
// the caller's.
func Questions(topic string) []string {
	k := shopKnowledge()
	if topic == "" {
		return append([]string(nil), k.chat...)
	}
	for _, t := range k.topics {
		if t.id == topic {
			return append([]string(nil), t.questions...)
		}
	}
	return nil
}
