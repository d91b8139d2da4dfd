package redis

import (
	"context"
	_ "embed" // the scripts
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed scripts/add.lua
	addLua string
	//go:embed scripts/retract.lua
	retractLua string

	addScript     = script(addLua)
	retractScript = script(retractLua)
)

// Delivery: items of one round trip, and how long it pauses after a failure.
const (
	deliverBatch = 128
	minPause     = 50 * time.Millisecond
	maxPause     = time.Second
)

// deliver brings what the outbox holds to the server until ctx ends.
func (s *Store) deliver(ctx context.Context) {
	pause := minPause
	for {
		ok := s.deliverBatch(ctx)
		wait := time.Hour
		if ok {
			pause = minPause
			if _, n := s.out.oldest(); n > 0 {
				continue
			}
		} else {
			wait, pause = pause, min(2*pause, maxPause)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-s.out.wake:
			if !ok { // new items do not shorten the pause
				select {
				case <-ctx.Done():
				case <-timer.C:
				}
			}
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// addition is what the script is told of a feedback record.
type addition struct {
	arguments
	ID      string   `json:"id"`
	Tok     string   `json:"tok"`
	Key     string   `json:"key,omitempty"`
	Digest  string   `json:"digest,omitempty"`
	At      int64    `json:"at"`
	Ex      string   `json:"ex,omitempty"`
	User    string   `json:"user,omitempty"`
	Source  string   `json:"src"`
	Session string   `json:"session,omitempty"`
	Rating  *float64 `json:"rating,omitempty"`
	Acked   bool     `json:"acked,omitempty"`
	Erased  uint64   `json:"er,omitempty"` // erasures that were known when it was said
	Skew    int64    `json:"skew"`
}

// deliverBatch sends the oldest items in one round trip and settles them. It
// returns false when the server did not take them all.
func (s *Store) deliverBatch(ctx context.Context) bool {
	s.out.mu.Lock()
	batch := append([]*item(nil), s.out.order[:min(len(s.out.order), deliverBatch)]...)
	asAcked := make([]bool, len(batch))
	for i, it := range batch {
		asAcked[i] = it.acked
	}
	s.out.mu.Unlock()
	if len(batch) == 0 {
		return true
	}
	verdicts := make([][]string, len(batch))
	err := s.call(ctx, "deliver", func(ctx context.Context) error { return s.send(ctx, batch, asAcked, verdicts) })
	through := s.out.settle(batch, verdicts, asAcked)
	for i, it := range batch {
		if v := verdicts[i]; v != nil && asAcked[i] && v[0] == "reused" {
			s.opt.Log.Error("feedback not delivered: its id is another record's on the server", "app", it.line.App, "feedback", it.f.ID)
		}
	}
	erased := false
	for _, it := range through {
		if it.verdict[0] == "erased" {
			erased = true
			continue
		}
		if it.acked || it.verdict[0] == "new" {
			continue
		}
		if rec, err := json.Marshal(line{Token: it.line.Token, Refused: true}); err == nil {
			s.journal.note(rec)
		}
	}
	if erased {
		s.journal.purge()
	}
	if err != nil {
		s.out.failed()
		return false
	}
	return true
}

// send runs the items' scripts in one pipeline. It fills in a verdict for each
// that the server took and returns the first error.
func (s *Store) send(ctx context.Context, batch []*item, asAcked []bool, verdicts [][]string) error {
	for _, it := range batch {
		if err := s.listApp(ctx, it.line.App); err != nil {
			return err
		}
	}
	cmds := make([]*redis.Cmd, len(batch))
	bodies := make([][]any, len(batch))
	for i, it := range batch {
		var err error
		if bodies[i], err = s.scriptArgs(it, asAcked[i]); err != nil {
			return err
		}
	}
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, it := range batch {
			cmds[i] = it.script().EvalSha(ctx, p, []string{s.base(it.line.App)}, bodies[i]...)
		}
		return nil
	})
	for i, it := range batch {
		cmd := cmds[i]
		if e := cmd.Err(); e != nil && strings.HasPrefix(e.Error(), "NOSCRIPT") {
			cmd = it.script().Eval(ctx, s.client, []string{s.base(it.line.App)}, bodies[i]...)
			if err == nil || strings.HasPrefix(err.Error(), "NOSCRIPT") {
				err = cmd.Err()
			}
		}
		v, e := cmd.StringSlice()
		if e != nil {
			if err == nil {
				err = e
			}
			continue
		}
		verdicts[i] = v
	}
	return err
}

func (it *item) script() *redis.Script {
	if it.f == nil {
		return retractScript
	}
	return addScript
}

func (s *Store) scriptArgs(it *item, acked bool) ([]any, error) {
	args := arguments{App: it.line.App, Channel: s.channel()}
	if it.f == nil {
		b, err := json.Marshal(struct {
			arguments
			ID string `json:"id"`
		}{args, it.line.Retract})
		return []any{b}, err
	}
	f := it.f
	b, err := json.Marshal(addition{
		arguments: args, ID: f.ID, Tok: it.line.Token, Key: f.Key, Digest: f.Digest, At: f.Time.UnixMilli(), Ex: f.ExchangeID, User: f.User,
		Source: f.Source, Session: f.Session, Rating: f.Rating, Acked: acked,
		Erased: it.line.Erased, Skew: eraseSkew.Milliseconds(),
	})
	if err != nil {
		return nil, fmt.Errorf("deliver feedback %q: %w", f.ID, err)
	}
	return []any{b, []byte(it.line.Feedback)}, nil
}
