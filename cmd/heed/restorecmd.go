package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"heed/configs"
	"heed/store/redis"
	"heed/store/sqlite"
)

// restoreCmd is `heed restore DIR`.
type restoreCmd struct {
	Dir  string `arg:"" help:"The folder that heed backup wrote." type:"existingdir"`
	Part string `enum:",admin,serve" default:"" help:"On Redis: who will list exchanges, heed admin or heed serve; its folder gets the index. Default: serve if it ran here."`
}

// Run brings a backup back into an empty store: the folder store.path, or the
// server at store.redis. Heed must not be running on it.
func (cmd restoreCmd) Run(e *env) error {
	c, err := e.load()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(e.errs, nil))
	where := c.Store.Path
	if c.Store.Redis == "" {
		err = copyStore(e, log, cmd.Dir, where)
	} else {
		where = "redis"
		err = cmd.toRedis(e, log, c)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.out, "restored %s to %s\n", cmd.Dir, where)
	return err
}

// toRedis fills the server, then the folder of the part that lists exchanges.
func (cmd restoreCmd) toRedis(e *env, log *slog.Logger, c *configs.Config) error {
	folder := filepath.Join(c.Store.Path, partFolder(c, listingRole(c, cmd.Part)))
	index := filepath.Join(cmd.Dir, "index")
	if _, err := os.Stat(index); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	} else if err != nil {
		index = ""
	}
	if _, err := os.Stat(filepath.Join(folder, "index")); index != "" && err == nil {
		return fmt.Errorf("%s holds an index of exchanges already: move it away, or set another store.path", folder)
	}
	s, err := redis.Open(e.ctx, redis.Options{URL: c.Store.Redis.Reveal(), Dir: folder, Log: log})
	if err != nil {
		return err
	}
	if err := errors.Join(s.Restore(e.ctx, cmd.Dir), s.Close()); err != nil || index == "" {
		return err
	}
	if err := copyStore(e, log, index, filepath.Join(folder, "index")); err != nil {
		return fmt.Errorf("redis is restored, the index of exchanges is not: %w", err)
	}
	b, err := os.ReadFile(filepath.Join(cmd.Dir, "index.json"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "index.json"), b, 0o600)
}

// copyStore copies a folder of SQLite files, checked, into one that has none.
func copyStore(e *env, log *slog.Logger, from, to string) error {
	if _, err := os.Stat(filepath.Join(from, "heed.db")); err != nil {
		return fmt.Errorf("%s is no backup of an embedded store: %w", from, err)
	}
	s, err := sqlite.Open(e.ctx, from, sqlite.Options{Log: log})
	if err != nil {
		return err
	}
	return errors.Join(s.Backup(e.ctx, to), s.Close())
}
