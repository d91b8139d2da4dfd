package redis

import (
	"context"
	"crypto/sha1" // #nosec G505 -- to compare contents with what a script sees, not for secrecy
	_ "embed"     // the scripts
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"heed/store"
)

var (
	//go:embed scripts/erased.lua
	erasedLua string
	//go:embed scripts/unsay.lua
	unsayLua string
	//go:embed scripts/rechunk.lua
	rechunkLua string

	erasedScript  = script(erasedLua)
	unsayScript   = script(unsayLua)
	rechunkScript = script(rechunkLua)
)

var _ store.Eraser = (*Store)(nil)

// errMoved is the error when others kept changing what was to be erased.
var errMoved = fmt.Errorf("others kept changing it: %w", store.ErrConflict)

// maxEraseTries bounds how often a chunk or record is read again because somebody
// changed it meanwhile.
const maxEraseTries = 20

// eraseBatch is how many records one script deletes or blanks.
const eraseBatch = 100

// Traces implements store.Eraser. What another process has not delivered yet is
// not among them; it is refused when it comes.
func (s *Store) Traces(ctx context.Context, app, user string) (store.Erased, error) {
	e, _, err := s.find(ctx, app, user)
	if err != nil {
		return store.Erased{}, err
	}
	own, err := s.said(ctx, app, user)
	if err != nil {
		return store.Erased{}, err
	}
	others, err := s.saidOf(ctx, app, e)
	if err != nil {
		return store.Erased{}, err
	}
	for _, f := range own {
		e.Own(f)
	}
	for _, f := range others {
		e.Touched = append(e.Touched, f.ID)
	}
	return e.Erased, nil
}

// EraseUser implements store.Eraser. Deleted bytes are overwritten in files of
// Heed's; the server's own files lose them when it rewrites its append-only file,
// or saves its snapshot, the next time. Other processes follow within Options.Poll,
// or when they are started again; what they send meanwhile from before is refused.
func (s *Store) EraseUser(ctx context.Context, app, user string, again []string) (store.Erased, error) {
	if err := s.check(ctx, app); err != nil {
		return store.Erased{}, err
	}
	if user == "" {
		return store.Erased{}, fmt.Errorf("erase user of app %q: the user's hash is empty", app)
	}
	at, err := s.noteErased(ctx, app, user, nil) // from now on nothing new comes in
	if err != nil {
		return store.Erased{}, err
	}
	e, chunks, err := s.find(ctx, app, user)
	if err != nil {
		return store.Erased{}, err
	}
	e.Again = slices.Clone(again)
	// The log last: while it is there, a second call after an error finds the
	// exchanges again and blanks what quotes them.
	if err := s.eraseSaid(ctx, app, e); err != nil {
		return e.Erased, err
	}
	for _, sid := range chunks {
		if err := s.rechunk(ctx, app, sid, user); err != nil {
			return e.Erased, fmt.Errorf("erase from the log: %w", err)
		}
	}
	if err := s.unlead(ctx, app); err != nil {
		return e.Erased, err
	}
	// Once more, for what was learned while the log still had it.
	if e.Lost, err = s.lostSamples(ctx, app); err != nil {
		return e.Erased, err
	}
	if err := s.eraseSaid(ctx, app, e); err != nil {
		return e.Erased, err
	}
	if _, err := s.noteErased(ctx, app, user, &at); err != nil {
		return e.Erased, err
	}
	s.changes.kick()
	if s.indexer != nil {
		if err := s.indexer.eraseNow(ctx, app); err != nil {
			return e.Erased, fmt.Errorf("erase from the index: %w", err)
		}
	}
	return e.Erased, s.followErased(ctx, app)
}

// noteErased tells every process that the person is being erased or, with begun,
// that nothing is left on the server, and returns when it began.
func (s *Store) noteErased(ctx context.Context, app, user string, begun *int64) (at int64, err error) {
	reply, err := s.run(ctx, "erase", erasedScript, app, struct {
		arguments
		User string `json:"user"`
		At   *int64 `json:"at,omitempty"`
	}{s.arguments(app), user, begun})
	if err != nil {
		return 0, err
	}
	if at, err = strconv.ParseInt(reply[1], 10, 64); err != nil {
		return 0, fmt.Errorf("erase: redis gave the time %q", reply[1])
	}
	return at, s.learnErased(ctx, app)
}

// find finds the user's exchanges, in the index and in the stream, and the chunks
// of the stream that they are in.
func (s *Store) find(ctx context.Context, app, user string) (*store.Erasure, []string, error) {
	if err := s.check(ctx, app); err != nil {
		return nil, nil, err
	}
	if user == "" {
		return nil, nil, fmt.Errorf("erase user of app %q: the user's hash is empty", app)
	}
	e := &store.Erasure{User: user, Gone: map[string]bool{}}
	if s.indexer != nil {
		ids, err := s.indexed(ctx, app, user)
		if err != nil {
			return nil, nil, err
		}
		for _, id := range ids {
			e.Gone[id] = true
		}
	}
	var chunks []string
	for sid := "0-0"; ; {
		cs, err := s.readStream(ctx, app, sid, indexBatch)
		if err != nil {
			return nil, nil, err
		}
		if len(cs) == 0 {
			e.Exchanges = len(e.Gone)
			return e, chunks, nil
		}
		for _, c := range cs {
			sid = c.sid
			xs, err := s.unpack(c.data)
			if err != nil {
				return nil, nil, fmt.Errorf("chunk %s: %w", c.sid, err)
			}
			found := false
			for _, x := range xs {
				if x.Facts.User == user {
					found, e.Gone[x.ID] = true, true
				}
			}
			if found {
				chunks = append(chunks, c.sid)
			}
		}
	}
}

