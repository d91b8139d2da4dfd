package main

import (
	"context"
	"errors"
	"log/slog"

	"heed/configs"
	"heed/store"
)

// openRedis opens the shared store of several replicas.
func openRedis(context.Context, *configs.Config, *slog.Logger) (store.Store, error) {
	return nil, errors.New("store.redis: this build has no Redis store yet")
}
