package redis

import (
	"context"
	_ "embed" // the script
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"heed/rules"
	"heed/store"
)

//go:embed scripts/forget.lua
var forgetLua string

var forgetScript = script(forgetLua)

// forgetting is what the script deletes and empties.
type forgetting struct {
	arguments
	Head    string       `json:"head"` // as it was when the rest was worked out
	Sets    []string     `json:"sets,omitempty"`
	Rules   []string     `json:"rules,omitempty"`
	Emptied []auditEntry `json:"emptied,omitempty"`
	auditTail
}

// Forget implements store.Eraser. A roll-back to a set that it deleted is
// store.ErrNotFound from then on. Audit entries keep their hashes, so that the
// chain holds; VerifyAudit takes an emptied entry only if a later one names it.
// Every process then deletes its copies of sets but the one in force.
func (s *Store) Forget(ctx context.Context, app string, e store.Erased, a store.Audit) error {
	if err := s.check(ctx, app); err != nil {
		return err
	}
	own, err := a.Kept()
	if err != nil {
		return err
	}
	own.App = app
	for try := range maxAuditTries {
		f, err := s.planForget(ctx, app, e.Under, own)
		if err != nil {
			return err
		}
		reply, err := s.run(ctx, "forget", forgetScript, app, f)
		if err != nil {
			return err
		}
		if reply[0] == "new" {
			s.changes.kick()
			return s.followErased(ctx, app)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rand.N(time.Duration(try+1) * time.Millisecond)):
		}
	}
	return fmt.Errorf("forget rules of app %q: %w", app, errMoved)
}

// planForget works out what is to be deleted. It is right as long as the head and
// the end of the trail are what they were.
func (s *Store) planForget(ctx context.Context, app string, rests func(*rules.Rule) bool, by store.Audit) (*forgetting, error) {
	f := &forgetting{arguments: s.arguments(app)}
	last, err := s.auditHead(ctx, app)
	if err != nil {
		return nil, err
	}
	if err := s.planSets(ctx, f, rests); err != nil {
		return nil, err
	}
	vs, err := s.RuleVersions(ctx, app, "")
	if err != nil {
		return nil, err
	}
	for i := range vs {
		if rests(&vs[i]) {
			f.Rules = append(f.Rules, vs[i].Ref())
		}
	}
	if by.Empties, err = s.planAudits(ctx, f, last, rests); err != nil || len(by.Empties) == 0 {
		f.From = &last
		f.To = last
		return f, err
	}
	f.auditTail, err = s.chainTo(last, []store.Audit{by})
	return f, err
}

// planSets finds the sets with a rule that rests on what is forgotten.
func (s *Store) planSets(ctx context.Context, f *forgetting, rests func(*rules.Rule) bool) error {
	h, err := s.serverHead(ctx, f.App)
	if err != nil {
		return err
	}
	err = s.call(ctx, "forget", func(ctx context.Context) error {
		var err error
		f.Head, err = s.client.Get(ctx, s.base(f.App)+"hd").Result()
		return err
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	return s.scanHash(ctx, f.App, "s", func(hash, doc string) error {
		set, err := openSet([]byte(doc), f.App, hash)
		if err != nil {
			return err
		}
		for i := range set.Rules {
			if !rests(&set.Rules[i]) {
				continue
			}
			if hash == h.Hash {
				return fmt.Errorf("rule %s in force rests on what is to be forgotten: %w", set.Rules[i].ID, store.ErrConflict)
			}
			f.Sets = append(f.Sets, hash)
			return nil
		}
		return nil
	})
}

// planAudits takes the texts of such rules out of the trail up to last and returns
// the numbers of the entries.
func (s *Store) planAudits(ctx context.Context, f *forgetting, last string, rests func(*rules.Rule) bool) ([]int64, error) {
	end, _, err := parseAuditHead(last)
	if err != nil {
		return nil, err
	}
	var emptied []int64
	for n := int64(1); n <= end; {
		var numbers []string
		for ; n <= end && len(numbers) < scanPage; n++ {
			numbers = append(numbers, strconv.FormatInt(n, 10))
		}
		docs, err := s.readAudits(ctx, f.App, numbers)
		if err != nil {
			return nil, err
		}
		for i, entry := range docs {
			hash, doc, _ := strings.Cut(entry, " ")
			var a store.Audit
			if err := decode(doc, "audit entry "+numbers[i], &a); err != nil {
				return nil, err
			}
			if !a.Empty(rests) {
				continue
			}
			b, err := json.Marshal(&a)
			if err != nil {
				return nil, err
			}
			emptied = append(emptied, a.Number)
			f.Emptied = append(f.Emptied, auditEntry{a.Number, hash + " " + string(b)})
		}
	}
	return emptied, nil
}

// scanHash calls fn for every field of one of the app's hashes.
func (s *Store) scanHash(ctx context.Context, app, key string, fn func(field, value string) error) error {
	for cursor := uint64(0); ; {
		var flat []string
		err := s.call(ctx, "scan", func(ctx context.Context) error {
			var err error
			flat, cursor, err = s.client.HScan(ctx, s.base(app)+key, cursor, "", scanPage).Result()
			return err
		})
		if err != nil {
			return err
		}
		for i := 0; i+1 < len(flat); i += 2 {
			if err := fn(flat[i], flat[i+1]); err != nil {
				return err
			}
		}
		if cursor == 0 {
			return nil
		}
	}
}