// indexed lists the user's exchanges in the index.
func (s *Store) indexed(ctx context.Context, app, user string) (ids []string, err error) {
	for after := ""; ; {
		xs, next, err := s.opt.Index.Exchanges(ctx, store.ExchangeFilter{App: app, User: user, Limit: store.MaxPage, After: after})
		if err != nil {
			return nil, err
		}
		for _, x := range xs {
			ids = append(ids, x.ID)
		}
		if after = next; after == "" {
			return ids, nil
		}
	}
}

// said finds the user's records.
func (s *Store) said(ctx context.Context, app, user string) (own []*store.Feedback, err error) {
	w := walk{key: s.base(app) + "fi:u:" + user}
	for !w.ended {
		ids, err := s.walkBack(ctx, &w, scanPage)
		if err != nil {
			return nil, err
		}
		fs, err := s.feedbackByIDs(ctx, app, ids)
		if err != nil {
			return nil, err
		}
		own = append(own, fs...)
	}
	return own, nil
}

// saidOf finds others' records on the user's exchanges.
func (s *Store) saidOf(ctx context.Context, app string, e *store.Erasure) (others []*store.Feedback, err error) {
	for part := range slices.Chunk(slices.Collect(maps.Keys(e.Gone)), scanPage) {
		ids, err := s.onExchanges(ctx, app, part)
		if err != nil {
			return nil, err
		}
		fs, err := s.feedbackByIDs(ctx, app, ids)
		if err != nil {
			return nil, err
		}
		for _, f := range fs {
			if e.User == "" || f.User != e.User {
				others = append(others, f)
			}
		}
	}
	return others, nil
}

// onExchanges lists the ids of all feedback on the exchanges.
func (s *Store) onExchanges(ctx context.Context, app string, exchanges []string) (ids []string, err error) {
	err = s.call(ctx, "feedback", func(ctx context.Context) error {
		ids = nil
		cmds := make([]*redis.StringSliceCmd, len(exchanges))
		_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, x := range exchanges {
				cmds[i] = p.ZRange(ctx, s.base(app)+"fi:x:"+x, 0, -1)
			}
			return nil
		})
		for _, cmd := range cmds {
			ids = append(ids, cmd.Val()...)
		}
		return err
	})
	return ids, err
}

// unsaying is what the script is told to delete and to blank.
type unsaying struct {
	arguments
	Own     []unsaid  `json:"own,omitempty"`
	Aliases []string  `json:"aliases,omitempty"`
	Blank   []blanked `json:"blank,omitempty"`
	Again   []string  `json:"again,omitempty"`
}

type unsaid struct {
	ID      string `json:"id"`
	Key     string `json:"key,omitempty"`
	Session string `json:"session,omitempty"`
}

type blanked struct {
	ID   string `json:"id"`
	Link string `json:"link"`
}

// eraseSaid cleans what was learned, blanks others' records and, unless the
// erasure is of exchanges only, deletes the user's.
func (s *Store) eraseSaid(ctx context.Context, app string, e *store.Erasure) error {
	var all unsaying
	if e.User != "" {
		own, err := s.said(ctx, app, e.User)
		if err != nil {
			return err
		}
		for _, f := range own {
			e.Own(f)
			all.Own = append(all.Own, unsaid{f.ID, f.Key, f.Session})
		}
	}
	others, err := s.saidOf(ctx, app, e)
	if err != nil {
		return err
	}
	for _, f := range others {
		if !e.Blank(f) {
			continue
		}
		link, err := json.Marshal(f.Link)
		if err != nil {
			return fmt.Errorf("link of feedback %q: %w", f.ID, err)
		}
		all.Blank = append(all.Blank, blanked{f.ID, string(link)})
	}
	if err := s.cleanLearned(ctx, app, e); err != nil {
		return err
	}
	if all.Aliases, err = s.aliases(ctx, app, e.Feedback); err != nil {
		return err
	}
	all.Again = e.Again
	return s.unsay(ctx, app, all)
}

// lostSamples are the exchanges that proposals show and nobody has any more: a
// learner that had read a person's exchanges before they were erased may have shown
// them meanwhile.
func (s *Store) lostSamples(ctx context.Context, app string) (map[string]bool, error) {
	there, lost := map[string]bool{}, map[string]bool{}
	for f := (store.ProposalFilter{App: app, Limit: scanPage}); ; {
		ps, next, err := s.Proposals(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, p := range ps {
			for _, v := range slices.Concat(p.Touch.Inside, p.Touch.Near) {
				if there[v.Exchange] || lost[v.Exchange] {
					continue
				}
				_, err := s.Exchange(ctx, app, v.Exchange)
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					return nil, err
				}
				there[v.Exchange], lost[v.Exchange] = err == nil, err != nil
			}
		}
		if f.After = next; next == "" {
			return lost, nil
		}
	}
}

