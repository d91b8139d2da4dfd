// Package learner turns what people say into proposals: it links feedback to the
// exchange that was judged, asks what would have prevented the complaint
// ([Diagnose]), makes a rule of the person's own words ([Distill]), merges it with
// what is known ([Same], [MergeInto]), checks it for safety and conflict, measures
// what it would touch, and writes a proposal. What no rule can mend becomes a
// finding; ratings that differ by target become a routing proposal.
//
// Start with [New] and [Learner.Run]. The learner works on the store alone, so it
// runs in the gateway's process or in its own, and several may share one store. It
// never puts anything in force by itself unless the app's policy says so.
//
// The parts that decide are pure functions; this file and handle.go do the I/O.
package learner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"heed/rules"
	"heed/store"
)

// Options are what a Learner needs; zero fields take the defaults.
type Options struct {
	Store        store.Store
	Log          *slog.Logger
	Registerer   prometheus.Registerer      // nil: metrics are not exported
	Worker       string                     // name, which no other learner of the store has; default a fresh id
	Apps         func(app string) AppPolicy // nil: DefaultPolicy for every app
	RefreshEvery time.Duration              // how often the effects of rules are looked at; default 30s
	Poll         time.Duration              // longest wait for a change; default 1s
	Now          func() time.Time           // default time.Now
	Model        *Model                     // nil: no model is asked
}

// AppPolicy is what an app's configuration says about learning.
type AppPolicy struct {
	Approval   string           // manual ("" too) or auto
	Holdout    float64          // of new rules, [0, 0.5]
	Domains    []string         // the app's own, which rules may name
	Quorum     int              // distinct known people behind an auto-approved rule; 0 is 3; 1 lets unknown ones do
	MaxTouch   float64          // share of traffic that an auto-approved rule may touch; 0 is 0.2
	Ramp       float64          // first share of an auto-approved rule, (0, 1]; 0 is 0.1
	MinRatings int              // ratings of each target before its routing is proposed; 0 is 20
	Models     map[string]Alias // by model alias; routing of others is off
}

// Alias is what the configuration says about a model alias.
type Alias struct {
	Routing string        // off ("" too), propose or auto
	Targets []rules.Share // allowed targets with their start shares
}

// DefaultPolicy is manual approval with a holdout of 10 %.
func DefaultPolicy() AppPolicy { return AppPolicy{Approval: "manual", Holdout: 0.10} }

// Limits of the learner's work.
const (
	batchRecords = 64               // pending records taken at once
	maxRetries   = 1000             // records that were put off whose time is remembered
	maxTries     = 5                // of one record that fail or end the process, before it is put aside
	maxCommits   = 5                // of one record, when others change the same proposals
	recordTime   = 30 * time.Second // for one record
	tendEvery    = 5 * time.Second  // how often apps are looked at without a change
	linkPatience = 15 * time.Minute // how long feedback waits for its exchange's row
	longestRetry = time.Minute      // between two looks for the row
	firstRetry   = 150 * time.Millisecond
)

// Learner is the learner of one store. Make it with New and Run it once.
type Learner struct {
	opt     Options
	effects *store.Effects
	metrics *metrics
	begun   map[string]int       // tries before this one, by id, of records that were begun and neither handled nor put off since
	retries map[string]time.Time // when records that were put off are due again, by feedback id; at most maxRetries
	apps    map[string]*appState // that it leads, as Run's goroutine knows
	leases  leases
	silence silence        // of the store
	side    sync.WaitGroup // background refreshes and questions to the model
	consult consult
}

