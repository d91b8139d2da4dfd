package redis

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"heed/store"
)

// maxFeedbackBytes bounds one record as JSON: three texts of MaxTextBytes, with
// room for escapes, labels and template answers. Larger ones are ErrTooLarge.
const maxFeedbackBytes = 96 << 10

// AddFeedback implements store.Store. The record is in the local journal before
// it returns. While the server answers, it decides about key and id; while it
// does not (AddFeedback waits Options.Timeout for it, and not at all once it is
// known to be gone), a record whose key this process does not know is
// acknowledged and delivered later. So two processes can acknowledge the same key
// during an outage: with the same digest the first that is delivered stands and
// the other's id leads to it; with another digest both are kept, the second
// without its key's protection.
func (s *Store) AddFeedback(ctx context.Context, f *store.Feedback) (*store.Feedback, bool, error) {
	if err := s.check(ctx, f.App); err != nil {
		return nil, false, err
	}
	it, err := newAddition(f)
	if err != nil {
		return nil, false, err
	}
	first, err := s.admit(it)
	if err != nil {
		return nil, false, err
	}
	if first != nil {
		return s.repeat(ctx, f, first)
	}
	if err := s.keep(ctx, it); err != nil {
		return nil, false, err
	}
	verdict := s.out.await(ctx, it, s.opt.Timeout)
	if ctx.Err() != nil && verdict == nil {
		return nil, false, ctx.Err()
	}
	s.changes.kick()
	stored := *it.f
	switch {
	case verdict == nil:
		s.metrics.journaled.Inc()
		return clone(&stored), true, nil
	case verdict[0] == "reused":
		return nil, false, reused(it.f)
	case verdict[0] == "first":
		old, err := s.FeedbackByID(ctx, f.App, verdict[1])
		return old, false, err
	}
	return clone(&stored), true, nil
}

func reused(f *store.Feedback) error {
	if f.Key != "" {
		return fmt.Errorf("feedback %q: %w", f.Key, store.ErrReused)
	}
	return fmt.Errorf("feedback %q: %w", f.ID, store.ErrReused)
}

// newAddition makes the journal's item; it shares nothing with f.
func newAddition(f *store.Feedback) (*item, error) {
	own := *f
	own.ID = cmp.Or(own.ID, store.NewID())
	if own.Time.IsZero() {
		own.Time = time.Now()
	}
	own.Time = kept(own.Time)
	own.Retracted, own.SupersededBy, own.Link = time.Time{}, "", nil
	for name, text := range map[string]string{"comment": f.Comment, "applies_when": f.When, "correction": f.Correction} {
		if len(text) > store.MaxTextBytes {
			return nil, fmt.Errorf("feedback %s has %d bytes, at most %d: %w", name, len(text), store.MaxTextBytes, store.ErrTooLarge)
		}
	}
	doc, err := json.Marshal(&own)
	if err != nil {
		return nil, fmt.Errorf("feedback: %w", err)
	}
	if len(doc) > maxFeedbackBytes {
		return nil, fmt.Errorf("feedback has %d bytes as JSON, at most %d: %w", len(doc), maxFeedbackBytes, store.ErrTooLarge)
	}
	stored := new(store.Feedback)
	if err := json.Unmarshal(doc, stored); err != nil {
		return nil, err
	}
	return newItem(line{Token: store.NewID(), App: own.App, Feedback: doc}, stored)
}

func clone(f *store.Feedback) *store.Feedback {
	c := *f
	c.Labels = slices.Clone(f.Labels)
	if f.Rating != nil {
		r := *f.Rating
		c.Rating = &r
	}
	if f.Answers != nil {
		c.Answers = make(map[string]json.RawMessage, len(f.Answers))
		for k, v := range f.Answers {
			c.Answers[k] = slices.Clone(v)
		}
	}
	return &c
}

