package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"heed/rules"
)

// UserHash names a person without naming them: 32 hex digits of SHA-256 over app
// and the name that the client gave (Heed-User, `user`). The same person has
// another hash in another app. No name gives no hash.
func UserHash(app, user string) string {
	if user == "" {
		return ""
	}
	var buf [512]byte
	b := append(append(append(append(append(buf[:0], "heed-user-v1\n"...), app...), '\n'), user...), '\n')
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// Backuper is a store that can copy itself while it is being used.
type Backuper interface {
	// Backup writes a copy of the store into dir, a folder on the machine of the
	// store's process that must not hold one already. On an error nothing of it
	// is left.
	Backup(ctx context.Context, dir string) error
}

// Eraser is a store that can erase a person. The calls go together: Traces, then
// take the rules out of force that rest on them, Forget, EraseUser, and Forget
// once more for what became a rule in between. Each can be repeated after an
// error; the traces are found until EraseUser has deleted them.
type Eraser interface {
	// Traces finds what EraseUser would delete or blank. It changes nothing.
	Traces(ctx context.Context, app, user string) (Erased, error)

	// Forget deletes the rule versions and sets that rest on the records and are
	// no longer in force, and takes their texts out of the audit trail, which
	// says so in an entry made of a. It returns ErrConflict while a rule in force
	// rests on them.
	Forget(ctx context.Context, app string, e Erased, a Audit) error

	// EraseUser deletes what the app's user, by UserHash, said and asked:
	// exchanges, feedback, quotes and samples in proposals and findings. A
	// proposal whose rule rests on it loses its texts, and is closed if it was
	// open; the other people's records behind it, and those in again, become
	// pending, so that the learner derives anew from them. Deleted bytes are
	// overwritten. The lease of the app's learner ends with it, so that what a learner
	// read before is not written afterwards (ErrFenced).
	EraseUser(ctx context.Context, app, user string, again []string) (Erased, error)
}

// Erased says what is a person's.
type Erased struct {
	Exchanges int      `json:"exchanges"`       // the user's, deleted
	Feedback  []string `json:"feedback"`        // ids of the user's records, deleted
	Touched   []string `json:"touched"`         // ids of others' records on the user's exchanges: their copies of query and answer are blanked, and they are pending again
	Records   int      `json:"records"`         // proposals and findings that lost texts, quotes or samples
	Rules     []string `json:"rules,omitempty"` // ids of rules that were taken out of force for it
}

// Under reports whether the rule rests on one of the records: it has them among
// its sources, and may hold their words.
func (e *Erased) Under(r *rules.Rule) bool {
	return slices.ContainsFunc(r.Sources, func(id string) bool {
		return slices.Contains(e.Feedback, id) || slices.Contains(e.Touched, id)
	})
}

// Erasure is one call of EraseUser: what backends do alike. Feed it the user's
// feedback first, then others' records, then proposals and findings.
type Erasure struct {
	Erased
	User  string          // hash; "" erases what is of the exchanges only
	Gone  map[string]bool // ids of the user's exchanges
	Lost  map[string]bool // ids of exchanges that are not in the log any more: who was shown there is not known
	Again []string        // ids of records that become pending
}

// Own notes a record of the user's, which the caller deletes.
func (e *Erasure) Own(f *Feedback) { e.Feedback = append(e.Feedback, f.ID) }

// Shown reports whether another person's record is on one of the user's exchanges.
func (e *Erasure) Shown(f *Feedback) bool {
	return e.Gone[f.ExchangeID] || f.Link != nil && e.Gone[f.Link.ExchangeID]
}

// Blank takes the user's words out of another person's record. It reports whether
// there were any; then the record becomes pending.
func (e *Erasure) Blank(f *Feedback) bool {
	l := f.Link
	if l == nil || l.Query == "" && l.Answer == "" && l.Unit == "" {
		return false
	}
	if !slices.Contains(e.Touched, f.ID) {
		e.Touched = append(e.Touched, f.ID)
	}
	l.Query, l.Answer, l.Unit = "", "", ""
	return true
}

// quoted reports whether the evidence is the user's words, or about the user's
// exchange.
func (e *Erasure) quoted(v Evidence) bool {
	return e.User != "" && v.User == e.User || slices.Contains(e.Feedback, v.Feedback) || e.Gone[v.Exchange]
}

func (e *Erasure) shown(v Sample) bool { return e.Gone[v.Exchange] || e.Lost[v.Exchange] }

// Proposal takes quotes and samples out of a proposal, and all texts if its rule
// rests on what is erased. It reports whether that made a new version of it.
func (e *Erasure) Proposal(p *Proposal) bool {
	n := len(p.Evidence) + len(p.Touch.Inside) + len(p.Touch.Near)
	p.Evidence = slices.DeleteFunc(p.Evidence, e.quoted)
	p.Touch.Inside, p.Touch.Near = slices.DeleteFunc(p.Touch.Inside, e.shown), slices.DeleteFunc(p.Touch.Near, e.shown)
	changed := len(p.Evidence)+len(p.Touch.Inside)+len(p.Touch.Near) != n
	under := func(o rules.Operation) bool { return o.Rule != nil && e.Under(o.Rule) }
	if slices.ContainsFunc(p.Merged, func(m Merged) bool { return slices.ContainsFunc(m.Ops, under) }) {
		changed, p.Merged = true, nil
	}
	if slices.ContainsFunc(p.Ops, under) {
		changed = true
		e.empty(p)
	}
	if changed {
		p.Version, p.Updated = p.Version+1, time.Now()
		e.Records++
	}
	return changed
}

// empty takes everything that was said out of a proposal and closes it.
func (e *Erasure) empty(p *Proposal) {
	if p.State == Open || p.State == Snoozed {
		for _, v := range p.Evidence {
			e.Again = append(e.Again, v.Feedback)
		}
		p.State, p.DecidedBy, p.DecidedAt, p.Reason = Expired, "erase", time.Now(), "it rested on what an erased person said"
	}
	p.Title, p.Ops, p.Evidence, p.Touch = "erased", nil, []Evidence{}, Touch{}
	p.Problems, p.Conflicts, p.Routing, p.Merged = nil, nil, nil, nil
}

// Finding takes quotes out of a finding, and the title, which may be made of them.
// It reports whether that made a new version of it.
func (e *Erasure) Finding(f *Finding) bool {
	n := len(f.Evidence)
	if f.Evidence = slices.DeleteFunc(f.Evidence, e.quoted); len(f.Evidence) == n {
		return false
	}
	f.Version, f.Updated = f.Version+1, time.Now()
	f.Title, f.Suggest, f.Advice = "erased in part: "+strings.ReplaceAll(f.Kind, "_", " "), "", ""
	if len(f.Evidence) == 0 && f.State == "open" {
		f.State = "resolved"
	}
	e.Records++
	return true
}
