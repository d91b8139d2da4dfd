package redis

import (
	"context"
	_ "embed" // the script
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"heed/store"
)

//go:embed scripts/audit.lua
var auditLua string

var auditScript = script(auditLua)

// maxAuditTries bounds how often a change is sent again because somebody else
// appended to the trail meanwhile.
const maxAuditTries = 50

// auditTail is what a script appends to the trail if it still ends at From.
type auditTail struct {
	From   *string      `json:"audit_from,omitempty"`
	To     string       `json:"audit_to,omitempty"`
	Audits []auditEntry `json:"audits,omitempty"`
}

type auditEntry struct {
	Number int64  `json:"number"`
	Doc    string `json:"doc"` // hash, space, JSON
}

// AddAudit implements store.Store.
func (s *Store) AddAudit(ctx context.Context, a store.Audit) error {
	if err := s.check(ctx, a.App); err != nil {
		return err
	}
	own, err := a.Kept()
	if err != nil {
		return err
	}
	args := s.arguments(a.App)
	_, err = s.audited(ctx, a.App, []store.Audit{own}, func(tail auditTail) ([]string, error) {
		return s.run(ctx, "audit", auditScript, a.App, struct {
			arguments
			auditTail
		}{args, tail})
	})
	if err == nil {
		s.changes.kick()
	}
	return err
}

// audited runs a change that appends the entries, again when the trail grew
// meanwhile: scripts cannot compute SHA-256, so the chain is made here.
func (s *Store) audited(ctx context.Context, app string, entries []store.Audit, change func(auditTail) ([]string, error)) ([]string, error) {
	for try := 1; ; try++ {
		tail, err := s.chain(ctx, app, entries)
		if err != nil {
			return nil, err
		}
		reply, err := change(tail)
		if err != nil || reply[0] != "audit" {
			return reply, err
		}
		if try == maxAuditTries {
			return nil, fmt.Errorf("audit trail of app %q: %w", app, store.ErrConflict)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(rand.N(time.Duration(try) * time.Millisecond)):
		}
	}
}

// chain ties the entries to the end of the trail.
func (s *Store) chain(ctx context.Context, app string, entries []store.Audit) (auditTail, error) {
	if len(entries) == 0 {
		return auditTail{}, nil
	}
	last, err := s.auditHead(ctx, app)
	if err != nil {
		return auditTail{}, err
	}
	return s.chainTo(last, entries)
}

// chainTo ties the entries to that end of the trail.
func (s *Store) chainTo(last string, entries []store.Audit) (auditTail, error) {
	number, hash, err := parseAuditHead(last)
	if err != nil {
		return auditTail{}, err
	}
	tail := auditTail{From: &last}
	for _, a := range entries {
		tied, doc, err := a.Tied(number, hash)
		if err != nil {
			return auditTail{}, err
		}
		number, hash = tied.Number, tied.Hash
		tail.Audits = append(tail.Audits, auditEntry{number, hash + " " + string(doc)})
	}
	tail.To = strconv.FormatInt(number, 10) + " " + hash
	return tail, nil
}

// auditHead is "number hash" of the last entry, "" when there is none.
func (s *Store) auditHead(ctx context.Context, app string) (last string, err error) {
	err = s.call(ctx, "audit", func(ctx context.Context) error {
		var err error
		last, err = s.client.Get(ctx, s.base(app)+"ah").Result()
		return err
	})
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return last, err
}

func parseAuditHead(last string) (number int64, hash string, err error) {
	if last == "" {
		return 0, "", nil
	}
	n, hash, _ := strings.Cut(last, " ")
	if number, err = strconv.ParseInt(n, 10, 64); err != nil {
		return 0, "", fmt.Errorf("audit trail: %w: its end reads %q", store.ErrCorrupt, last)
	}
	return number, hash, nil
}

// readAudits reads the entries with the numbers from..to, either way round. A
// missing one is "".
func (s *Store) readAudits(ctx context.Context, app string, numbers []string) ([]string, error) {
	if len(numbers) == 0 {
		return nil, nil
	}
	out := make([]string, len(numbers))
	err := s.call(ctx, "audit", func(ctx context.Context) error {
		vs, err := s.client.HMGet(ctx, s.base(app)+"au", numbers...).Result()
		for i, v := range vs {
			out[i], _ = v.(string)
		}
		return err
	})
	return out, err
}

// Audits implements store.Store.
func (s *Store) Audits(ctx context.Context, f store.AuditFilter) ([]store.Audit, string, error) {
	if err := s.check(ctx, f.App); err != nil {
		return nil, "", err
	}
	at, _, more, err := store.ParseCursor(f.After)
	if err != nil {
		return nil, "", err
	}
	last, err := s.auditHead(ctx, f.App)
	if err != nil {
		return nil, "", err
	}
	number, _, err := parseAuditHead(last)
	if err != nil {
		return nil, "", err
	}
	if more {
		number = min(number, at-1)
	}
	limit := store.PageSize(f.Limit)
	var out []store.Audit
	for number > 0 {
		var numbers []string
		for ; number > 0 && len(numbers) < scanPage; number-- {
			numbers = append(numbers, strconv.FormatInt(number, 10))
		}
		docs, err := s.readAudits(ctx, f.App, numbers)
		if err != nil {
			return nil, "", err
		}
		for i, doc := range docs {
			hash, b, _ := strings.Cut(doc, " ")
			var a store.Audit
			if err := decode(b, "audit entry "+numbers[i], &a); err != nil {
				return nil, "", err
			}
			if f.Target != "" && a.Target != f.Target || f.Action != "" && a.Action != f.Action {
				continue
			}
			if len(out) == limit {
				return out, store.Cursor(out[limit-1].Number, ""), nil
			}
			a.Hash = hash
			out = append(out, a)
		}
	}
	return out, "", nil
}

// VerifyAudit implements store.Store.
func (s *Store) VerifyAudit(ctx context.Context, app string) (int64, error) {
	if err := s.check(ctx, app); err != nil {
		return 0, err
	}
	last, err := s.auditHead(ctx, app)
	if err != nil {
		return 0, err
	}
	end, endHash, err := parseAuditHead(last)
	if err != nil {
		return 1, nil // the end itself was changed
	}
	chain := store.Chain{App: app}
	for n := int64(1); n <= end; {
		var numbers []string
		for ; n <= end && len(numbers) < scanPage; n++ {
			numbers = append(numbers, strconv.FormatInt(n, 10))
		}
		docs, err := s.readAudits(ctx, app, numbers)
		if err != nil {
			return 0, err
		}
		for _, entry := range docs {
			hash, doc, _ := strings.Cut(entry, " ")
			chain.Next([]byte(doc), hash)
		}
	}
	if bad := chain.Broken(end, endHash); bad != 0 {
		return bad, nil
	}
	return s.beyond(ctx, app, end)
}

// beyond finds entries behind the end of the trail: somebody moved the end back.
func (s *Store) beyond(ctx context.Context, app string, end int64) (int64, error) {
	docs, err := s.readAudits(ctx, app, []string{strconv.FormatInt(end+1, 10)})
	if err != nil || docs[0] == "" {
		return 0, err
	}
	return end + 1, nil
}