// New returns a learner that is ready to Run. It fails without a store, or when
// its metrics are registered already.
func New(opt Options) (*Learner, error) {
	if opt.Store == nil {
		return nil, errors.New("learner without a store")
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.Worker == "" {
		opt.Worker = store.NewID()
	}
	if opt.Apps == nil {
		opt.Apps = func(string) AppPolicy { return DefaultPolicy() }
	}
	if opt.RefreshEvery <= 0 {
		opt.RefreshEvery = 30 * time.Second
	}
	if opt.Poll <= 0 {
		opt.Poll = time.Second
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	m, err := newMetrics(opt.Registerer)
	if err != nil {
		return nil, err
	}
	return &Learner{opt: opt, effects: store.NewEffects(opt.Store), metrics: m, begun: map[string]int{}, retries: map[string]time.Time{}, apps: map[string]*appState{},
		leases:  leases{asked: map[string]time.Time{}, held: map[string]store.Lease{}},
		consult: newConsult()}, nil
}

// now is the clock in UTC to the millisecond, as the store keeps it.
func (l *Learner) now() time.Time { return l.opt.Now().UTC().Truncate(time.Millisecond) }

// policy is the app's policy with its defaults.
func (l *Learner) policy(app string) AppPolicy {
	p := l.opt.Apps(app)
	if p.Quorum <= 0 {
		p.Quorum = 3
	}
	if p.MaxTouch <= 0 {
		p.MaxTouch = 0.2
	}
	if p.Ramp <= 0 || p.Ramp > 1 {
		p.Ramp = 0.1
	}
	if p.MinRatings <= 0 {
		p.MinRatings = minRatings
	}
	p.Holdout = min(max(p.Holdout, 0), 0.5)
	return p
}

// Run learns until ctx ends; then it finishes what it began and returns nil. It
// looks at the store after every change and at least every Poll, so it sees
// feedback within a second. A store that fails is tried again; nothing is lost,
// because feedback stays pending until it was handled.
//
// Of several learners on one store one at a time leads an app: it alone learns from
// the app's feedback and looks after its proposals and rules (store.Lease). A
// learner leads whatever apps nobody else does.
func (l *Learner) Run(ctx context.Context) error {
	l.move()
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	renewed := make(chan struct{})
	go func() { // ends with stop
		defer close(renewed)
		l.renew(renewing)
	}()
	defer func() {
		l.side.Wait() // questions to the model end with ctx, refreshes within fitTime
		if err := l.takeIn(ctx); err != nil {
			l.opt.Log.Error("learner: drafts are lost", "error", err)
		}
		stop()
		<-renewed
		l.yield(ctx)
	}()
	var seen uint64
	var tended time.Time
	changed := true
	for ctx.Err() == nil {
		l.move()
		if err := l.work(ctx); err != nil && ctx.Err() == nil {
			l.silent(ctx, err)
			continue
		}
		if changed || l.busy() || due(tended, l.now(), tendEvery) {
			l.tend(ctx)
			tended = l.now()
		}
		l.metrics.settling.Set(float64(l.settling()))
		wait, cancel := context.WithTimeout(ctx, l.patience())
		n, err := l.opt.Store.Wait(wait, seen)
		cancel()
		changed = err == nil
		switch {
		case err == nil:
			seen = n
			l.answered()
		case errors.Is(err, store.ErrClosed):
			return fmt.Errorf("wait for changes: %w", err)
		case errors.Is(err, context.DeadlineExceeded):
			l.answered()
		case ctx.Err() == nil:
			l.silent(ctx, fmt.Errorf("wait for changes: %w", err))
		}
	}
	return nil
}

// silent deals with a store that does not answer.
func (l *Learner) silent(ctx context.Context, err error) {
	l.metrics.errors.Inc()
	if l.silence.failed(time.Now()) {
		l.opt.Log.Error("learner: store does not answer, will try again", "error", err)
	}
	sleep(ctx, l.opt.Poll)
}

// answered notes that it does, and says so after an outage.
func (l *Learner) answered() {
	if lasted, over := l.silence.answered(time.Now()); over {
		l.opt.Log.Info("learner: store answers again", "after", lasted)
	}
}

// busy says whether something that runs aside is to be taken in when it ends.
func (l *Learner) busy() bool {
	for _, a := range l.apps {
		if a.busy || a.watching {
			return true
		}
	}
	return l.consult.busy
}

// settling counts the apps in which something was learned or decided that their
// word statistics do not hold yet; they follow within seconds.
func (l *Learner) settling() int {
	n := 0
	for _, a := range l.apps {
		if a.busy || a.dirty || a.stale {
			n++
		}
	}
	return n
}

// patience is how long to wait for a change: until a record that was put off is
// due again, at most Poll.
func (l *Learner) patience() time.Duration {
	wait, now := l.opt.Poll, l.now()
	for _, at := range l.retries {
		wait = min(wait, max(at.Sub(now), 0)+5*time.Millisecond)
	}
	return wait
}

// putOff remembers when records are due again. One that finds no room is looked
// at after Poll.
func (l *Learner) putOff(handled []store.Handled) {
	for _, h := range handled {
		delete(l.retries, h.Feedback)
		if !h.RetryAt.IsZero() && len(l.retries) < maxRetries {
			l.retries[h.Feedback] = h.RetryAt
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
