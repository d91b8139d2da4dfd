package redis

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"heed/rules"
	"heed/store"
)

// keptCopies is how many sets, and how many blobs, of an app stay on disk: the
// one in force and the last ones before it.
const keptCopies = 8

// copies are local files of what is in force, so that it survives an outage of
// the server and a restart during it: a folder per app with head.json, SET.set
// and BLOB.blob. Files are replaced as a whole and checked against their hash
// when read, so a damaged one counts as missing. A head is written only when its
// set and word statistics are there.
type copies struct {
	dir string

	mu    sync.Mutex
	apps  map[string]*appCopies
	stale error // last file that could not be written
}

type appCopies struct {
	written rules.Head        // what head.json has
	newest  rules.Head        // what the server has
	stats   map[string]string // set to the blob that it names, of sets that are on disk
	gone    bool              // the server has no head, and that was said
}

func openCopies(dir string) (*copies, error) {
	return &copies{dir: dir, apps: map[string]*appCopies{}}, os.MkdirAll(dir, 0o700)
}

// folder escapes the app's name, so that no name leads elsewhere.
func (c *copies) folder(app string) string {
	return filepath.Join(c.dir, "app-"+strings.ReplaceAll(url.QueryEscape(app), ".", "%2E"))
}

// app returns what is known of the app, read from its folder the first time. The
// caller holds mu.
func (c *copies) app(app string) *appCopies {
	if a := c.apps[app]; a != nil {
		return a
	}
	a := &appCopies{stats: map[string]string{}}
	c.apps[app] = a
	if b, err := os.ReadFile(filepath.Join(c.folder(app), "head.json")); err == nil {
		if json.Unmarshal(b, &a.written) != nil {
			a.written = rules.Head{}
		}
	}
	return a
}

// head is the newest head whose set and word statistics can be served from here.
func (c *copies) head(app string) (rules.Head, bool) {
	c.mu.Lock()
	h := c.app(app).written
	c.mu.Unlock()
	if h.Epoch == 0 {
		return h, false
	}
	set := c.set(app, h.Hash)
	if set == nil || set.Stats != "" && c.blob(app, set.Stats) == nil {
		return rules.Head{}, false
	}
	return h, true
}

// lost notes that the server has no head any more and reports whether that is new.
func (c *copies) lost(app string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.app(app)
	was := a.gone
	a.gone = true
	return !was
}

// seen notes the server's head and writes it when it can be served from here.
func (c *copies) seen(app string, h rules.Head, log *slog.Logger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.app(app)
	a.gone = false
	if h == a.written {
		a.newest = h
		return
	}
	if h.Epoch < a.newest.Epoch || h.Epoch < a.written.Epoch {
		log.Error("redis went back to an older head, a failover may have lost the newer one; it is followed",
			"app", app, "had", max(a.newest.Epoch, a.written.Epoch), "has", h.Epoch)
	}
	a.newest = h
	c.settle(app, a, log)
}

// settle writes the newest head if all of it is on disk. The caller holds mu.
func (c *copies) settle(app string, a *appCopies, log *slog.Logger) {
	if a.newest.Epoch == 0 || a.newest == a.written {
		return
	}
	stats, ok := a.stats[a.newest.Hash]
	if !ok {
		set := c.set(app, a.newest.Hash)
		if set == nil {
			return
		}
		stats = set.Stats
		a.stats[a.newest.Hash] = stats
	}
	if stats != "" {
		if _, err := os.Stat(filepath.Join(c.folder(app), stats+".blob")); err != nil {
			return
		}
	}
	b, err := json.Marshal(a.newest)
	if err == nil {
		err = writeSynced(filepath.Join(c.folder(app), "head.json"), b)
	}
	if err != nil {
		c.complain(err, log)
		return
	}
	a.written = a.newest
	_ = c.prune(app, a, stats, keptCopies-1) // what it could not delete is tried again after the next head
}