// admit reserves the item's id and key among the undelivered ones. It returns the
// item that has the key already.
func (s *Store) admit(it *item) (first *item, err error) {
	o := s.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if it.f.Key != "" {
		if old := o.byKey[[2]string{it.line.App, it.f.Key}]; old != nil {
			if old.f.Digest == it.f.Digest {
				return old, nil
			}
			return nil, reused(it.f)
		}
	}
	if o.byID[[2]string{it.line.App, it.f.ID}] != nil {
		return nil, fmt.Errorf("feedback %q: %w", it.f.ID, store.ErrReused)
	}
	if o.bytes+int64(len(it.rec)) > s.opt.JournalBytes {
		return nil, fmt.Errorf("feedback: %w: the journal holds %d bytes that redis did not take yet", store.ErrFull, o.bytes)
	}
	o.reserve(it)
	return nil, nil
}

// keep puts the item on disk and queues it. When ctx ends first both happen all
// the same, or neither.
func (s *Store) keep(ctx context.Context, it *item) error {
	settle := func(err error) {
		s.out.mu.Lock()
		defer s.out.mu.Unlock()
		if it.syncErr = err; err != nil {
			s.out.drop(it)
		} else {
			s.out.queue(it)
		}
		close(it.synced)
	}
	if err := s.journal.add(ctx, it.rec, settle); err != nil {
		settle(err)
		return err
	}
	select {
	case <-it.synced:
		return it.syncErr
	case <-ctx.Done():
		return ctx.Err()
	}
}

// repeat answers the same key again while the first record is undelivered.
func (s *Store) repeat(ctx context.Context, f *store.Feedback, first *item) (*store.Feedback, bool, error) {
	select {
	case <-first.synced:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	if err := first.syncErr; errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return s.AddFeedback(ctx, f) // the first caller left before it was taken: now this one is the first
	} else if err != nil {
		return nil, false, err
	}
	verdict := s.out.await(ctx, first, s.opt.Timeout)
	switch {
	case ctx.Err() != nil:
		return nil, false, ctx.Err()
	case verdict != nil && verdict[0] == "reused":
		return nil, false, reused(first.f)
	case verdict != nil && verdict[0] == "first":
		old, err := s.FeedbackByID(ctx, first.line.App, verdict[1])
		return old, false, err
	}
	return clone(first.f), false, nil
}

// Retract implements store.Store. Feedback that is undelivered is retracted
// through the journal, after it; any other needs the server.
func (s *Store) Retract(ctx context.Context, app, id string) error {
	if err := s.check(ctx, app); err != nil {
		return err
	}
	s.out.mu.Lock()
	waiting := s.out.byID[[2]string{app, id}]
	s.out.mu.Unlock()
	if waiting != nil {
		it, err := newItem(line{Token: store.NewID(), App: app, Retract: id}, nil)
		if err != nil {
			return err
		}
		s.out.mu.Lock()
		s.out.reserve(it)
		s.out.mu.Unlock()
		if err := s.keep(ctx, it); err != nil {
			return err
		}
		s.out.await(ctx, it, s.opt.Timeout)
		return ctx.Err()
	}
	reply, err := s.run(ctx, "retract", retractScript, app, struct {
		arguments
		ID string `json:"id"`
	}{s.arguments(app), id})
	if err != nil {
		return err
	}
	if reply[0] == "none" {
		return fmt.Errorf("feedback %q: %w", id, store.ErrNotFound)
	}
	s.changes.kick()
	return nil
}

// feedbackState is what the scripts keep beside a record.
type feedbackState struct {
	Number     int64  `json:"n"`
	Retracted  int64  `json:"ret"`
	Superseded string `json:"sup"`
	Exchange   string `json:"ex"`
}

