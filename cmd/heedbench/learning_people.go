package main

import (
	"fmt"
	"strings"

	"heed/internal/simulate"
)

// People of track crowd (issue 6): one in fifty says something about an answer
// that disappoints, a fifth of these without text, 15 % wrong, some of them for
// their own taste; hardly anybody praises; and it comes late.
const (
	crowdSize     = 200
	crowdRate     = 0.02
	crowdSilent   = 0.20
	crowdMistaken = 0.15
	crowdTaste    = 0.05
	crowdApplause = 0.002
	crowdLate     = 100 // requests between an answer and what is said about it, at most
)

// late is feedback that was given and is not posted yet.
type late struct {
	answer     reply
	saying     saying
	correction string
	at         int // in requests
}

func (w *world) crowd() []*simulate.Person {
	if w.people != nil {
		return w.people
	}
	var all []simulate.Expectation
	about := map[string]string{}
	for _, e := range w.wishes {
		all = append(all, e.Expectation)
		about[e.ID] = e.about
	}
	for i := range crowdSize {
		p := simulate.NewPerson(fmt.Sprint("person-", i), w.rng.Uint64(), all)
		p.Topic = func(q string) string { return w.label[q] }
		p.About = func(topic string) string { return about[topic] }
		p.Rate, p.Silent, p.Mistaken, p.Taste, p.Applause = crowdRate, crowdSilent, crowdMistaken, crowdTaste, crowdApplause
		p.Unscoped = map[bool]float64{true: 0, false: 1}[w.named]
		w.people = append(w.people, p)
	}
	return w.people
}

// murmur lets people ask about topics that somebody wishes something for, until
// one more record of feedback was posted.
func (w *world) murmur(i int) error {
	people := w.crowd()
	for asked := 0; ; asked++ {
		for j, l := range w.late {
			if l.at <= asked {
				w.late = append(w.late[:j], w.late[j+1:]...)
				return w.post(l.answer, l.saying, l.correction)
			}
		}
		e := &w.wishes[w.rng.IntN(len(w.wishes))]
		texts := w.d.byLabel[e.Topics[0]]
		query := texts[w.rng.IntN(len(texts))]
		p := people[w.rng.IntN(len(people))]
		a, err := w.askAs(p.Name, query)
		if err != nil {
			return err
		}
		f, says := p.Judge(query, a.text)
		if !says {
			continue
		}
		s := saying{topic: w.label[query], query: query, comment: f.Comment, when: f.AppliesWhen, personal: f.Form == simulate.Taste, rating: f.Rating}
		if f.Expectation != "" {
			s.wish = e
		}
		w.late = append(w.late, late{a, s, strings.TrimSpace(f.Correction), asked + w.rng.IntN(crowdLate)})
	}
}