// has reports whether there is a copy of anything of the app.
func (c *copies) has(app string) bool {
	entries, err := os.ReadDir(c.folder(app))
	return err == nil && len(entries) > 0
}

// purge deletes, and overwrites, all copies but what is in force.
func (c *copies) purge(app string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.app(app)
	stats := ""
	if a.written.Epoch > 0 {
		set := c.set(app, a.written.Hash)
		if set == nil {
			return fmt.Errorf("rule set %s: %w: its copy", a.written.Hash, store.ErrCorrupt)
		}
		stats = set.Stats
	}
	return c.prune(app, a, stats, 0)
}

func (c *copies) complain(err error, log *slog.Logger) {
	if c.stale == nil {
		log.Error("no local copy of the rules in force: they would not survive a restart during an outage", "error", err)
	}
	c.stale = err
}

func (c *copies) keepSet(app, hash string, doc []byte, stats string, log *slog.Logger) {
	c.keep(app, hash+".set", doc, log, func(a *appCopies) { a.stats[hash] = stats })
}

func (c *copies) keepBlob(app, hash string, b []byte, log *slog.Logger) {
	c.keep(app, hash+".blob", b, log, func(*appCopies) {})
}

// keep writes a file and then the head, if that was all it waited for.
func (c *copies) keep(app, name string, b []byte, log *slog.Logger, note func(*appCopies)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.app(app)
	err := os.MkdirAll(c.folder(app), 0o700)
	if err == nil {
		err = writeSynced(filepath.Join(c.folder(app), name), b)
	}
	if err != nil {
		c.complain(err, log)
		return
	}
	c.stale = nil
	note(a)
	c.settle(app, a, log)
}

// set reads a copy, nil when there is none that fits.
func (c *copies) set(app, hash string) *rules.Set {
	b := c.read(app, hash, ".set")
	if b == nil {
		return nil
	}
	set, err := openSet(b, app, hash)
	if err != nil {
		return nil
	}
	return set
}

// blob reads a copy, nil when there is none that fits.
func (c *copies) blob(app, hash string) []byte {
	b := c.read(app, hash, ".blob")
	if b == nil || blobHash(b) != hash {
		return nil
	}
	return b
}

// read reads a file of the app. Hashes are foreign: only hex digits name a file.
func (c *copies) read(app, hash, ext string) []byte {
	if len(hash) != 32 || strings.Trim(hash, "0123456789abcdef") != "" {
		return nil
	}
	b, err := os.ReadFile(filepath.Join(c.folder(app), hash+ext))
	if err != nil {
		return nil
	}
	return b
}

// prune deletes all but the newest copies; never what the head needs. To keep none
// also overwrites them.
func (c *copies) prune(app string, a *appCopies, stats string, keep int) error {
	entries, err := os.ReadDir(c.folder(app))
	if err != nil {
		return err
	}
	var errs []error
	type file struct {
		name string
		at   time.Time
	}
	byExt := map[string][]file{}
	for _, e := range entries {
		info, err := e.Info()
		name := e.Name()
		if err != nil || name == "head.json" || name == a.written.Hash+".set" || name == stats+".blob" {
			continue
		}
		byExt[filepath.Ext(name)] = append(byExt[filepath.Ext(name)], file{name, info.ModTime()})
	}
	for _, fs := range byExt {
		slices.SortFunc(fs, func(x, y file) int { return cmp.Compare(y.at.UnixNano(), x.at.UnixNano()) })
		for _, f := range fs[min(len(fs), keep):] {
			path := filepath.Join(c.folder(app), f.name)
			if keep == 0 {
				errs = append(errs, wipeFile(path))
			}
			errs = append(errs, os.Remove(path))
			delete(a.stats, strings.TrimSuffix(f.name, ".set"))
		}
	}
	return errors.Join(errs...)
}

func wipeFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(wipe(f), f.Close())
}
