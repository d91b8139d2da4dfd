package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"heed/configs"
	"heed/store"
	"heed/store/redis"
	"heed/store/sqlite"
)

// partFolders name the folder below store.path of each kind of process, so that
// one configuration file serves all parts on a machine. Two of a kind on one
// machine need a store.path each.
var partFolders = map[role]string{gatewayRole: "gateway", learnerRole: "learner", adminRole: "admin", allRoles: "serve"}

// partFolder is the folder below store.path of a process of that kind; without
// Redis there is one process, and store.path is its own.
func partFolder(c *configs.Config, roles role) string {
	if c.Store.Redis == "" {
		return ""
	}
	return cmp.Or(partFolders[roles], "command")
}

// listingRole is the kind of process that lists exchanges on Redis: as part says,
// else all parts in one if they ran here before, else admin.
func listingRole(c *configs.Config, part string) role {
	if _, err := os.Stat(filepath.Join(c.Store.Path, partFolders[allRoles])); part == "serve" || part == "" && err == nil {
		return allRoles
	}
	return adminRole
}

// openRedis opens the shared store of several replicas. Admin gets an index of
// exchanges in its own folder, for lists and searches. registry may be nil.
func openRedis(ctx context.Context, c *configs.Config, log *slog.Logger, roles role, registry prometheus.Registerer) (store.Store, error) {
	opt := redis.Options{URL: c.Store.Redis.Reveal(), Dir: filepath.Join(c.Store.Path, partFolder(c, roles)), Log: log, Registerer: registry}
	if roles&adminRole == 0 {
		return redis.Open(ctx, opt)
	}
	index, err := sqlite.Open(ctx, filepath.Join(opt.Dir, "index"), sqlite.Options{Log: log, Retain: retention(c)})
	if err != nil {
		return nil, err
	}
	opt.Index = index
	s, err := redis.Open(ctx, opt)
	if err != nil {
		return nil, errors.Join(err, index.Close())
	}
	return &indexedStore{s, index}, nil
}

// indexedStore closes the index after the store that fills it.
type indexedStore struct {
	*redis.Store
	index *sqlite.Store
}

func (s *indexedStore) Close() error {
	err := s.Store.Close()
	if errors.Is(err, store.ErrClosed) {
		return err
	}
	return errors.Join(err, s.index.Close())
}
