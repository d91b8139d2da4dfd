package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"heed/rules"
)

// Kept is the entry in the form that is kept, sharing nothing with a.
func (a Audit) Kept() (Audit, error) {
	a.Time = KeptTime(a.Time)
	b, err := json.Marshal(&a)
	if err != nil {
		return a, fmt.Errorf("audit entry %q: %w", a.Action, err)
	}
	var c Audit
	err = json.Unmarshal(b, &c)
	return c, err
}

// Tied is the entry behind the one with that number and hash: its JSON, in which
// its own hash is missing, and its hash. Whatever the caller wrote in Number,
// Previous and Hash is replaced.
func (a Audit) Tied(number int64, hash string) (Audit, []byte, error) {
	a.Number, a.Previous, a.Hash = number+1, hash, ""
	b, err := json.Marshal(&a)
	if err != nil {
		return a, nil, fmt.Errorf("audit entry %q: %w", a.Action, err)
	}
	a.Hash = chainHash(hash, b)
	return a, b, nil
}

// chainHash is the hash of an entry: hex SHA-256 over the hash before and the
// entry's JSON without its own hash (security reference, section 7.4).
func chainHash(previous string, b []byte) string {
	h := sha256.New()
	h.Write([]byte("heed-audit-v1\n" + previous + "\n"))
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil))
}

// KeptAudits are the entries of the changes in the form that is kept.
func (c *Changes) KeptAudits() ([]Audit, error) {
	var out []Audit
	for _, a := range c.Audits {
		if a.App == "" {
			a.App = c.App
		}
		if a.App != c.App {
			return nil, fmt.Errorf("audit entry of app %q in changes of app %q", a.App, c.App)
		}
		own, err := a.Kept()
		if err != nil {
			return nil, err
		}
		out = append(out, own)
	}
	return out, nil
}

// Chain checks an app's audit trail. Give it every entry from the first on, then
// ask Broken.
type Chain struct {
	App string

	number   int64
	previous string
	bad      int64
	emptied  map[int64]bool // entries whose texts were erased, until a later one vouches for it
}

// Next takes the next entry as it is stored: its JSON and its hash. It returns the
// entry, nil when it does not fit, as all after it then do not.
func (c *Chain) Next(doc []byte, hash string) *Audit {
	if c.bad != 0 {
		return nil
	}
	c.number++
	var a Audit
	ok := json.Unmarshal(doc, &a) == nil && a.Number == c.number && a.App == c.App && a.Previous == c.previous &&
		(a.Emptied || chainHash(c.previous, doc) == hash)
	if !ok {
		c.Break()
		return nil
	}
	if a.Emptied {
		if c.emptied == nil {
			c.emptied = map[int64]bool{}
		}
		c.emptied[a.Number] = true
	} else {
		for _, n := range a.Empties {
			delete(c.emptied, n)
		}
	}
	c.previous = hash
	return &a
}

// Break says that the entry that Next returned last does not fit.
func (c *Chain) Break() {
	if c.bad == 0 {
		c.bad = c.number
	}
}

// Broken returns the number of the first entry that does not fit, or 0, in a trail
// whose last entry should have that number and hash.
func (c *Chain) Broken(number int64, hash string) int64 {
	bad := c.bad
	if bad == 0 && (c.number != number || c.previous != hash) {
		bad = c.number + 1 // the end was cut off, or what says where it is was changed
	}
	for n := range c.emptied { // nobody said that they were
		if bad == 0 || n < bad {
			bad = n
		}
	}
	return bad
}

// Empty takes the texts of the rules that rests selects out of the entry, and
// reports whether there were any.
func (a *Audit) Empty(rests func(*rules.Rule) bool) bool {
	found := false
	for i, op := range a.Ops {
		if op.Rule != nil && rests(op.Rule) {
			found = true
			a.Ops[i].Rule = &rules.Rule{ID: op.Rule.ID, Version: op.Rule.Version, App: op.Rule.App, State: op.Rule.State}
		}
	}
	a.Emptied = a.Emptied || found
	return found
}
