package main

// wrapper surrounds requests as agents do. It is a pure function of the text.
type wrapper struct {
	kind string
	set  *dataset
	seed uint64
}

func newWrapper(kind string, d *dataset, seed uint64) wrapper { return wrapper{kind, d, seed} }

// one returns the person turn that carries a request.
func (w wrapper) one(text string) string { return text }

func (p *deployment) followups(s setting) []result { return nil }