// decodeFeedback puts a record together.
func decodeFeedback(id, doc, state, link string) (*store.Feedback, error) {
	f := new(store.Feedback)
	var st feedbackState
	err := json.Unmarshal([]byte(doc), f)
	if err == nil {
		err = json.Unmarshal([]byte(state), &st)
	}
	if err == nil && link != "" {
		f.Link = new(store.Link)
		err = json.Unmarshal([]byte(link), f.Link)
	}
	if err != nil || f.ID != id {
		return nil, fmt.Errorf("feedback %s: %w: %v", id, store.ErrCorrupt, err)
	}
	f.SupersededBy = st.Superseded
	if st.Retracted != 0 {
		f.Retracted = time.UnixMilli(st.Retracted).UTC()
	}
	return f, nil
}

// FeedbackByID implements store.Store. Undelivered feedback of this process is
// found too.
func (s *Store) FeedbackByID(ctx context.Context, app, id string) (*store.Feedback, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, err
	}
	s.out.mu.Lock()
	it := s.out.byID[[2]string{app, id}]
	s.out.mu.Unlock()
	fs, err := s.feedbackByIDs(ctx, app, []string{id})
	if err == nil && len(fs) == 0 {
		var first string
		err = s.call(ctx, "feedback", func(ctx context.Context) error {
			var err error
			first, err = s.client.HGet(ctx, s.base(app)+"fa", id).Result()
			return err
		})
		if err == nil {
			fs, err = s.feedbackByIDs(ctx, app, []string{first})
		}
		if errors.Is(err, redis.Nil) {
			err = nil
		}
	}
	switch {
	case len(fs) > 0 && err == nil:
		return fs[0], nil
	case it != nil:
		return clone(it.f), nil
	case err != nil:
		return nil, err
	}
	return nil, fmt.Errorf("feedback %q: %w", id, store.ErrNotFound)
}

