package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"heed/store"
)

// feedbackState is what the scripts keep beside a record.
type feedbackState struct {
	Number     int64  `json:"n"`
	Retracted  int64  `json:"ret"`
	Superseded string `json:"sup"`
	Exchange   string `json:"ex"`
	Tries      int    `json:"tries"`
	Aside      bool   `json:"aside"`
	Note       string `json:"note"`
	Given      bool   `json:"given"` // as pending.lua says
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
	f.SupersededBy, f.Tries, f.Given = st.Superseded, st.Tries, st.Given
	if st.Aside {
		f.Aside = st.Note
	}
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
	at, id, more, err := store.ParseCursor(f.After)
	if err != nil {
		return nil, "", err
	}
	words := words(f.Text)
	if strings.TrimSpace(f.Text) != "" && len(words) == 0 {
		return nil, "", nil
	}
	limit := store.PageSize(f.Limit)
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
				return out, store.Cursor(last.Time.UnixMilli(), last.ID), nil
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
	case f.Aside:
		return "fz"
	}
	return "ft"
}

func matchesFeedback(r *store.Feedback, f *store.FeedbackFilter, want []string) bool {
	switch {
	case f.Session != "" && r.Session != f.Session:
	case f.User != "" && r.User != f.User:
	case !f.Since.IsZero() && r.Time.UnixMilli() < f.Since.UnixMilli():
	case f.Bad && !r.Bad():
	case f.Aside && r.Aside == "":
	case len(want) > 0 && !hasWords(want, wordSet(r.Comment, r.When, r.Correction)):
	default:
		return true
	}
	return false
}
