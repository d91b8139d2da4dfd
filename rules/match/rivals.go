package match

// rivals compiles what competes with the rules without being one: the scopes'
// counterexamples and the clusters of other traffic in the statistics.
func (b *builder) rivals(scopes []Scope) {
	for i := range scopes {
		texts := limited(scopes[i].Counterexamples)
		if len(texts) == 0 {
			continue
		}
		b.begin()
		for _, t := range texts {
			b.example(t)
		}
		b.end(class{rule: -1}, len(texts), 0, nil)
	}
}