// unsay runs the script in parts.
func (s *Store) unsay(ctx context.Context, app string, u unsaying) error {
	for len(u.Own)+len(u.Aliases)+len(u.Blank)+len(u.Again) > 0 {
		part := unsaying{arguments: s.arguments(app)}
		part.Own, u.Own = first(u.Own), u.Own[len(first(u.Own)):]
		part.Aliases, u.Aliases = first(u.Aliases), u.Aliases[len(first(u.Aliases)):]
		part.Blank, u.Blank = first(u.Blank), u.Blank[len(first(u.Blank)):]
		part.Again, u.Again = first(u.Again), u.Again[len(first(u.Again)):]
		if _, err := s.run(ctx, "erase", unsayScript, app, part); err != nil {
			return err
		}
	}
	return nil
}

// first is as much of a list as one script takes.
func first[T any](list []T) []T { return list[:min(len(list), eraseBatch)] }

// aliases lists the ids that were acknowledged for repeats of the records.
func (s *Store) aliases(ctx context.Context, app string, ids []string) (out []string, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	err = s.call(ctx, "feedback", func(ctx context.Context) error {
		out = nil
		all, err := s.client.HGetAll(ctx, s.base(app)+"fa").Result()
		for id, to := range all {
			if slices.Contains(ids, to) {
				out = append(out, id)
			}
		}
		return err
	})
	return out, err
}

// cleanLearned takes what is erased out of proposals and findings.
func (s *Store) cleanLearned(ctx context.Context, app string, e *store.Erasure) error {
	for after, more := "", true; more; more = after != "" {
		ps, next, err := s.Proposals(ctx, store.ProposalFilter{App: app, Limit: store.MaxPage, After: after})
		if err != nil {
			return err
		}
		for _, p := range ps {
			err := clean(ctx, p, e.Proposal, s.Proposal, func(p *store.Proposal) error {
				return s.commit(ctx, store.Changes{App: app, Proposals: []*store.Proposal{p}}, e.Again)
			})
			if err != nil {
				return err
			}
		}
		after = next
	}
	for after, more := "", true; more; more = after != "" {
		fs, next, err := s.Findings(ctx, store.FindingFilter{App: app, Limit: store.MaxPage, After: after})
		if err != nil {
			return err
		}
		for _, f := range fs {
			err := clean(ctx, f, e.Finding, s.Finding, func(f *store.Finding) error {
				return s.commit(ctx, store.Changes{App: app, Findings: []*store.Finding{f}}, nil)
			})
			if err != nil {
				return err
			}
		}
		after = next
	}
	return nil
}

// identified is what has an app and an id.
type identified interface {
	*store.Proposal | *store.Finding
}

// clean erases from one proposal or finding, again when somebody changed it.
func clean[T identified](ctx context.Context, v T, erase func(T) bool, read func(context.Context, string, string) (T, error), commit func(T) error) error {
	for range maxEraseTries {
		if !erase(v) {
			return nil
		}
		err := commit(v)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
		var app, id string
		switch v := any(v).(type) {
		case *store.Proposal:
			app, id = v.App, v.ID
		case *store.Finding:
			app, id = v.App, v.ID
		}
		if v, err = read(ctx, app, id); err != nil {
			return err
		}
	}
	return errMoved
}

// rechunk takes the user's exchanges out of a chunk.
func (s *Store) rechunk(ctx context.Context, app, sid, user string) error {
	type gone struct {
		ID       string `json:"id"`
		Response string `json:"r,omitempty"`
	}
	for range maxEraseTries {
		datas, err := s.chunks(ctx, app, []string{sid})
		if err != nil || datas[0] == "" { // it was trimmed
			return err
		}
		xs, err := s.unpack(datas[0])
		if err != nil {
			return err
		}
		was := sha1.Sum([]byte(datas[0])) // #nosec G401
		args := struct {
			SID  string   `json:"sid"`
			Was  string   `json:"was"`
			Keep []string `json:"keep,omitempty"`
			Gone []gone   `json:"gone"`
		}{SID: sid, Was: hex.EncodeToString(was[:])}
		var slots []slot
		for _, x := range xs {
			if x.Facts.User == user {
				args.Gone = append(args.Gone, gone{x.ID, x.ResponseID})
				continue
			}
			sl, err := newSlot(x)
			if err != nil {
				return err
			}
			slots, args.Keep = append(slots, sl), append(args.Keep, x.ID)
		}
		if len(args.Gone) == 0 {
			return nil
		}
		reply, err := s.run(ctx, "erase", rechunkScript, app, args, s.pack(slots))
		if err != nil || reply[0] != "moved" {
			return err
		}
	}
	return errMoved
}