// feedbackByIDs reads the records that are there, in the order of ids.
func (s *Store) feedbackByIDs(ctx context.Context, app string, ids []string) ([]*store.Feedback, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var parts [3][]any
	err := s.call(ctx, "feedback", func(ctx context.Context) error {
		var cmds [3]*redis.SliceCmd
		_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, k := range []string{"f", "fm", "fl"} {
				cmds[i] = p.HMGet(ctx, s.base(app)+k, ids...)
			}
			return nil
		})
		for i := range cmds {
			parts[i] = cmds[i].Val()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []*store.Feedback
	for i, id := range ids {
		doc, ok := parts[0][i].(string)
		if !ok {
			continue
		}
		state, _ := parts[1][i].(string)
		link, _ := parts[2][i].(string)
		f, err := decodeFeedback(id, doc, state, link)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// scanPage is how many records a list reads at a time.
const scanPage = 200

// Feedback implements store.Store. It walks the records of the exchange, session
// or user that the filter names, else all of the app, newest first: a search by
// words alone reads until its page is full.
func (s *Store) Feedback(ctx context.Context, f store.FeedbackFilter) ([]*store.Feedback, string, error) {
	if err := s.check(ctx, f.App); err != nil {
		return nil, "", err
	}
	at, id, more, err := parseCursor(f.After)
	if err != nil {
		return nil, "", err
	}
	words := words(f.Text)
	if strings.TrimSpace(f.Text) != "" && len(words) == 0 {
		return nil, "", nil
	}
	limit := page(f.Limit)
	var out []*store.Feedback
	w := walk{key: s.base(f.App) + feedbackIndex(f), at: at, id: id, more: more}
	for {
		ids, err := s.walkBack(ctx, &w, scanPage)
		if err != nil {
			return nil, "", err
		}
		fs, err := s.feedbackByIDs(ctx, f.App, ids)
		if err != nil {
			return nil, "", err
		}
		for _, r := range fs {
			if !matchesFeedback(r, &f, words) {
				continue
			}
			if len(out) == limit {
				last := out[limit-1]
				return out, cursor(last.Time.UnixMilli(), last.ID), nil
			}
			out = append(out, r)
		}
		if w.ended || !f.Since.IsZero() && w.at < f.Since.UnixMilli() {
			return out, "", nil
		}
	}
}

// feedbackIndex is the smallest sorted set that holds all that the filter selects.
func feedbackIndex(f store.FeedbackFilter) string {
	switch {
	case f.Exchange != "":
		return "fi:x:" + f.Exchange
	case f.Session != "":
		return "fi:s:" + f.Session
	case f.User != "":
		return "fi:u:" + f.User
	}
	return "ft"
}

func matchesFeedback(r *store.Feedback, f *store.FeedbackFilter, want []string) bool {
	switch {
	case f.Session != "" && r.Session != f.Session:
	case f.User != "" && r.User != f.User:
	case !f.Since.IsZero() && r.Time.UnixMilli() < f.Since.UnixMilli():
	case f.Bad && !r.Bad():
	case len(want) > 0 && !hasWords(want, wordSet(r.Comment, r.When, r.Correction)):
	default:
		return true
	}
	return false
}

// walk is a way through a sorted set from its end: by score, then member.
type walk struct {
	key   string
	at    int64 // where it stands: everything below (at, id) is still to come
	id    string
	more  bool // at and id are set
	ended bool
}

// walkBack returns up to n members and moves on.
func (s *Store) walkBack(ctx context.Context, w *walk, n int) ([]string, error) {
	var zs []redis.Z
	err := s.call(ctx, "list", func(ctx context.Context) error {
		var err error
		from := "+inf"
		if w.more {
			from = strconv.FormatInt(w.at, 10)
		}
		// Members of the score at which the walk stands may have been seen; how many
		// is known only when they are read, so read on until enough is new.
		zs = nil
		for skip := 0; len(zs) < n; {
			part, e := s.client.ZRevRangeByScoreWithScores(ctx, w.key, &redis.ZRangeBy{Min: "-inf", Max: from, Offset: int64(skip), Count: int64(n)}).Result()
			if err = e; err != nil {
				return err
			}
			skip += len(part)
			for _, z := range part {
				if w.more && int64(z.Score) == w.at && z.Member.(string) >= w.id {
					continue
				}
				zs = append(zs, z)
			}
			if len(part) < n {
				w.ended = true
				break
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, n)
	for _, z := range zs {
		if len(ids) == n {
			w.ended = false
			break
		}
		ids = append(ids, z.Member.(string))
		w.at, w.id, w.more = int64(z.Score), z.Member.(string), true
	}
	return ids, nil
}

// Ratings implements store.Store.
func (s *Store) Ratings(ctx context.Context, app string) ([]store.TargetRating, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, err
	}
	var sums map[string]string
	err := s.call(ctx, "ratings", func(ctx context.Context) error {
		var err error
		sums, err = s.client.HGetAll(ctx, s.base(app)+"rt").Result()
		return err
	})
	if err != nil {
		return nil, err
	}
	by := map[[4]string]*store.TargetRating{}
	for field, n := range sums {
		var key []any
		if err := json.Unmarshal([]byte(field), &key); err != nil || len(key) != 5 {
			return nil, fmt.Errorf("ratings: %w: field %q", store.ErrCorrupt, field)
		}
		var k [4]string
		for i := range k {
			k[i], _ = key[i].(string)
		}
		r := by[k]
		if r == nil {
			r = &store.TargetRating{Alias: k[0], Step: k[1], Upstream: k[2], Model: k[3]}
			by[k] = r
		}
		if good, _ := key[4].(bool); good {
			r.Good = int(number(n))
		} else {
			r.Bad = int(number(n))
		}
	}
	var out []store.TargetRating
	for _, r := range by {
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b store.TargetRating) int {
		return cmp.Or(cmp.Compare(a.Alias, b.Alias), cmp.Compare(a.Step, b.Step), cmp.Compare(a.Upstream, b.Upstream), cmp.Compare(a.Model, b.Model))
	})
	return out, nil
}
